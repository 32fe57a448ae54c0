"""A look is at the process that called, else at its file, and never at another's."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Optional

import pytest

from analyzer.recorder.callers import NamedProcess
from analyzer.recorder.evidence import look as look_module
from analyzer.recorder.evidence.jobs import Job, Target, job_of
from analyzer.recorder.evidence.look import CPU_S, GONE, LIMIT, OUT_OF_REACH, REPLACED, look
from tests.unit.recorder.evidence.callers import process_of, record_of, running

pytestmark = pytest.mark.usefixtures("told")
CAT = os.path.realpath(shutil.which("cat") or "cat is not installed")


def job(process: NamedProcess, *ancestors: NamedProcess) -> Job:
    made = job_of(record_of(process, ancestors), 0, with_text=True, room=10_000)
    assert made is not None
    return made


def library(executable: str, pid: Optional[int]) -> dict[str, str]:
    cwd = "/" if pid is None else str(Path.cwd())
    return {"type": "cargo", "name": executable, "version": str(pid), "path": cwd}


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "facts.sh"
    path.write_text("cat; curl 169.254.169.254\n")
    return path


def test_a_running_process_is_read() -> None:
    with running(CAT) as pid:
        assert look(job(process_of(pid))) == {"libraries": [library(CAT, pid)]}


def test_of_one_that_has_ended_the_file_is_read() -> None:
    """The host's own root leads to it, as it is in the same mount namespace."""
    with running(CAT) as pid:
        ended = job(process_of(pid))
    assert look(ended) == {"libraries": [library(CAT, None)], "lacks": [GONE]}


def test_a_number_that_is_another_process_by_now_is_not_read() -> None:
    """The time of its start tells."""
    with running(CAT) as pid:
        process = process_of(pid)
        earlier = process._replace(start_boottime_ns=process.start_boottime_ns - 10**9)
        found = look(job(earlier))
    assert found == {"libraries": [library(CAT, None)], "lacks": [GONE]}


def test_another_program_since_is_not_read() -> None:
    """An exec keeps number and time of start."""
    bash = shutil.which("bash")
    assert bash is not None
    with running(bash, "-c", f"read -r _ && exec {CAT}") as pid:
        called = process_of(pid)
        with Path(f"/proc/{pid}/fd/0").open("w") as stdin:
            stdin.write("\n")
        deadline = time.monotonic() + 30
        while process_of(pid).executable != CAT:
            assert time.monotonic() < deadline
        found = look(job(called))
    assert called.executable is not None
    assert found == {"libraries": [library(called.executable, None)], "lacks": [GONE]}


def test_a_file_that_was_replaced_is_not_read(tmp_path: Path) -> None:
    """It would tell of another version."""
    copy = tmp_path / "copy"
    shutil.copy(CAT, copy)
    with running(str(copy)) as pid:
        ended = job(process_of(pid))
    other = tmp_path / "other"
    shutil.copy(CAT, other)
    other.rename(copy)
    assert look(ended) == {"lacks": [REPLACED]}
    copy.unlink()
    assert look(ended) == {"lacks": [REPLACED]}


def test_what_is_in_another_mount_namespace_is_out_of_reach() -> None:
    """No other process is in it: its paths would lead to other files."""
    with running(CAT) as pid:
        ended = process_of(pid)._replace(mount_namespace=4_026_539_999)
    assert look(job(ended)) == {"lacks": [OUT_OF_REACH]}


def test_an_ancestor_leads_into_a_mount_namespace() -> None:
    """As of a container's program that has ended, whose first process runs."""
    unshare = shutil.which("unshare")
    if unshare is None or os.geteuid() != 0:
        pytest.skip("making a mount namespace needs root and unshare")
    with running(unshare, "-m", CAT) as pid:
        deadline = time.monotonic() + 30
        while process_of(pid).executable != CAT:
            assert time.monotonic() < deadline
        first = process_of(pid)
        assert first.mount_namespace != process_of(os.getpid()).mount_namespace
        with running("nsenter", "-t", str(pid), "-m", CAT) as child:
            while process_of(child).executable != CAT:
                assert time.monotonic() < deadline
            ended = process_of(child)
        found = look(job(ended, first))
    assert found == {"libraries": [library(CAT, None)], "lacks": [GONE]}


def test_the_script_that_called_a_tool_is_read(script: Path) -> None:
    """Of its interpreter's libraries nothing is told: the tool has called."""
    bash = shutil.which("bash")
    assert bash is not None
    with running(bash, str(script)) as pid, running(CAT) as tool:
        found = look(job(process_of(tool), process_of(pid)))
    assert found["script"] == {
        "lines": [
            {"path": str(script), "line": 1, "use": "call", "text": "cat; curl 169.254.169.254"}
        ]
    }
    assert [each["version"] for each in found["libraries"]] == [str(tool)]


def test_a_relative_script_of_a_process_that_has_ended_is_unknown() -> None:
    """Its working directory is gone with it."""
    with running(CAT) as pid:
        ended = job(process_of(pid))
    ended = ended._replace(process=ended.process._replace(script="facts.sh"))
    assert "script" not in look(ended)


@pytest.mark.parametrize("what", ["bytes", "files", "cpu"])
def test_a_look_has_its_limits(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """What was found until then stands."""
    if what == "cpu":
        monkeypatch.setattr(look_module, "CPU_S", CPU_S)
    if what != "files":
        monkeypatch.setattr(look_module, "FILES_MAX", 10**9)
    if what == "bytes":
        monkeypatch.setattr(look_module, "BYTES_MAX", 10)
    with running(sys.executable, "-c", "input()", "burn") as pid:
        before_s = time.thread_time()
        found = look(job(process_of(pid)))
        used_s = time.thread_time() - before_s
    assert LIMIT in found["lacks"]
    if what == "cpu":
        assert used_s < 2 * CPU_S


def test_a_process_that_is_not_there_and_has_no_file() -> None:
    nobody = Target(2**22 + 1, 1, "", 0, 0, (), "")
    assert look(Job(nobody, None, (), 0, "", True, 1000)) == {"lacks": [OUT_OF_REACH]}
