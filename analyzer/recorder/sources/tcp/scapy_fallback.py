"""Dissects rare frames with scapy."""

from __future__ import annotations

import functools
import logging
from typing import Any, Optional

# What is shown to scapy. Headers up to TCP's take less; each layer takes it some 50 µs, and a
# frame may consist of nothing else.
_HEADS_BYTES = 256


@functools.lru_cache(maxsize=1)
def _maybe_scapy() -> Any:  # noqa: ANN401 -- scapy is imported late, and untyped
    """Return scapy's modules of layers, None where it is not installed."""
    logging.getLogger("scapy.runtime").setLevel(logging.ERROR)  # it warns of missing routes
    try:
        import scapy.config  # noqa: PLC0415 (only where such a frame occurs)
        import scapy.contrib.mpls  # noqa: PLC0415
        import scapy.layers.all  # noqa: PLC0415
    except ImportError:
        return None
    return scapy


def has_scapy() -> bool:
    """Tell whether scapy is installed; imports it."""
    return _maybe_scapy() is not None


def maybe_inner_packet(link_type: int, frame: bytes) -> Optional[bytes]:
    """Return the innermost IP packet with TCP in a frame, b"" where there is none.

    None where nobody knows such frames: scapy does not, or is not installed.
    """
    scapy = _maybe_scapy()
    if scapy is None:
        return None
    try:
        layer = scapy.config.conf.l2types.num2layer.get(link_type)
        if layer is None:
            return None
        head = frame[:_HEADS_BYTES]
        tcp = layer(head).getlayer(scapy.layers.inet.TCP)
        found = tcp.underlayer if tcp is not None else None
        while found is not None and found.name not in ("IP", "IPv6"):
            found = found.underlayer  # extension headers
        if found is None:
            return b""
        original = bytes(found.original)
        # Unless the packet ends within what was shown, it is all that is left of the frame.
        return frame[len(head) - len(original) :] if head.endswith(original) else original
    except Exception:  # noqa: BLE001 -- its layers raise whatever hostile bytes make them raise
        return b""
