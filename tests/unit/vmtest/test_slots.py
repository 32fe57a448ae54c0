"""No more machines run at once than there are slots, whoever starts them."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.vmtest import slots

HOLD = """
import sys, threading
from pathlib import Path
from tests.vmtest.slots import slot
with slot(1, threading.Event(), Path(sys.argv[1])) as held:
    print(held, flush=True)
    sys.stdin.read()
"""


def _held_at_once(directory: Path, jobs: int) -> bool:
    """Tell whether a slot is free, by asking with ``stop`` set: nothing waits."""
    stop = threading.Event()
    stop.set()
    with slots.slot(jobs, stop, directory) as held:
        return held


def test_another_process_holds_a_slot_until_it_ends(tmp_path: Path) -> None:
    """A second slot is free meanwhile; a process that was killed leaves none taken."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert not _held_at_once(tmp_path, 1)
        assert _held_at_once(tmp_path, 2)
        other.kill()
    assert _held_at_once(tmp_path, 1)


def test_who_waits_gets_the_slot_that_becomes_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait ends by the release, not by ``stop``."""
    monkeypatch.setattr(slots, "LOOK_AGAIN_S", 0.01)
    results: list[bool] = []

    def wait() -> None:
        with slots.slot(1, threading.Event(), tmp_path) as held:
            results.append(held)

    with slots.slot(1, threading.Event(), tmp_path):
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert results == []
    waiting.join()
    assert results == [True]
