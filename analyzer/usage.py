"""What the analyzer itself costs."""

from __future__ import annotations

import resource

import psutil


def cpu_s() -> float:
    """Return the CPU time used since the start, in seconds to the millisecond."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return round(used.ru_utime + used.ru_stime, 3)


def rss_bytes() -> int:
    """Return the resident memory."""
    return int(psutil.Process().memory_info().rss)
