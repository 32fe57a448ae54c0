"""Captures bytes as they were sent, with who sent them.

A source is opened by :func:`analyzer.recorder.sources.selection.open_source`; what it can
do is :class:`Source`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Optional, Protocol

from analyzer.recorder.clock import BootClock, Clock

if (
    TYPE_CHECKING
):  # what a probe needs to be attached is imported first (analyzer.recorder.early_attach)
    from analyzer.errors import SourceUnavailable
    from analyzer.recorder.source_events import Event, Lost


class Source(Protocol):
    """An attached probe. ``probe`` is its name in the log, such as ``core/fentry``."""

    probe: str
    library: str  # name and version of what loaded it
    clock: Clock  # what the times of its events are on
    # Why packets are not watched beside calls; None where they are, or are all there is.
    wire_lacks: Optional[SourceUnavailable]

    @property
    def is_ended(self) -> bool:
        """True if no more events will come. Only recordings end."""
        ...

    def fileno(self) -> int:
        """Return a descriptor that polls readable when there is something to read."""
        ...

    def read(self, limit_bytes: int) -> list[bytes]:
        """Return raw events that wait, at least up to ``limit_bytes``; never blocks."""
        ...

    def decode(self, raw: bytes) -> Iterable[Event]:
        """Return the events that a raw one brings about; called once, read to the end."""
        ...

    def cgroup_of(self, raw: bytes) -> int:
        """Return the id of the cgroup that a raw event is from, 0 if it does not tell."""
        ...

    def expire(self, now_boottime_ns: int) -> Iterable[Event]:
        """Return the events that time alone brings about; called about once a second."""
        ...

    def flush(self) -> Iterable[Event]:
        """Return the events that are held back; called once, when all is read."""
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


class Probe:
    """Base of all probes in the kernel: they hold no events back."""

    clock: Clock = BootClock()
    is_ended = False
    wire_lacks: Optional[SourceUnavailable] = None

    def cgroup_of(self, _raw: bytes) -> int:
        """Return nothing: packets do not tell."""
        return 0

    def expire(self, _now_boottime_ns: int) -> Iterable[Event]:
        """Return nothing: the kernel tells of each event when it happens."""
        return ()

    def flush(self) -> Iterable[Event]:
        """Return nothing, as :meth:`expire`."""
        return ()
