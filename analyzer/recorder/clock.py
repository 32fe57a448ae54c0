"""Defines the clocks that sources read."""

from __future__ import annotations

import time
from typing import Protocol

from analyzer.errors import ServiceError
from analyzer.host.time_namespace import offset_ns

# Packets of several interfaces or CPUs stand in a capture a little out of order. By more
# than this back, the capture's clock was set, or another capture begins.
SET_BACK_NS = 60 * 1_000_000_000


class Clock(Protocol):
    """The clock that gives the times of a source's events."""

    is_running: bool  # False: time passes only with what is read; see records.Passed

    def now_ns(self) -> int:
        """Return the time now."""
        ...

    def epoch_offset_ns(self) -> int:
        """Return what to add to its times to get the time since the Unix epoch."""
        ...


class BootClock:
    """The kernel's own CLOCK_BOOTTIME: what its events carry, whatever namespace we are in."""

    is_running = True

    def __init__(self) -> None:
        try:
            self._offset_ns = offset_ns()
        except ServiceError:  # nothing is opened then; see sources/selection.py
            self._offset_ns = 0

    def now_ns(self) -> int:
        """Return the time since boot."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - self._offset_ns

    def epoch_offset_ns(self) -> int:
        """Return the time of boot, by what the wall clock says now."""
        return time.time_ns() - self.now_ns()


class CaptureClock:
    """The time since the Unix epoch as a recording has it; stands still between packets."""

    is_running = False

    def __init__(self) -> None:
        self._now_ns = 0

    def now_ns(self) -> int:
        """Return the latest time that was read; 0 before the first."""
        return self._now_ns

    def epoch_offset_ns(self) -> int:
        """Return 0."""
        return 0

    def advance(self, at_ns: int) -> bool:
        """Take the time of a packet; returns whether the clock was set back for it."""
        is_set_back = self._now_ns - at_ns > SET_BACK_NS
        if at_ns > self._now_ns or is_set_back:
            self._now_ns = at_ns
        return is_set_back
