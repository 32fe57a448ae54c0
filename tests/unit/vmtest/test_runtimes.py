"""What the machine for real runtimes is told, and what its results mean."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from tests.containers.runtimes import SKIPPED_EVERYWHERE
from tests.vmtest.kernels.kernels import Kernel
from tests.vmtest.runtimes import guest
from tests.vmtest.runtimes.disk import SIZE, SYSTEM
from tests.vmtest.runtimes.results import judge
from tests.vmtest.systems.machine import Guest, qemu_command
from tests.vmtest.systems.roots import root_dir
from tests.vmtest.systems.systems import SYSTEMS, offered

PASSED = '<testsuite><testcase classname="t" name="a"/></testsuite>'
SKIPPED = (
    '<testsuite><testcase classname="t" name="a"/>'
    '<testcase classname="t" name="b"><skipped message="no crun"/></testcase></testsuite>'
)


def _left(shared: Path, status: str, report: str) -> None:
    (shared / guest.STATUS).write_text(f"{status}\n")
    if report:
        (shared / guest.RESULTS).write_text(report)


def test_all_passed(tmp_path: Path) -> None:
    _left(tmp_path, "0", PASSED)
    verdict = judge(tmp_path, "", with_tests=True)
    assert verdict.problems == ()
    assert str(verdict.counted) == "1 passed, 0 failed, 0 skipped"


@pytest.mark.parametrize(
    ("status", "report", "trouble", "problem"),
    [
        ("0", SKIPPED, "", "skipped: t::b: no crun"),
        ("0", "", "", "no tests ran"),
        ("1", PASSED, "", "the command ended with 1"),
        ("0", PASSED, "no end within 10 s", "no end within 10 s"),
    ],
)
def test_anything_else_is_a_problem(
    tmp_path: Path, status: str, report: str, trouble: str, problem: str
) -> None:
    _left(tmp_path, status, report)
    assert problem in judge(tmp_path, trouble, with_tests=True).problems


@pytest.mark.parametrize("reason", sorted(SKIPPED_EVERYWHERE))
def test_what_can_be_tested_nowhere_may_be_skipped(tmp_path: Path, reason: str) -> None:
    """The runtimes' table has the reasons. With anything behind it is another reason."""
    for said, is_known in ((f"ctr: {reason}", True), (f"ctr: {reason}, too", False)):
        _left(tmp_path, "0", SKIPPED.replace("no crun", said))
        assert (judge(tmp_path, "", with_tests=True).problems == ()) is is_known


def test_a_machine_that_did_not_end_is_a_problem(tmp_path: Path) -> None:
    assert "the command did not end" in judge(tmp_path, "", with_tests=False).problems


def test_the_script_is_one_for_sh(tmp_path: Path) -> None:
    """Whatever the expression has in it."""
    command = guest.suite("crun and not 'x' $HOME")
    script = guest.script(command, 60)
    path = tmp_path / "start"
    path.write_text(script)
    assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0
    assert shlex.quote(command) in script


def test_its_disk_is_none_of_the_installations(tmp_path: Path) -> None:
    """Making one removes older ones by the name's beginning."""
    kernel = Kernel(SYSTEM.kernel, "amd64", "6.12.0-1", "6.12", tmp_path, tmp_path / "vmlinuz")
    ours = root_dir(SYSTEM, kernel).name
    assert not any(ours.startswith(f"{system.name}-") for system in SYSTEMS)
    assert not any(system.name.startswith(f"{SYSTEM.name}-") for system in SYSTEMS)
    assert "podman" in offered(SYSTEM)


def test_what_packages_start_is_not_started(tmp_path: Path) -> None:
    kernel = Kernel(SYSTEM.kernel, "amd64", "6.12.0-1", "6.12", tmp_path, tmp_path / "vmlinuz")
    booted = Guest(kernel, tmp_path, tmp_path / "shared", tmp_path / "packages", SIZE)
    command = qemu_command(booted, 1)
    line = command[command.index("-append") + 1]
    assert "systemd.mask=docker.service" in line.split()
    assert len(line) < 2048  # COMMAND_LINE_SIZE of x86
    assert command[command.index("-m") + 1] == SIZE.memory
