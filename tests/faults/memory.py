"""A cgroup of the drill's own that bounds memory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.live.watch import eventually

CGROUPS = Path("/sys/fs/cgroup")
# Becomes a member, then what it is told.
JOIN = 'echo $$ > "$0"/cgroup.procs && exec "$@"'


class MemoryGroup:
    """As MemoryMax= makes it, with version 1 or 2 of cgroups; no swap."""

    def __init__(self, place: Path, *, is_v2: bool) -> None:
        self._place = place
        self._limit = "memory.max" if is_v2 else "memory.limit_in_bytes"
        self._usage = "memory.current" if is_v2 else "memory.usage_in_bytes"
        self._kills = "memory.events" if is_v2 else "memory.oom_control"

    @property
    def prefix(self) -> Sequence[str]:
        """What to put before a command that is to be bounded."""
        return ("sh", "-c", JOIN, str(self._place))

    def limit(self, limit_bytes: int) -> None:
        """Set the limit; may be refused where as much is in use already."""
        (self._place / self._limit).write_text(str(limit_bytes))

    def usage(self) -> int:
        """Return the bytes in use: its memory, the kernel's for it, and files read and written."""
        return int((self._place / self._usage).read_text())

    def kills(self) -> int:
        """Return how many of its processes the kernel has ended for want of memory."""
        text = (self._place / self._kills).read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if line[:9] == "oom_kill ")


@contextlib.contextmanager
def memory_group() -> Iterator[MemoryGroup]:
    """Make one, and remove it. Skips the test where the host delegates no memory controller."""
    name = f"imds-analyzer-drill-{os.getpid()}"
    is_v2 = (CGROUPS / "cgroup.controllers").exists()
    if is_v2 and "memory" not in (CGROUPS / "cgroup.subtree_control").read_text().split():
        pytest.skip("the memory controller is not enabled for cgroups here")
    if not is_v2 and not (CGROUPS / "memory" / "memory.limit_in_bytes").exists():
        pytest.skip("there is no memory controller here")
    place = (CGROUPS if is_v2 else CGROUPS / "memory") / name
    place.mkdir()
    try:
        yield MemoryGroup(place, is_v2=is_v2)
    finally:
        # Of those that have ended it lets go a moment later.
        eventually("the group is empty", lambda: not (place / "cgroup.procs").read_text())
        place.rmdir()
