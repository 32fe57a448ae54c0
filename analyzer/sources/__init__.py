"""Stage 1: bytes as they were sent, with who sent them.

A source is opened by :func:`analyzer.sources.selection.open_source`; what it can
do is :class:`Source`.
"""

from __future__ import annotations

from typing import Protocol

from analyzer.records import Event, Lost


class Source(Protocol):
    """An attached probe. ``probe`` is its name in the log, such as ``core/fentry``."""

    probe: str
    library: str  # name and version of what loaded it

    def fileno(self) -> int:
        """Return a descriptor that polls readable when there is something to read."""
        ...

    def read(self, limit_bytes: int) -> list[bytes]:
        """Return raw events that wait, at least up to ``limit_bytes``; never blocks."""
        ...

    def decode(self, raw: bytes) -> Event:
        """Decode one raw event."""
        ...

    def lost(self) -> list[Lost]:
        """Return what was dropped since the last call, by reason."""
        ...

    def detach(self) -> None:
        """Take the probe out of the kernel; what it has captured can still be read."""
        ...

    def close(self) -> None:
        """Detach and release everything. May be called twice."""
        ...
