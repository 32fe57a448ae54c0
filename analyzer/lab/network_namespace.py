"""Tells the machine's own network namespace, where the emulated IMDS must never appear."""

from __future__ import annotations

import os
from typing import NamedTuple, Optional


class NamespaceId(NamedTuple):
    """The identity of a network namespace."""

    device: int
    inode: int


def maybe_network_namespace(path: str) -> Optional[NamespaceId]:
    """Return the identity of the namespace at ``path``, None where that may not be read."""
    try:
        status = os.stat(path)  # noqa: PTH116 - pathlib would follow no differently, and cost more
    except OSError:
        return None
    return NamespaceId(status.st_dev, status.st_ino)


# The namespace this program started in. An emulator started *inside* the lab is told by its
# parent instead (``--home``), since it never saw any other.
HOME = maybe_network_namespace("/proc/self/ns/net")


def is_home(home: Optional[NamespaceId] = HOME) -> bool:
    """Tell whether the calling process is in the machine's own network namespace.

    That is ``home`` and, where /proc/1 may be read, the one of pid 1. In doubt the answer is yes.
    """
    here = maybe_network_namespace("/proc/self/ns/net")
    if here is None or home is None:
        return True
    return here in (home, maybe_network_namespace("/proc/1/ns/net"))
