"""Processes that have nothing to do any more."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

from tests.unit.log_files import eventually

# In succession; between two pieces of work it may sleep for a moment, too.
LOOKS = 5


def wait_until_asleep(pid: int, what: str, is_so: Callable[[], bool] = lambda: True) -> None:
    """Wait until something is so and the process sleeps whenever it is looked at."""
    seen = 0

    def is_waiting() -> bool:
        nonlocal seen
        seen = seen + 1 if is_so() and _sleeps(pid) else 0
        return seen == LOOKS

    eventually(f"{what}, and it waits for more", is_waiting)


def _sleeps(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("S")
