"""Callers and ancestors in words, from real processes of every odd kind."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from analyzer.lru import Cache
from analyzer.recorder.attribute import KEEP_S, Attributor
from analyzer.recorder.attribute.processes import (
    ARGS_KEPT_MAX,
    ARGS_READ_MAX,
    Processes,
    ProcFacts,
    in_words,
    only_names,
    split_args,
)
from analyzer.recorder.callers import NamedProcess, User
from analyzer.recorder.source_events import KernelProcess, Snapshot
from tests.sends import kernel_of, process_of

DEADLINE_S = 60.0
TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")
TOKEN = "AQAEAN7Yc3VwZXItc2VjcmV0LXRva2VuLXZhbHVlLTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMw=="
NO_PID = 4_194_305  # above the highest number a kernel gives (PID_MAX_LIMIT)
UNNAMED_UID = 3_999_999_999
SLEEP = shutil.which("sleep") or "/bin/sleep"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

# Says it is ready only when it has the name it was told to take.
NAMER = """
import ctypes, sys, time
name = bytes.fromhex(sys.argv[1])
assert ctypes.CDLL(None).prctl(15, name, 0, 0, 0) == 0
print("ready", flush=True)
time.sleep(1000)
"""


# As the first process of a pid namespace: lets a number be given again between two reads.
REUSER = """
import os, subprocess, sys, time
from pathlib import Path
from analyzer.recorder.attribute import processes
from analyzer.recorder.source_events import KernelProcess

def start(program):
    process = subprocess.Popen([program, "1000"])
    ticks = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()[19]
    return process, int(ticks)

def reuse(facts, kernel, args_size):
    global second
    first.kill()
    first.wait()
    while time.clock_gettime(time.CLOCK_BOOTTIME) * hertz < ticks + 2:
        time.sleep(0.001)
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(kernel.pid - 1))
    second, _ = start(sys.argv[1])
    assert second.pid == kernel.pid
    return add_program(facts, kernel, args_size)

