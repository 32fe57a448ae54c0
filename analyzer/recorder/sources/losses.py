"""Counts what the kernel dropped: by the probe's counters, and sends it was not run for."""

from __future__ import annotations

import contextlib
import mmap
import os
from typing import TYPE_CHECKING, Callable, Optional

from analyzer.recorder.clock import BootClock, Clock

if TYPE_CHECKING:
    from analyzer.recorder.source_events import Lost

RING_FULL = "ring_buffer_full"
ANSWERS_RING_FULL = "answers_ring_buffer_full"
# Who made requests, of which none is missing for it.
SENDERS_RING_FULL = "senders_ring_buffer_full"
SENDERS_TORN = "senders_torn"
PROBE_BUSY = "probe_busy"
ANSWERS_PROBE_BUSY = "answers_probe_busy"
# Packets, of which a request takes one and its answer another.
PACKET_RING_FULL = "packet_ring_full"
REASONS = (
    RING_FULL,
    ANSWERS_RING_FULL,
    SENDERS_RING_FULL,
    SENDERS_TORN,
    PROBE_BUSY,
    ANSWERS_PROBE_BUSY,
    PACKET_RING_FULL,
)
# What tells only what became of a request, or who made it; none is missing for it.
_OF_NO_REQUEST = (ANSWERS_RING_FULL, SENDERS_RING_FULL, SENDERS_TORN, ANSWERS_PROBE_BUSY)

# All that the kernel tells of a program's descriptor is below 500 bytes.
_FDINFO_MAX = 4096
_MISSES = b"recursion_misses:"


class MappedCounters:
    """The probe's array of 64-bit counters, as memory.

    Up to Linux 5.18, with unprivileged BPF disabled, every command of bpf(2) needs CAP_BPF. That
    includes reading a map by its descriptor. Mapped memory needs no capability.
    """

    def __init__(self, map_fd: int) -> None:
        """Map the array behind a map's descriptor; raises OSError."""
        self._pages = mmap.mmap(map_fd, mmap.PAGESIZE, mmap.MAP_SHARED, mmap.PROT_READ)
        self._values = memoryview(self._pages).cast("Q")

    def reader(self, index: int) -> Callable[[], int]:
        """Return what reads one counter."""
        return lambda: self._values[index]

    def close(self) -> None:
        """Unmap them; what reader() gave is not to be called after."""
        self._values.release()
        self._pages.close()


class Misses:
    """Counts the runs that the kernel skipped because the programs were active already.

    The kernel counts them since 5.12; before, the count stays 0. They are read from /proc for
    the same reason as in MappedCounters.
    """

    def __init__(self, program_fds: list[int]) -> None:
        """Take the descriptors of the programs; raises OSError."""
        self._files: list[int] = []
        with contextlib.ExitStack() as on_error:
            on_error.callback(self.close)
            for fd in program_fds:
                self._files.append(os.open(f"/proc/self/fdinfo/{fd}", os.O_RDONLY | os.O_CLOEXEC))
            on_error.pop_all()

    def read(self) -> int:
        """Return the sum over all programs."""
        # Read from the start, such a file is written anew by the kernel.
        return sum(misses_in(os.pread(file, _FDINFO_MAX, 0)) for file in self._files)

    def close(self) -> None:
        """Close the files; may be called twice."""
        while self._files:
            os.close(self._files.pop())


def misses_in(fdinfo: bytes) -> int:
    """Return what the text of /proc/PID/fdinfo/FD says of a BPF program, 0 where nothing."""
    for line in fdinfo.splitlines():
        if line.startswith(_MISSES):
            return int(line[len(_MISSES) :])
    return 0


class LossMeter:
    """Turns counters that only grow into the losses since the last call.

    ``probe_busy`` counts sends that the probe missed: it was already active on that CPU (see
    preemption.py). It counts every TCP send, not only those to IMDS, so it is an upper bound.
    ``answers_probe_busy`` counts the same of receives.
    """

    def __init__(self, totals: dict[str, Callable[[], int]], clock: Optional[Clock] = None) -> None:
        """``clock`` is the source's; None is that of the probes in the kernel."""
        self._clock = clock or BootClock()
        self._totals = totals
        self._seen = {reason: read() for reason, read in totals.items()}
        self._looked_ns = self._clock.now_ns()

    def take(self) -> list[Lost]:
        """Return what each counter has grown by."""
        from analyzer.recorder.source_events import Lost  # noqa: PLC0415 (not needed to attach)

        since_ns, self._looked_ns = self._looked_ns, self._clock.now_ns()
        lost = []
        for reason, read in self._totals.items():
            total = read()
            if total > self._seen[reason]:
                is_request = reason not in _OF_NO_REQUEST
                lost.append(Lost(total - self._seen[reason], since_ns, reason, is_request))
                self._seen[reason] = total
        return lost
