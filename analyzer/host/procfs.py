"""Reads what /proc tells of a process (proc_pid_stat(5)). A process that is gone is None."""

from __future__ import annotations

import os
from typing import NamedTuple, Optional

READ_MAX = 65536  # of a file in /proc; a cgroup path is at most 4096, one per hierarchy

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_NS_PER_S = 1_000_000_000
# Where the fields stand, counted from behind the name.
_PARENT, _START, _ARG_START, _ARG_END = 1, 19, 45, 46


class Stat(NamedTuple):
    """The fields of /proc/PID/stat that identify a process and its program.

    ``comm`` is written as the kernel writes it, of some kernels with escapes. ``start_ticks`` count
    from the boot, in the reader's time namespace; sizes are in bytes.
    """

    comm: bytes
    start_ticks: int
    args_size: int
    args_address: int
    parent: int

    @property
    def start_boottime_ns(self) -> int:
        """The time of the process's start on CLOCK_BOOTTIME, to the hundredth of a second."""
        return self.start_ticks * _NS_PER_S // _TICKS_PER_S


def maybe_stat(pid: int) -> Optional[Stat]:
    """Read /proc/PID/stat."""
    raw = maybe_read(f"/proc/{pid}/stat")
    return None if raw is None else _parsed(raw)


def _parsed(raw: bytes) -> Optional[Stat]:
    # The name stands in parentheses and may hold some itself.
    head, _, tail = raw.rpartition(b") ")
    fields = tail.split()
    if len(fields) <= _ARG_END:
        return None
    begin, end = int(fields[_ARG_START]), int(fields[_ARG_END])
    return Stat(
        head.partition(b" (")[2], int(fields[_START]), end - begin, begin, int(fields[_PARENT])
    )


def maybe_read(path: str) -> Optional[bytes]:
    """Read the beginning of a file of /proc; None if it is gone, or not for us to read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(fd, READ_MAX)
    except OSError:
        return None
    finally:
        os.close(fd)


def read(path: str) -> bytes:
    """Read the beginning of a file of /proc; b"" if it is gone, or not for us to read."""
    return maybe_read(path) or b""