hertz = os.sysconf("SC_CLK_TCK")
add_program, processes._add_program = processes._add_program, reuse
first, ticks = start(sys.argv[1])
kernel = KernelProcess(ticks * 10**9 // hertz, first.pid, 0, b"sleep")
seen = processes.Processes().look_up(kernel, args=True, cgroup=True)
second.kill()
second.wait()
print(seen)
"""


class Clock:
    """A clock that stands still until it is moved."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.005)


def start_ticks(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()[19])


def as_kernel_sees(pid: int) -> KernelProcess:
    """Describe a living process as the probe would; its time of start is within the tick."""
    return KernelProcess(
        start_boottime_ns=start_ticks(pid) * TICK_NS + TICK_NS // 2,
        pid=pid,
        uid=Path(f"/proc/{pid}").stat().st_uid,
        comm=Path(f"/proc/{pid}/comm").read_bytes()[:-1],
    )


def snapshot_of(
    kernel: KernelProcess,
    args: bytes,
    *,
    args_truncated: bool = False,
    ancestors: tuple[KernelProcess, ...] = (),
) -> Snapshot:
    return Snapshot(kernel, 1, args, args_truncated, ancestors, ancestors_truncated=False)


@contextlib.contextmanager
def running(
    args: Sequence[bytes | str], *, executable: Optional[str] = None, fds: Sequence[int] = ()
) -> Iterator[int]:
    """Run a program; yield its pid once it is that program and no copy of us."""
    with subprocess.Popen(
        args, executable=executable, pass_fds=fds, stdout=subprocess.PIPE
    ) as process:
        wanted = b"\0".join(os.fsencode(arg) for arg in args) + b"\0"
        proc = Path(f"/proc/{process.pid}/cmdline")
        try:
            wait_until(lambda: proc.read_bytes() == wanted)
            yield process.pid
        finally:
            process.kill()


@contextlib.contextmanager
def named(comm: bytes) -> Iterator[int]:
    """Run a Python program that has given itself a name."""
    with subprocess.Popen(
        [sys.executable, "-c", NAMER, comm.hex()], stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield process.pid
        finally:
            process.kill()


def ancestor_in_words(pid: int) -> NamedProcess:
    """Describe a process as an ancestor: /proc alone tells its arguments."""
    snapshot = snapshot_of(
        KernelProcess(1, NO_PID, 0, b"curl"), b"curl\0", ancestors=(as_kernel_sees(pid),)
    )
    return Attributor().attribute(snapshot).ancestors[0]


class TestBelieving:
    def test_a_living_caller_gets_its_executable_and_user(self) -> None:
        """What the kernel does not say comes from /proc."""
        with running([SLEEP, "1000"]) as pid:
            kernel = as_kernel_sees(pid)
            caller = Attributor().attribute(snapshot_of(kernel, b"sleep\0" + b"1000\0"))
        assert process_of(caller).executable == os.path.realpath(SLEEP)
        assert process_of(caller).name == "sleep"
        assert process_of(caller).args == ("sleep", "1000")  # the kernel's, not /proc's
        assert process_of(caller).user.id == os.getuid()
        assert process_of(caller).start_boottime_ns == kernel.start_boottime_ns

    def test_the_time_of_start_is_compared_in_whole_ticks(self) -> None:
        """Every nanosecond of the tick is the process's; the ones beside it are another's."""
        processes = Processes()
        with running([SLEEP, "1000"]) as pid:
            kernel = as_kernel_sees(pid)
            first_ns = start_ticks(pid) * TICK_NS
            for start_ns, is_there in (
                (first_ns - 1, False),
                (first_ns, True),
                (first_ns + TICK_NS - 1, True),
                (first_ns + TICK_NS, False),
            ):
                seen = processes.look_up(
                    kernel._replace(start_boottime_ns=start_ns), args=True, cgroup=True
                )
                assert seen.is_there is is_there
                assert (seen.executable is not None) is is_there
                assert (seen.args is not None) is is_there

    def test_the_clock_of_start_times_is_boottime(self) -> None:
        """A process started between two readings of CLOCK_BOOTTIME has its start between them."""
        before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        with running([SLEEP, "1000"]) as pid:
            after_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            assert before_ns // TICK_NS <= start_ticks(pid) <= after_ns // TICK_NS

    def test_a_number_that_is_anothers_by_now_tells_nothing(self) -> None:
        """A caller whose pid was given to a later process keeps what the kernel saw of it."""
        with running([SLEEP, "1000"]) as pid:
            former = as_kernel_sees(pid)._replace(start_boottime_ns=TICK_NS, comm=b"curl")
            caller = Attributor().attribute(snapshot_of(former, b"curl\0-s\0", ancestors=(former,)))
        for process in (process_of(caller), caller.ancestors[0]):
            assert process.name == "curl"
            assert process.executable is None
        assert process_of(caller).args == ("curl", "-s")
        assert caller.ancestors[0].args is None

    @as_root
    @pytest.mark.skipif(
        not Path("/proc/sys/kernel/ns_last_pid").exists(),
        reason="the kernel does not let numbers be chosen",
    )
    def test_a_number_given_again_between_two_reads_tells_nothing(self) -> None:
        """What was read of it may be the later process's."""
        told = subprocess.run(
            ["unshare", "-p", "-f", "--mount-proc", sys.executable, "-c", REUSER, SLEEP],
            check=True,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
        assert told.stdout == f"{ProcFacts(is_there=False)}\n"

    def test_a_program_replaced_by_exec_is_not_shown_as_the_caller(self) -> None:
        """Number and start survive exec; another name says that the program is another."""
        with running([SLEEP, "1000"]) as pid:
            kernel = as_kernel_sees(pid)._replace(comm=b"chamber")
            caller = Attributor().attribute(snapshot_of(kernel, b"chamber\0exec\0"))
        assert process_of(caller).name == "chamber"
        assert process_of(caller).executable is None
        assert process_of(caller).args == ("chamber", "exec")

    def test_another_file_under_the_same_name_is_not_shown(self) -> None:
        """Who execs chooses the name, and where arguments lie: only the file tells."""
        with running([SLEEP, "1000"]) as pid:
            file = Path(SLEEP).stat()
            kernel = as_kernel_sees(pid)
            other = kernel._replace(executable_inode=file.st_ino + 1)
            caller = Attributor().attribute(snapshot_of(other, b"", ancestors=(other,)))
        assert [(each.executable, each.args) for each in (process_of(caller), *caller.ancestors)] \
            == [(None, None)] * 2  # fmt: skip

    def test_what_proc_tells_is_verified_by_inode_and_device(self) -> None:
        """A file system of the caller's own can give a file any inode number."""
        file = Path(SLEEP).stat()
        device = os.major(file.st_dev) << 20 | os.minor(file.st_dev)
        with running([SLEEP, "1000"]) as pid:
            kernel = as_kernel_sees(pid)._replace(executable_inode=file.st_ino)
            shown = [
                process_of(Attributor().attribute(snapshot_of(each, b"sleep\x001000\0")))
                for each in (
                    kernel._replace(executable_device=device),
                    kernel._replace(executable_device=device + 1),
                )
            ]
        assert [each.executable for each in shown] == [os.path.realpath(SLEEP)] * 2
        assert [each.unverified for each in shown] == [(), ("executable",)]

    @as_root
    @pytest.mark.skipif(not Path("/proc/self/ns/time").exists(), reason="no time namespaces")
    def test_a_process_is_recognized_from_within_a_time_namespace(self) -> None:
        """The kernel's own number stays what it is when /proc shifts it."""
        ask = (
            "import sys; from analyzer.recorder.attribute.processes import Processes;"
            "from analyzer.recorder.source_events import KernelProcess;"
            "kernel = KernelProcess(int(sys.argv[1]), int(sys.argv[2]), 0, b'sleep');"
            "print(Processes().look_up(kernel, args=True, cgroup=True).is_there)"
        )
        with running([SLEEP, "1000"]) as pid:
            start_ns = as_kernel_sees(pid).start_boottime_ns
            for options in ([], ["unshare", "-T", "--boottime", "86400"]):
                told = subprocess.run(
                    [*options, sys.executable, "-c", ask, str(start_ns), str(pid)],
                    check=True,
                    capture_output=True,
                    timeout=DEADLINE_S,
                )
                assert told.stdout == b"True\n"


class TestGoing:
    def test_a_vanished_caller_keeps_name_arguments_and_ancestors(self) -> None:
        """The kernel's snapshot alone names a process that exited right after its call."""
        with running([SLEEP, "1000"]) as pid:
            kernel = as_kernel_sees(pid)
        snapshot = snapshot_of(kernel, b"curl\0-s\0", ancestors=(as_kernel_sees(os.getpid()),))
        caller = Attributor().attribute(snapshot)
        assert process_of(caller).name == "sleep"
        assert process_of(caller).args == ("curl", "-s")
        assert process_of(caller).executable is None
        assert caller.container is None
        assert caller.ancestors[0].executable == os.path.realpath(sys.executable)

    def test_a_zombie_keeps_what_the_kernel_saw(self) -> None:
        """A zombie has no executable and no arguments any more, but a number and a start."""
        with subprocess.Popen([SLEEP, "0"]) as process:
            state = Path(f"/proc/{process.pid}/stat")
            wait_until(lambda: b") Z " in state.read_bytes())
            kernel = as_kernel_sees(process.pid)
            seen = Processes().look_up(kernel, args=True, cgroup=True)
            caller = Attributor().attribute(snapshot_of(kernel, b"sleep\0" + b"0\0"))
        assert seen.is_there
        assert seen.executable is None
        assert process_of(caller).args == ("sleep", "0")

    def test_looking_while_processes_exit_never_raises(self) -> None:
        """Whatever moment a process goes at, it is named, and its facts are its own or none."""
        processes = Processes()
        shown = set()
        for _ in range(60):
            with subprocess.Popen([SLEEP, "0.002"]) as process:
                kernel = as_kernel_sees(process.pid)._replace(comm=b"sleep")
                while True:
                    seen = processes.look_up(kernel, args=True, cgroup=True)
                    shown.add(seen.executable)
                    if process.poll() is not None:
                        break
            assert not processes.look_up(kernel, args=True, cgroup=True).is_there
        assert os.path.realpath(SLEEP) in shown
        assert shown <= {None, os.path.realpath(SLEEP)}

    def test_a_caller_seen_alive_stays_known_after_its_end(self) -> None:
        """When its time in the cache is over and it is gone, nothing already known is lost."""
        clock = Clock()
        attributor = Attributor(clock)
        with running([SLEEP, "1000"]) as pid:
            kernel = as_kernel_sees(pid)
            snapshot = snapshot_of(kernel, b"sleep\0", ancestors=(kernel,))
            alive = attributor.attribute(snapshot)
        assert process_of(alive).executable is not None
        clock.now_s += KEEP_S + 1
        assert attributor.attribute(snapshot) is alive
        # Another caller below the same ancestor is described anew, the ancestor is not.
        other = snapshot._replace(process=KernelProcess(1, NO_PID, 0, b"curl"))
        assert attributor.attribute(other).ancestors == alive.ancestors

    def test_a_kernel_thread_has_a_name_only(self) -> None:
        """It has no executable, no arguments and no memory to read any from."""
        thread = Path("/proc/2/comm")
        if not thread.exists() or thread.read_bytes() != b"kthreadd\n":
            pytest.skip("kernel threads are not visible in this pid namespace")
        process = ancestor_in_words(2)
        assert process.name == "kthreadd"
        assert process.executable is None
        assert process.args is None

    @as_root
    def test_a_process_we_may_not_look_into_is_not_guessed_at(self, tmp_path: Path) -> None:
        """Its first argument is not taken for its executable, as it may be a lie."""
        ask = tmp_path / "ask.py"
        ask.write_text(
            "import os, sys\n"
            "from analyzer.recorder.attribute.processes import Processes\n"
            "from analyzer.recorder.source_events import KernelProcess\n"
            "import psutil\n"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "pid = int(sys.argv[2])\n"
            "kernel = KernelProcess(int(sys.argv[1]), pid, 0, b'sleep')\n"
            "seen = Processes().look_up(kernel, args=True, cgroup=True)\n"
            "print(seen.is_there, seen.executable, psutil.Process(pid).exe())\n"
        )
        lie = os.path.realpath(sys.executable)
        with running([lie, "1000"], executable=SLEEP) as pid:
            start_ns = as_kernel_sees(pid).start_boottime_ns
            told = subprocess.run(
                [sys.executable, str(ask), str(start_ns), str(pid)],
                check=True,
                capture_output=True,
                timeout=DEADLINE_S,
                text=True,
            )
        assert told.stdout == f"True None {lie}\n"


class TestNames:
    @pytest.mark.parametrize(
        ("comm", "name"),
        [
            (b"new\nline", "new\nline"),
            (b"back\\slash\\n", "back\\slash\\n"),
            (b") Z 1 (x", ") Z 1 (x"),
            (b"\xff\xfe caf\xc3\xa9", "\\xff\\xfe café"),
            (b" ", " "),
        ],
    )
    def test_a_hostile_name_is_told_and_does_not_hide_the_program(
        self, comm: bytes, name: str
    ) -> None:
        """Any byte may stand in a name, also those that look like the end of it."""
        with named(comm) as pid:
            assert as_kernel_sees(pid).comm == comm
            process = ancestor_in_words(pid)
        assert process.name == name
        assert process.executable == os.path.realpath(sys.executable)

    @pytest.mark.parametrize(
        ("args", "name"),
        [
            ([b"/opt/bin/amazon-ssm-agent-worker", b"x"], "amazon-ssm-agent-worker"),
            ([b"/usr/bin/python3", b"/srv/amazon-ssm-agent.py"], "amazon-ssm-agent.py"),
            ([b"python3", b"-u", b"amazon-ssm-agent.py"], "amazon-ssm-agent.py"),
            ([b"a", b"b", b"c", b"amazon-ssm-agent.py"], "amazon-ssm-agen"),
            ([b"/opt/other"], "amazon-ssm-agen"),
            ([b"amazon-ssm-agen" + b"t" * 300], "amazon-ssm-agen"),
            ([], "amazon-ssm-agen"),
        ],
    )
    def test_a_name_that_the_kernel_cut_is_completed(self, args: list[bytes], name: str) -> None:
        """The program's or script's file name completes it where it begins like it."""
        kernel = KernelProcess(1, NO_PID, 0, b"amazon-ssm-agen")
        process = in_words(kernel, args, args_truncated=False, executable=None, user=User(0, None))
        assert process.name == name

    def test_a_short_name_is_left_as_it_is(self) -> None:
        """Below fifteen bytes nothing was cut."""
        kernel = KernelProcess(1, NO_PID, 0, b"python")
        process = in_words(
            kernel, [b"python3.11"], args_truncated=False, executable=None, user=User(0, None)
        )
        assert process.name == "python"


class TestExecutables:
    def test_a_deleted_executable_is_told_without_the_kernels_mark(self, tmp_path: Path) -> None:
        """After an upgrade the file is gone while the program runs on."""
        program = tmp_path / "agent"
        shutil.copy(SLEEP, program)
        with running([str(program), "1000"]) as pid:
            program.unlink()
            assert str(Path(f"/proc/{pid}/exe").readlink()).endswith(" (deleted)")
            assert ancestor_in_words(pid).executable == str(program)

    def test_a_file_that_is_called_deleted_is_told_as_it_is(self, tmp_path: Path) -> None:
        """The kernel's mark is a file's name to whoever makes one."""
        program = tmp_path / "sleep (deleted)"
        shutil.copy(SLEEP, program)
        with running(["sleep", "1000"], executable=str(program)) as pid:
            assert ancestor_in_words(pid).executable == str(program)

    def test_a_path_that_is_not_utf8_is_escaped(self, tmp_path: Path) -> None:
        """Executables may have any name the file system takes."""
        program = os.path.join(os.fsencode(tmp_path), b"odd\xff\nname")  # noqa: PTH118 -- bytes
        shutil.copy(os.fsencode(SLEEP), program)
        with running([program, b"1000"]) as pid:
            executable = ancestor_in_words(pid).executable
        assert executable == f"{tmp_path}/odd\\xff\nname"

    def test_a_program_without_a_file_is_told_by_its_memfd(self) -> None:
        """What runs from memory is named as the kernel names it."""
        fd = os.memfd_create("stage2", 0)
        os.write(fd, Path(SLEEP).read_bytes())
        try:
            with running(["kworker", "1000"], executable=f"/proc/self/fd/{fd}", fds=[fd]) as pid:
                assert ancestor_in_words(pid).executable == "/memfd:stage2"
        finally:
            os.close(fd)


class TestArguments:
    @pytest.mark.parametrize(
        ("raw", "args"),
        [
            (b"curl\0-s\0", (b"curl", b"-s")),
            (b"curl\0\0-s\0", (b"curl", b"", b"-s")),
            (b"curl\0-s\0http://x/lat", (b"curl", b"-s", b"http://x/lat")),
            (b"nginx: worker process\0\0\0\0\0", (b"nginx: worker process",)),
            (b"no end", (b"no end",)),
            (b"\0\0", ()),
            (b"", ()),
        ],
    )
    def test_an_argument_vector_is_split_as_it_lies_in_memory(
        self, raw: bytes, args: tuple[bytes, ...]
    ) -> None:
        """A cut one ends within an argument, a rewritten one with padding."""
        assert split_args(raw) == args

    def test_bytes_that_are_no_text_are_escaped(self) -> None:
        """The kernel's arguments and those from /proc come out alike."""
        args = [SLEEP.encode(), b"1000", b"\xff\n\"'", "käse\u2028".encode()]
        with subprocess.Popen(
            [sys.executable.encode(), b"-c", b"input()", *args], stdin=subprocess.PIPE
        ) as process:
            pid = process.pid
            cmdline = Path(f"/proc/{pid}/cmdline")
            wait_until(lambda: cmdline.read_bytes().endswith(args[-1] + b"\0"))
            raw = cmdline.read_bytes()
            from_proc = ancestor_in_words(pid)
            caller = Attributor().attribute(snapshot_of(as_kernel_sees(pid), raw))
        assert process_of(caller).args == from_proc.args
        assert from_proc.args is not None
        assert from_proc.args[-2:] == ("\\xff\n\"'", "käse\u2028")

    def test_arguments_cut_by_the_kernel_are_completed_from_proc(self) -> None:
        """A living caller's long command line is told whole."""
        long = "x" * 1500
        with running([sys.executable, "-c", "import time; time.sleep(1000)", long, "end"]) as pid:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()[:1024]
            kernel = as_kernel_sees(pid)
            whole = Attributor().attribute(snapshot_of(kernel, raw, args_truncated=True))
            another = b"curl" + raw[4:]
            kept = Attributor().attribute(snapshot_of(kernel, another, args_truncated=True))
        completed, cut = process_of(whole), process_of(kept)
        assert completed.args is not None
        assert completed.args[-2:] == (long, "end")
        assert not completed.args_truncated
        # What /proc says now does not continue what was seen then: the process has changed it.
        assert cut.args_truncated
        assert cut.args is not None
        assert cut.args[0].startswith("curl")
        assert "end" not in cut.args

    def test_arguments_the_kernel_could_not_read_come_from_proc(self) -> None:
        """An argument page that was not resident leaves the snapshot's arguments empty."""
        with running([SLEEP, "1000"]) as pid:
            caller = Attributor().attribute(snapshot_of(as_kernel_sees(pid), b""))
        assert process_of(caller).args == (SLEEP, "1000")

    def test_long_arguments_are_cut_and_flagged(self) -> None:
        """One process cannot fill the log with its command line."""
        kernel = KernelProcess(1, NO_PID, 0, b"java")
        for args in ([b"java", b"x" * 5000, b"y"], [b"java", *[b"z"] * 5000], [b""] * 5000):
            process = in_words(
                kernel, args, args_truncated=False, executable=None, user=User(0, None)
            )
            assert process.args_truncated
            assert sum(map(len, process.args or ())) <= ARGS_KEPT_MAX
            assert len(process.args or ()) <= ARGS_KEPT_MAX

    def test_an_enormous_argument_vector_is_not_read(self) -> None:
        """The limit of the system is megabytes; masking those would stop the line."""
        script = "import time; time.sleep(1000)"
        with running([sys.executable, "-c", script, "x" * (ARGS_READ_MAX + 1)]) as pid:
            process = ancestor_in_words(pid)
        assert process.args is None
        assert process.args_truncated
        assert process.executable == os.path.realpath(sys.executable)


class TestSecrets:
    HEADER = f"X-aws-ec2-metadata-token: {TOKEN}"

    def test_tokens_in_arguments_are_masked(self) -> None:
        """In the kernel's arguments and in those from /proc."""
        args = [sys.executable, "-c", "import time; time.sleep(1000)", "-H", self.HEADER]
        with running(args) as pid:
            kernel = as_kernel_sees(pid)
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
            snapshot = snapshot_of(kernel, raw, ancestors=(kernel,))
            caller = Attributor().attribute(snapshot)
        for process in (process_of(caller), caller.ancestors[0]):
            assert process.args == (*args[:4], "X-aws-ec2-metadata-token: [redacted]")
        assert TOKEN not in repr(caller)

    def test_a_token_that_the_kernel_cut_is_masked(self) -> None:
        """Wherever the limit of what is copied falls."""
        raw = f"curl\0-H\0{self.HEADER}\0".encode()
        for end in range(len(raw)):
            snapshot = snapshot_of(
                KernelProcess(end + 1, NO_PID, 0, b"curl"), raw[:end], args_truncated=True
            )
            assert TOKEN[:4] not in repr(Attributor().attribute(snapshot))

    def test_nothing_that_stays_in_memory_holds_a_token(self) -> None:
        """Of the raw arguments only a hash is remembered."""
        attributor = Attributor()
        snapshot = snapshot_of(
            KernelProcess(1, NO_PID, 0, b"curl"), f"curl\0-H\0{self.HEADER}\0".encode()
        )
        caller = attributor.attribute(snapshot)
        reached: dict[int, object] = {}
        waiting: list[object] = [attributor]
        while waiting:
            each = waiting.pop()
            # Classes and modules lead to the whole interpreter, this test's constants included.
            if id(each) in reached or isinstance(each, (type, type(sys), type(wait_until))):
                continue
            reached[id(each)] = each
            waiting.extend(gc.get_referents(each))
        assert id(caller) in reached  # the walk does come to where callers are kept
        texts = [each for each in reached.values() if isinstance(each, (str, bytes))]
        for text in texts:
            assert TOKEN not in (text if isinstance(text, str) else text.decode("latin-1"))

    def test_a_token_is_no_name(self) -> None:
        """A name is not completed by an argument that had to be masked."""
        kernel = KernelProcess(1, NO_PID, 0, TOKEN.encode()[:15])
        process = in_words(
            kernel, [TOKEN.encode()], args_truncated=False, executable=None, user=User(0, None)
        )
        assert TOKEN not in repr(process)


class TestRemembering:
    def test_equal_snapshots_give_the_same_caller(self) -> None:
        """A busy caller is looked up once."""
        attributor = Attributor()
        snapshot = snapshot_of(as_kernel_sees(os.getpid()), b"pytest\0")
        first = attributor.attribute(snapshot)
        again = snapshot._replace(process=KernelProcess(*kernel_of(snapshot)))
        assert attributor.attribute(again) is first

    @pytest.mark.parametrize(
        "change",
        [
            {"args": b"python\0other\0"},
            {"args_truncated": True},
            {"cgroup_id": 77},
            {"process": KernelProcess(5, NO_PID, 1, b"python")},
            {"process": KernelProcess(5, NO_PID, 0, b"curl")},
            {"ancestors": (KernelProcess(1, 1, 0, b"init"),)},
            {"ancestors_truncated": True},
        ],
    )
    def test_a_caller_that_changed_is_described_anew(self, change: dict[str, object]) -> None:
        """After exec, setuid or a new parent the same number is told as what it is now."""
        attributor = Attributor()
        before = Snapshot(KernelProcess(5, NO_PID, 0, b"python"), 76, b"python\0", False, (), False)
        first = attributor.attribute(before)
        after: Snapshot = before._replace(**change)  # type: ignore[arg-type] # one field each
        second = attributor.attribute(after)
        assert second is not first
        assert process_of(second).name == kernel_of(after).comm.decode()
        assert process_of(second).user.id == kernel_of(after).uid
        assert len(second.ancestors) == len(after.ancestors)

    def test_a_cache_is_bounded_in_number_and_age(self) -> None:
        """The least used entry goes first, and an old one is there only for who asks for it."""
        cache: Cache[str, int] = Cache(entries=2, keep_s=10)
        cache.put("a", 1, now=0)
        cache.put("b", 2, now=0)
        assert cache.get("a", now=1) == 1
        cache.put("c", 3, now=1)
        assert cache.get("b", now=1) is None
        assert cache.maybe_old("b") is None
        assert len(cache) == 2
        assert cache.get("a", now=10) is None
        assert cache.maybe_old("a") == 1
        cache.put("a", 4, now=10, keep_s=1)
        assert cache.get("a", now=10.5) == 4
        assert cache.get("a", now=11) is None


def _in_words(args: tuple[bytes, ...], **changes: Any) -> NamedProcess:
    kernel = KernelProcess(1_000, 4242, 0, changes.pop("comm", b"python3"))
    known: dict[str, Any] = {"args_truncated": False, "executable": None, "user": User(0, None)}
    return in_words(kernel, args, **{**known, **changes})


def test_a_secret_is_masked_before_its_end_is_cut() -> None:
    """Where the kept arguments end, a password of a URL loses the @ that tells it for one."""
    password = b"Tr0ub4dor3" * 30
    filler = b"x" * (ARGS_KEPT_MAX - 100)
    process = _in_words((b"git", filler, b"https://bob:" + password + b"@host/"))
    assert process.args is not None
    assert "Tr0ub4" not in "".join(process.args)
    assert "https://bob:[redacted]" in process.args[2]


def test_what_the_kernel_cut_is_masked_as_far_as_it_goes() -> None:
    """Here the value of a password ends with the copy."""
    process = _in_words((b"x", b"https://bob:Tr0ub4dor3"), args_truncated=True)
    assert process.args == ("x", "https://[redacted]")
    assert process.args_truncated


def test_names_and_executables_are_masked() -> None:
    """Any process may take a token for its name, or lie in a directory that is named so."""
    process = _in_words((), comm=TOKEN[:15].encode(), executable=f"/srv/{TOKEN}/run")
    assert TOKEN[:8] not in process.name
    assert process.executable is not None
    assert process.executable.startswith("/srv/[redacted]")
    assert TOKEN[:8] not in process.executable


def test_of_arguments_names_alone_can_be_kept() -> None:
    """The program, its script, and the names of options."""
    args = (b"python3", b"/srv/x.py", b"--to=bob", b"value")
    assert only_names(_in_words(args)).args == ("python3", "/srv/x.py", "--to")


def test_a_reload_changes_what_is_kept_of_arguments_at_once() -> None:
    """Also of callers that were described before."""
    process = KernelProcess(1_000, NO_PID, 1001, b"python3")
    snapshot = Snapshot(process, 77, b"python3\0worker.py\0value\0", False, (), False)
    attributor = Attributor()
    whole = process_of(attributor.attribute(snapshot))
    attributor.set_names_only(True)
    short = process_of(attributor.attribute(snapshot))
    assert (whole.args, short.args) == (("python3", "worker.py", "value"), ("python3", "worker.py"))
