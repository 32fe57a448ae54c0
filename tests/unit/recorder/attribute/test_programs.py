"""What ancestors run is known when they are gone, and never taken for another's."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tracemalloc
from collections.abc import Iterator
from typing import Callable

import psutil
import pytest

from analyzer.host.procfs import maybe_stat
from analyzer.recorder.attribute import Attributor
from analyzer.recorder.attribute.processes import Processes
from analyzer.recorder.attribute.programs import ARGS_KEPT_MAX, PROGRAMS_MAX, Programs
from analyzer.recorder.callers import NamedProcess
from analyzer.recorder.source_events import KernelProcess, Program, Snapshot
from analyzer.recorder.sources.probe import layout
from analyzer.recorder.sources.probe.events import decode_event
from tests.unit.log_files import eventually

TOKEN = "AQAEANVlcnktc2VjcmV0LXRva2VuLXZhbHVlLTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMw=="
NO_PID = 4_194_305  # above the highest number a kernel gives (PID_MAX_LIMIT)
SCRIPT = KernelProcess(5_000, NO_PID, 1001, b"deploy.sh", 11, 12, 0x7FFD_0000, 3)
ARGS = b"/bin/sh\0/opt/deploy.sh\0--now\0"
SH = shutil.which("sh") or "/bin/sh"


def program(
    kernel: KernelProcess = SCRIPT, args: bytes = ARGS, *, truncated: bool = False, at_ns: int = 1
) -> Program:
    snapshot = Snapshot(kernel, 0, args, truncated, (), False, executable=b"/usr/bin/dash")
    return Program(at_ns, snapshot._replace(mount_namespace=7))


def ancestor(attributor: Attributor, kernel: KernelProcess) -> NamedProcess:
    curl = KernelProcess(9_000, NO_PID + 1, 0, b"curl")
    return attributor.attribute(Snapshot(curl, 0, b"curl\0", False, (kernel,), False)).ancestors[0]


def raw_program(args: bytes = ARGS, names: bytes = b"dash\0bin\0usr\0") -> bytes:
    """Return one as the probe tells it."""
    process = layout.PROCESS.pack(5_000, 11, 0x7FFD_0000, NO_PID, 1001, 12, 3, b"deploy.sh")
    address = bytes(16)
    size = layout.EVENT_SIZE + len(args) + len(names)
    event = layout.EVENT.pack(
        *(layout.KIND_PROGRAM, 0, 77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, address, address),
        *(len(args), 0, 7, 0, len(names), size, 0, process),
    )
    return event + args + names + (77).to_bytes(8, "little")


class TestTold:
    def test_a_script_that_is_gone_is_named_in_full(self) -> None:
        """Nothing of it is in /proc: executable, arguments and name come from the kernel."""
        attributor = Attributor()
        attributor.learn(program())
        found = ancestor(attributor, SCRIPT)
        assert found.executable == "/usr/bin/dash"
        assert found.args == ("/bin/sh", "/opt/deploy.sh", "--now")
        assert (found.name, found.user.id) == ("deploy.sh", 1001)
        assert (found.executable_inode, found.executable_device) == (11, 12)
        assert found.mount_namespace == 7

    @pytest.mark.parametrize(
        "other",
        [SCRIPT._replace(start_boottime_ns=6_000), SCRIPT._replace(exec_id=4)],
        ids=["its number was given again", "it runs another program"],
    )
    def test_it_is_not_told_of_another(self, other: KernelProcess) -> None:
        """Number, time of start and exec are all the same, or it is another program."""
        attributor = Attributor()
        attributor.learn(program())
        found = ancestor(attributor, other)
        assert (found.executable, found.args) == (None, None)
        assert ancestor(attributor, SCRIPT).args is not None

    def test_an_executable_that_was_replaced_without_an_exec_is_not_verified(self) -> None:
        """Before it was told, or since: then the file is another one."""
        attributor = Attributor()
        attributor.learn(program())
        assert ancestor(attributor, SCRIPT).unverified == ()
        since = SCRIPT._replace(executable_inode=99)
        assert ancestor(attributor, since).unverified == ("executable",)
        before, told = Attributor(), program()
        assert told.snapshot is not None
        snapshot = told.snapshot._replace(is_executable_replaced=True)
        before.learn(told._replace(snapshot=snapshot))
        assert ancestor(before, SCRIPT).unverified == ("executable",)

    def test_name_and_user_are_those_at_the_call(self) -> None:
        """A process may rename itself and become another user without an exec."""
        attributor = Attributor()
        attributor.learn(program())
        found = ancestor(attributor, SCRIPT._replace(comm=b"worker", uid=1002))
        assert (found.name, found.user.id) == ("worker", 1002)
        assert found.args == ("/bin/sh", "/opt/deploy.sh", "--now")

    def test_each_exec_of_one_process_has_its_own(self) -> None:
        """The former program is still known by those who called under it."""
        attributor = Attributor()
        later = SCRIPT._replace(exec_id=4, comm=b"cat")
        attributor.learn(program())
        attributor.learn(program(later, b"cat\0-n\0", at_ns=2))
        assert ancestor(attributor, later).args == ("cat", "-n")
        assert ancestor(attributor, SCRIPT).args == ("/bin/sh", "/opt/deploy.sh", "--now")

    def test_what_is_told_again_later_replaces_it(self) -> None:
        """The arguments could not be read the first time."""
        attributor = Attributor()
        attributor.learn(program(args=b""))
        attributor.learn(program(at_ns=2))
        assert ancestor(attributor, SCRIPT).args == ("/bin/sh", "/opt/deploy.sh", "--now")

    def test_secrets_are_masked_before_anything_is_kept(self) -> None:
        """No unmasked argument is in what the attributor holds."""
        programs = Programs(Processes())
        args = f"curl\0-H\0X-aws-ec2-metadata-token: {TOKEN}\0".encode()
        programs.learn(program(args=args), 0.0)
        assert TOKEN[:8] not in repr(vars(programs._told))
        found = programs.maybe_told(SCRIPT, 0.0)
        assert found is not None
        assert found.args is not None
        assert found.args[0] == "curl"

    def test_cut_arguments_are_completed_while_it_lives(self) -> None:
        """The kernel copies a part; /proc has the others as long as it is the same program."""
        with running("sleep 1000; true", "x" * 2000) as (pid, kernel):
            attributor = Attributor()
            known = f"{SH}\0-c\0".encode()
            attributor.learn(program(kernel, known, truncated=True))
            found = ancestor(attributor, kernel)
            assert found.args == (SH, "-c", "sleep 1000; true", "x" * 2000)
            assert pid == found.pid
        attributor = Attributor()
        attributor.learn(program(kernel, known, truncated=True))
        found = ancestor(attributor, kernel)
        assert found.args == (SH, "-c")
        assert found.args_truncated

    def test_many_short_arguments_take_little_room(self) -> None:
        """A table full of the worst that the kernel copies stays below 8 MB."""
        programs = Programs(Processes())
        args = b"ab\0" * (layout.ARGS_MAX // 3)
        tracemalloc.start()
        try:
            for pid in range(PROGRAMS_MAX // 8):
                programs.learn(program(SCRIPT._replace(pid=pid), args), 0.0)
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert held < 1_000_000


class TestDecoding:
    def test_a_whole_one_is_decoded(self) -> None:
        """Process, arguments and path, without the mark behind them."""
        assert decode_event(raw_program()) == program(at_ns=77)

    @pytest.mark.parametrize(
        "tear",
        [
            lambda raw: raw[:-8] + (78).to_bytes(8, "little"),
            lambda raw: raw[:8] + (78).to_bytes(8, "little") + raw[16:],
            lambda raw: raw_program(ARGS + b"more\0")[: len(raw)],
            lambda raw: raw_program(b"sh\0") + raw[len(raw_program(b"sh\0")) :],
        ],
        ids=["end of another", "head of another", "of a longer one", "of a shorter one"],
    )
    def test_a_torn_one_is_not_believed(self, tear: Callable[[bytes], bytes]) -> None:
        """Another process took its place while the probe copied it: /proc is asked."""
        torn = decode_event(tear(raw_program()))
        assert isinstance(torn, Program)
        assert torn.snapshot is None
        attributor = Attributor()
        attributor.learn(torn)
        assert ancestor(attributor, SCRIPT).args is None


@contextlib.contextmanager
def running(*args: str) -> Iterator[tuple[int, KernelProcess]]:
    """Run a shell that has a child; yield its pid and what the kernel sees of it."""
    with subprocess.Popen([SH, "-c", *args]) as shell:
        found = psutil.Process(shell.pid)
        try:
            eventually(
                "the shell has a child", lambda: "sleep" in [one.name() for one in found.children()]
            )
            stat = maybe_stat(shell.pid)
            assert stat is not None
            kernel = Processes().as_kernel_sees(shell.pid, stat)
            yield shell.pid, kernel._replace(uid=os.getuid(), exec_id=5)
        finally:
            children = found.children()
            for process in (found, *children):
                process.kill()


def _survey(attributor: Attributor) -> None:
    eventually("all is surveyed", lambda: attributor.survey(0.05))


class TestSurveyed:
    def test_a_parent_from_before_that_is_gone_is_named(self) -> None:
        """It forked before we came, and ends before it is looked at."""
        attributor = Attributor()
        with running("sleep 1000; true") as (_, kernel):
            _survey(attributor)
        found = ancestor(attributor, kernel)
        assert found.executable == os.path.realpath(SH)
        assert found.args == (SH, "-c", "sleep 1000; true")

    def test_it_is_not_told_of_another_program_or_process(self) -> None:
        """After an exec its arguments lie elsewhere; one with its number started later."""
        attributor = Attributor()
        with running("sleep 1000; true") as (_, kernel):
            _survey(attributor)
        for other in (
            kernel._replace(args_address=kernel.args_address + 16),
            kernel._replace(args_address=0),
            kernel._replace(start_boottime_ns=kernel.start_boottime_ns + 10**9),
        ):
            assert ancestor(attributor, other).args is None

    def test_it_takes_the_time_it_is_given(self) -> None:
        """Without time it is not done, and goes on from there."""
        attributor = Attributor()
        assert not attributor.survey(0.0)
        _survey(attributor)
        assert attributor.survey(0.0)

    def test_its_secrets_are_masked(self) -> None:
        """What is kept of a process from before holds no token."""
        programs = Programs(Processes())
        header = f"X-aws-ec2-metadata-token: {TOKEN}"
        with running("sleep 1000; true", "-H", header) as (_, kernel):
            eventually("all is surveyed", lambda: programs.survey(0.05))
        found = programs.maybe_surveyed(kernel)
        assert found is not None
        assert found.args is not None
        assert found.args[:3] == (SH, "-c", "sleep 1000; true")
        assert TOKEN[:8] not in repr(programs._surveyed)
        assert all(len(kept.args or "") <= ARGS_KEPT_MAX for kept in programs._surveyed.values())
