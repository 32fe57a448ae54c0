"""Bounds what one look at software may read, so that a huge or hostile tree costs little."""

from __future__ import annotations

import time


class Spent(Exception):
    """The budget is used up; what was found until then stands."""


class Budget:
    """Counts bytes, files and CPU time of the calling thread against their limits."""

    def __init__(self, *, bytes_max: int, files_max: int, cpu_s: float) -> None:
        """``cpu_s`` counts from now on, in the thread that makes the budget."""
        self._bytes = bytes_max
        self._files = files_max
        self._cpu_end_s = time.thread_time() + cpu_s

    def file(self) -> None:
        """Count a file or folder that is opened. Raises Spent."""
        self._files -= 1
        self._check(self._files)

    def read(self, size: int) -> None:
        """Count bytes before they are read. Raises Spent."""
        self._bytes -= size
        self._check(self._bytes)

    def _check(self, left: int) -> None:
        if left < 0 or time.thread_time() > self._cpu_end_s:
            raise Spent
