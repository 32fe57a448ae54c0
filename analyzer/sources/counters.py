"""What the kernel dropped: the probe's own counters, and sends it was not run for."""

from __future__ import annotations

import ctypes
import time
from typing import Callable

from analyzer.records import Lost

RING_FULL = "ring_buffer_full"
ANSWERS_RING_FULL = "answers_ring_buffer_full"
PROBE_BUSY = "probe_busy"
ANSWERS_PROBE_BUSY = "answers_probe_busy"
# What tells only what became of a request; none is missing for it.
_OF_ANSWERS = (ANSWERS_RING_FULL, ANSWERS_PROBE_BUSY)


class ProgramInfo(ctypes.Structure):
    """The head of struct bpf_prog_info (uapi linux/bpf.h), up to recursion_misses."""

    _fields_ = (
        ("before", ctypes.c_uint8 * 192),
        ("run_time_ns", ctypes.c_uint64),
        ("run_cnt", ctypes.c_uint64),
        ("recursion_misses", ctypes.c_uint64),
    )


class LossMeter:
    """Turns counters that only grow into what was lost since one looked last.

    ``probe_busy`` counts sends for which the kernel did not run the probe because the
    probe was already active on that CPU (see preemption.py). It is told of every TCP
    send, not only of those to IMDS, so it is an upper bound; the same of receives is
    ``answers_probe_busy``.
    """

    def __init__(self, totals: dict[str, Callable[[], int]]) -> None:
        self._totals = totals
        self._seen = {reason: read() for reason, read in totals.items()}
        self._looked_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def take(self) -> list[Lost]:
        """Return what each counter has grown by."""
        since_ns, self._looked_ns = self._looked_ns, time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        lost = []
        for reason, read in self._totals.items():
            total = read()
            if total > self._seen[reason]:
                is_request = reason not in _OF_ANSWERS
                lost.append(Lost(total - self._seen[reason], since_ns, reason, is_request))
                self._seen[reason] = total
        return lost
