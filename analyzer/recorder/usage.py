"""What the analyzer itself costs."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import psutil

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Where /proc/PID/stat has the time of the start, counted from behind the name.
_START_FIELD = 19


def cpu_s() -> float:
    """Return the CPU time used since the start, in seconds to the millisecond."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return round(used.ru_utime + used.ru_stime, 3)


def started_boottime_ns() -> int:
    """Return when this process was started, on CLOCK_BOOTTIME, to the hundredth of a second."""
    stat = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace")
    fields = stat.rpartition(")")[2].split()  # a name may have anything in it
    return int(fields[_START_FIELD]) * 1_000_000_000 // _TICKS_PER_S


def rss_bytes() -> int:
    """Return the resident memory."""
    return int(psutil.Process().memory_info().rss)
