"""The worker reads in a process of its own, which may hang or end without harm to ours."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analyzer.recorder.evidence import worker as worker_module
from analyzer.recorder.evidence.jobs import Job, job_of
from analyzer.recorder.evidence.worker import Worker
from tests.unit.recorder.evidence.callers import process_of, record_of, running, wait_for_the_end

pytestmark = pytest.mark.usefixtures("told")
CAT = os.path.realpath(shutil.which("cat") or "cat is not installed")
DEADLINE_S = 60
# Children of other tests in this process, which may take a moment to end.
_FORMER: set[int] = set()


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker[str]]:
    # The process yields to all others, which on a busy machine takes its time.
    monkeypatch.setattr(worker_module, "HANGS_S", DEADLINE_S)
    made: Worker[str] = Worker()
    _FORMER.update(children())
    yield made
    made.stop()
    wait_for_the_end(made)


def job(pid: int) -> Job:
    made = job_of(record_of(process_of(pid)), 0, with_text=True, room=10_000)
    assert made is not None
    return made


def answered(worker: Worker[str], count: int) -> list[tuple[str, dict[str, Any]]]:
    """Return so many answers, as soon as they are there."""
    found: list[tuple[str, dict[str, Any]]] = []
    deadline = time.monotonic() + DEADLINE_S
    while len(found) < count:
        assert time.monotonic() < deadline, found
        worker.wait(0.1)
        found += worker.answers()
    return found


def children() -> list[int]:
    path = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    found = []
    for each in path.read_text().split():
        with contextlib.suppress(FileNotFoundError):  # a former test's, which has ended
            if not Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].startswith(" Z"):
                found.append(int(each))
    return [each for each in found if each not in _FORMER]


def test_jobs_are_answered_in_their_order_by_one_process(worker: Worker[str]) -> None:
    with running(CAT) as first, running(CAT) as second:
        for name, pid in (("first", first), ("second", second), ("third", first)):
            worker.ask(name, job(pid))
        assert len(worker) == 3
        assert len(set(children()) - {first, second}) == 1
        found = answered(worker, 3)
    assert [name for name, _ in found] == ["first", "second", "third"]
    assert [code["libraries"][0]["version"] for _, code in found] == [
        str(each) for each in (first, second, first)
    ]
    assert len(worker) == 0


def test_it_holds_nothing_of_ours_and_yields_to_others(worker: Worker[str]) -> None:
    """The log, the probe and all sockets end with the recorder."""
    with running(CAT) as pid:
        worker.ask("", job(pid))
        answered(worker, 1)
        (child,) = set(children()) - {pid}
        fds = {int(each.name): each.readlink() for each in Path(f"/proc/{child}/fd").iterdir()}
        assert os.sched_getscheduler(child) == os.SCHED_IDLE
    assert len([fd for fd in fds if fd > 2]) == 1
    assert str(fds[max(fds)]).startswith("socket:")


def test_without_jobs_it_ends(worker: Worker[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle recorder has one process; the next job has another one started."""
    with running(CAT) as pid:
        worker.ask("", job(pid))
        answered(worker, 1)
        monkeypatch.setattr(worker_module, "IDLE_S", 0)
        assert worker.answers() == []
        wait_for_the_end(worker)
        assert set(children()) == {pid}
        worker.ask("again", job(pid))
        assert [name for name, _ in answered(worker, 1)] == ["again"]


def test_one_that_hangs_is_ended(worker: Worker[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever it looked at has no evidence; those behind have."""
    monkeypatch.setattr(worker_module, "HANGS_S", 1.0)
    with running(sys.executable, "-c", "input()", "sleep") as hangs, running(CAT) as pid:
        worker.ask("hangs", job(hangs))
        worker.ask("behind", job(pid))
        found = dict(answered(worker, 1))
        # A busy machine may keep the next one, which yields to all others, from running for long.
        monkeypatch.setattr(worker_module, "HANGS_S", DEADLINE_S)
        found.update(answered(worker, 1))
    assert found["hangs"] == {"lacks": ["no answer in time"]}
    assert found["behind"]["libraries"][0]["version"] == str(pid)


def test_one_that_is_killed_is_replaced(worker: Worker[str]) -> None:
    """As by the kernel, when memory is short."""
    with running(sys.executable, "-c", "input()", "sleep") as hangs, running(CAT) as pid:
        worker.ask("killed", job(hangs))
        worker.ask("behind", job(pid))
        (child,) = set(children()) - {hangs, pid}
        os.kill(child, signal.SIGKILL)
        found = dict(answered(worker, 2))
    assert found["killed"] == {"lacks": ["the look was ended"]}
    assert found["behind"]["libraries"][0]["version"] == str(pid)


@pytest.mark.parametrize(
    ("what", "lacks"),
    [("fail", "ZeroDivisionError while looking"), ("exhaust", "it needs too much memory")],
)
def test_a_fault_is_told_and_ends_nothing(worker: Worker[str], what: str, lacks: str) -> None:
    """The process itself goes on."""
    with running(sys.executable, "-c", "input()", what) as pid:
        worker.ask("", job(pid))
        worker.ask("", job(pid))
        first = set(children())
        found = answered(worker, 2)
        assert set(children()) == first
    assert [code for _, code in found] == [{"lacks": [lacks]}] * 2


def test_a_stop_does_not_wait(worker: Worker[str]) -> None:
    """What has no answer comes back."""
    with running(sys.executable, "-c", "input()", "sleep") as hangs:
        worker.ask("hangs", job(hangs))
        before_s = time.monotonic()
        assert worker.stop() == ["hangs"]
        assert time.monotonic() - before_s < 1
    assert len(worker) == 0
