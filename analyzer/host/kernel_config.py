"""Reads the configuration that the running kernel was built with."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

# The first is the kernel's own word; the others are files that belong to one of its name.
PLACES = (
    Path("/proc/config.gz"),
    Path(f"/boot/config-{os.uname().release}"),
    Path(f"/lib/modules/{os.uname().release}/config"),
)


def text(places: Sequence[Path] = PLACES) -> tuple[str, str]:
    """Return where the configuration stands, and it; both empty where it does not."""
    for place in places:
        try:
            raw = place.read_bytes()
            raw = _decompressed(raw) if place.suffix == ".gz" else raw
        except (OSError, EOFError):
            continue
        return str(place), raw.decode("ascii", "replace")
    return "", ""


def _decompressed(raw: bytes) -> bytes:
    import gzip  # noqa: PLC0415 (only where there is such a file)

    return gzip.decompress(raw)


def options() -> tuple[str, dict[str, str]]:
    """Return where the configuration stands, and the options that are set."""
    place, config = text()
    return place, parse(config)


def parse(config: str) -> dict[str, str]:
    """Return the options that are set, of a kernel's .config."""
    lines = (line.partition("=") for line in config.splitlines() if line.startswith("CONFIG_"))
    return {name: value for name, _, value in lines}
