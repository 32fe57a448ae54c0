"""Limit how many machines run at once on this host, over all the commands that start some.

Emulated machines share the host's cores. ``test-kernels`` and ``test-install`` may run side by
side, and still no more than ``jobs`` machines run: each one holds a slot, a locked file.
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Optional

from tests.vmtest.kernels.kernels import cache_dir

# A machine runs for minutes, so a second more does not count.
LOOK_AGAIN_S = 1.0


def slots_dir() -> Path:
    """Return where the locked files are: beside the kernels, shared by all checkouts."""
    return cache_dir().parent / "slots"


@contextmanager
def slot(jobs: int, stop: threading.Event, directory: Optional[Path] = None) -> Iterator[bool]:
    """Hold one of ``jobs`` slots. Yields False, without one, as soon as ``stop`` is set."""
    directory = directory or slots_dir()
    directory.mkdir(parents=True, exist_ok=True)
    held = _first_free(directory, jobs)
    while held is None and not stop.wait(LOOK_AGAIN_S):
        held = _first_free(directory, jobs)
    try:
        yield held is not None
    finally:
        if held is not None:
            held.close()  # which unlocks it; so does the end of the process


def _first_free(directory: Path, jobs: int) -> Optional[BinaryIO]:
    for number in range(jobs):
        handle = (directory / str(number)).open("wb")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
        else:
            return handle
    return None
