"""Measures what the analyzer itself costs."""

from __future__ import annotations

import os
import resource

import psutil

from analyzer.host.procfs import maybe_stat


def cpu_s() -> float:
    """Return the CPU time used since the start, in seconds to the millisecond."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return round(used.ru_utime + used.ru_stime, 3)


def started_boottime_ns() -> int:
    """Return when this process was started, on CLOCK_BOOTTIME, to the hundredth of a second."""
    stat = maybe_stat(os.getpid())
    return 0 if stat is None else stat.start_boottime_ns


def rss_bytes() -> int:
    """Return the resident memory."""
    return int(psutil.Process().memory_info().rss)
