"""The lab itself: what it makes works, and nothing of it stays behind, whatever ends it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, NamedTuple

import psutil
import pytest

from analyzer.errors import LabError
from analyzer.imds import IMDS_IPV4, IMDS_IPV6
from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from analyzer.lab.network_namespace import HOME, NamespaceId, is_home, maybe_network_namespace
from analyzer.lab.observed_calls import LogTail
from analyzer.lab.server import Answered, open_listener
from analyzer.lab.service import MetadataOptions
from analyzer.logline.events import REQUEST, STARTED, STOPPED
from tests.live.watch import eventually
from tests.schema import parsed

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

DEADLINE_S = 300  # an emulated machine is 30 times slower
INSTANCE = "/latest/meta-data/instance-id"
CURL = ("curl", "-sS", "--globoff", "--max-time", "60", "-w", " %{http_code}")
REPOSITORY = Path(__file__).parents[2]

# Holds a namespace with an emulator and a program in it, tells about them, and waits.
OWNER = """
import json, sys
from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
with LabNamespace() as namespace, ImdsProcess(namespace) as imds:
    program = namespace.popen(["sleep", "600"])
    print(json.dumps([namespace.path, [namespace.pid, imds.pid, program.pid]]), flush=True)
    sys.stdin.read()
"""


class Held(NamedTuple):
    """A namespace with the processes that live in it."""

    namespace: NamespaceId
    pids: tuple[int, ...]


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    eventually(what, is_so, DEADLINE_S)


def processes_in(namespace: NamespaceId) -> list[int]:
    pids = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]
    return [pid for pid in pids if maybe_network_namespace(f"/proc/{pid}/ns/net") == namespace]


def identity(namespace: LabNamespace) -> NamespaceId:
    found = maybe_network_namespace(namespace.path)
    assert found is not None
    assert found != HOME
    return found


# --- the namespace ---------------------------------------------------------------------


@pytest.mark.quiet
def test_the_namespace_is_gone_after_exit() -> None:
    """Leaving the context ends what runs inside, with its children, and the namespace."""
    with LabNamespace() as namespace:
        held = identity(namespace)
        shell = namespace.popen(["sh", "-c", "sleep 600 & sleep 600"])
        wait_until(lambda: len(processes_in(held)) == 4, "holder, shell and its two children")
    wait_until(lambda: not processes_in(held), "the namespace is empty")
    assert shell.returncode == -signal.SIGKILL


@pytest.mark.quiet
def test_the_namespace_is_gone_after_an_exception() -> None:
    """An exception within the context removes the namespace too."""
    kept: list[NamespaceId] = []

    def fail_inside() -> None:
        with LabNamespace() as namespace:
            kept.append(identity(namespace))
            assert processes_in(kept[0]) == [namespace.pid]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()
    wait_until(lambda: not processes_in(kept[0]), "the namespace is empty")


@pytest.mark.quiet
def test_the_namespace_is_gone_after_kill_9() -> None:
    """When its owner is killed, the kernel ends the holder and all that was started inside."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
    )
    assert owner.stdin is not None
    assert owner.stdout is not None
    try:
        path, pids = json.loads(owner.stdout.readline())
        held = maybe_network_namespace(path)
        assert held is not None
        assert held != HOME
        # What was just started may not have entered it yet.
        wait_until(lambda: set(pids) <= set(processes_in(held)), "all are inside")
    finally:
        owner.kill()
        owner.wait()
        owner.stdin.close()
        owner.stdout.close()
    wait_until(lambda: not processes_in(held), "the namespace is empty")


def test_we_stay_where_we_are() -> None:
    """Making a namespace, and a socket in it, leaves this process in the machine's own."""
    with LabNamespace() as namespace:
        held = identity(namespace)
        with namespace.socket() as listener, namespace.socket() as client:
            assert maybe_network_namespace("/proc/thread-self/ns/net") == HOME
            listener.bind((IMDS_IPV4, 0))
            listener.listen()
            client.settimeout(DEADLINE_S)
            client.connect(listener.getsockname())
            assert client.getpeername()[0] == IMDS_IPV4
        assert is_home()
        inside = namespace.run(["stat", "-L", "-c", "%i", "/proc/self/ns/net"]).stdout
        assert int(inside) == held.inode


@pytest.mark.quiet
def test_a_program_that_fails_inside_is_reported() -> None:
    """A failing program becomes a LabError with its exit code and what it said."""
    with LabNamespace() as namespace:
        failing = ["sh", "-c", "echo no luck >&2; exit 7"]
        with pytest.raises(LabError, match="exit code 7: no luck"):
            namespace.run(failing)
        assert namespace.run(failing, check=False).returncode == 7


# --- the emulator in it ----------------------------------------------------------------


def test_curl_gets_answers_on_both_addresses() -> None:
    """Inside the namespace curl speaks v1 and v2 with the emulated IMDS, over IPv4 and IPv6."""
    with LabNamespace() as namespace, ImdsProcess(namespace) as imds:
        hosts = [IMDS_IPV4] + [f"[{IMDS_IPV6}]"] * namespace.ipv6
        for host in hosts:
            url = f"http://{host}"
            assert namespace.run([*CURL, url + INSTANCE]).stdout.startswith("i-")
            ttl = "X-aws-ec2-metadata-token-ttl-seconds: 60"
            token = namespace.run([*CURL, "-X", "PUT", "-H", ttl, url + "/latest/api/token"]).stdout
            assert token.endswith("== 200")
            header = f"X-aws-ec2-metadata-token: {token.split()[0]}"
            assert namespace.run([*CURL, "-H", header, url + INSTANCE]).stdout.endswith(" 200")
        assert [each.address for each in imds.listening] == list(namespace.addresses)
        assert imds.tally() == {
            Answered("GET", INSTANCE, 200, token=False): len(hosts),
            Answered("PUT", "/latest/api/token", 200, token=False): len(hosts),
            Answered("GET", INSTANCE, 200, token=True): len(hosts),
        }


@pytest.mark.quiet
def test_a_kernel_with_ipv6_has_both_addresses() -> None:
    """IPv6 is there unless the kernel lacks it, and then the namespace says why."""
    with LabNamespace() as namespace:
        if Path("/proc/sys/net/ipv6").exists():
            assert namespace.addresses == (IMDS_IPV4, IMDS_IPV6)
            assert namespace.ipv6_problem is None
        else:
            assert namespace.addresses == (IMDS_IPV4,)
            assert namespace.ipv6_problem


def test_options_reach_the_emulator() -> None:
    """The child process follows the options it is given."""
    with LabNamespace() as namespace, ImdsProcess(namespace, MetadataOptions(require_tokens=True)):
        answer = namespace.run([*CURL, f"http://{IMDS_IPV4}{INSTANCE}"]).stdout
        assert answer.endswith(" 401")


@pytest.mark.quiet
def test_a_second_emulator_is_refused_with_the_reason() -> None:
    """What keeps the child from listening is said by the parent."""
    with LabNamespace() as namespace, ImdsProcess(namespace):
        second = ImdsProcess(namespace)
        with pytest.raises(LabError, match="something listens there already"):
            second.__enter__()


@pytest.mark.quiet
def test_the_real_addresses_are_refused_at_home() -> None:
    """Even root cannot have the emulator listen on an IMDS address outside a namespace."""
    for address in (IMDS_IPV4, IMDS_IPV6):
        with pytest.raises(LabError, match="own network namespace"):
            open_listener(address, 80)


@pytest.mark.quiet
def test_a_started_emulator_without_a_home_is_refused() -> None:
    """The child takes the namespace it starts in for the machine's own unless it is told."""
    argv = [sys.executable, "-m", "analyzer.lab.imds", "--listen", IMDS_IPV4, "80"]
    with LabNamespace() as namespace:
        child = namespace.popen(argv, stdout=subprocess.PIPE, cwd=REPOSITORY)
        said = child.communicate(timeout=DEADLINE_S)[0]
    assert child.returncode == 1
    assert "own network namespace" in json.loads(said)["error"]


# --- imds-analyzer lab -----------------------------------------------------------------


class Lab:
    """`imds-analyzer lab` as a child, with all processes it was ever seen to have."""

    def __init__(self, directory: Path, *options: str) -> None:
        """Start it with a directory for temporary files of its own."""
        self._output = directory / "output"
        self.temporary = directory / "temporary"
        self.temporary.mkdir()
        with self._output.open("wb") as output:
            self.process = psutil.Popen(
                [sys.executable, "-m", "analyzer", "lab", *options],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": str(self.temporary)},
                cwd=REPOSITORY,
            )
        self._family: set[psutil.Process] = set()

    @property
    def output(self) -> str:
        return self._output.read_text("utf-8")

    def wait_for(self, words: str) -> None:
        wait_until(
            lambda: words in self.output or self.process.poll() is not None, f"it says {words!r}"
        )
        assert words in self.output, self.output
        self._family |= set(self.process.children(recursive=True))

    def signal(self, number: int) -> int:
        assert self._family
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        return int(self.process.wait(DEADLINE_S))

    def wait_until_nothing_is_left(self) -> None:
        # psutil compares start times: another process with the same pid does not count.
        wait_until(
            lambda: not any(each.is_running() for each in self._family), "no process is left"
        )


@contextmanager
def running_lab(directory: Path, *options: str) -> Iterator[Lab]:
    lab = Lab(directory, *options)
    try:
        yield lab
    finally:
        if lab.process.poll() is None:
            lab.process.kill()
            lab.wait()


@pytest.mark.usefixtures("account_run")  # which goes on beside these tests
@pytest.mark.parametrize("options", [(), ("--require-tokens",)])
def test_the_lab_names_every_program(tmp_path: Path, options: tuple[str, ...]) -> None:
    """The lab ends by itself with 0, prints plain lines, and keeps a log that has no token."""
    log = tmp_path / "kept" / "imds.jsonl"
    with running_lab(tmp_path, "--log-file", str(log), *options) as lab:
        lab.wait_for("addresses")
        assert lab.wait() == 0, lab.output
        lab.wait_until_nothing_is_left()
    assert "\x1b" not in lab.output
    assert "wrong" not in lab.output
    assert re.search(r"v1  curl .* deploy\.sh .*GET /latest/meta-data/placement/region", lab.output)
    assert re.search(r"[0-9] of [0-9] programs used IMDSv1: ", lab.output)
    assert list(lab.temporary.iterdir()) == []
    written = log.read_text("utf-8")
    assert {parsed(line)["event"] for line in written.splitlines()} >= {STARTED, REQUEST, STOPPED}
    # A token begins like this, whoever issued it.
    assert "AQAEA" not in written


def test_the_lab_is_held_open_until_ctrl_c(tmp_path: Path) -> None:
    """With --hold the printed command works from another shell, and Ctrl-C ends all with 0."""
    with running_lab(tmp_path, "--hold") as lab:
        lab.wait_for("nsenter --net=")
        path = re.findall(r"nsenter (--net=/proc/\d+/ns/net)", lab.output)[0]
        held = maybe_network_namespace(path[len("--net=") :])
        assert held not in (None, HOME)
        script = (
            "import socket\n"
            f"s = socket.create_connection(('{IMDS_IPV4}', 80), timeout=60)\n"
            "s.sendall(b'GET /\\x1b[2J[red]\\xff HTTP/1.0\\r\\n\\r\\n'); s.recv(9)"
        )
        subprocess.run(["nsenter", path, sys.executable, "-c", script], check=True)
        lab.wait_for("(not from the lab)")
        assert r"GET /\x1b[2J[red]\xff  (not from the lab)" in lab.output
        assert lab.signal(signal.SIGINT) == 0, lab.output
        lab.wait_until_nothing_is_left()
    assert "\x1b" not in lab.output
    assert held is not None
    wait_until(lambda: not processes_in(held), "the namespace is empty")
    assert list(lab.temporary.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_lab_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C in the middle removes everything, and the exit code tells the signal."""
    with running_lab(tmp_path) as lab:
        lab.wait_for("Attaching")
        assert lab.signal(number) == 128 + number, lab.output
        lab.wait_until_nothing_is_left()
    assert "Everything the lab made is removed" in lab.output
    assert list(lab.temporary.iterdir()) == []


def test_a_killed_lab_leaves_no_process(tmp_path: Path) -> None:
    """After kill -9 neither the namespace nor the emulator nor the analyzer is left."""
    with running_lab(tmp_path, "--hold") as lab:
        lab.wait_for("nsenter --net=")
        path = re.findall(r"--net=(/proc/\d+/ns/net)", lab.output)[0]
        held = maybe_network_namespace(path)
        assert held is not None
        assert held != HOME
        assert lab.signal(signal.SIGKILL) == -signal.SIGKILL
        lab.wait_until_nothing_is_left()
    wait_until(lambda: not processes_in(held), "the namespace is empty")


@pytest.mark.quiet
def test_the_analyzer_s_error_is_the_lab_s(tmp_path: Path) -> None:
    """When the analyzer cannot start, the lab says why, ends with 1 and leaves nothing."""
    with running_lab(tmp_path, "--log-file", "/proc/no/such/place") as lab:
        assert lab.wait() == 1
    assert "the analyzer could not start" in lab.output
    assert "/proc/no/such/place" in lab.output
    assert "Traceback" not in lab.output
    assert list(lab.temporary.iterdir()) == []


@pytest.mark.quiet
def test_a_foreign_log_is_explained(tmp_path: Path) -> None:
    """A file that gets lines which are not the analyzer's is an error that says what to do."""
    log = tmp_path / "log"
    log.write_bytes(b"old line\n")
    tail = LogTail(log)
    with log.open("ab") as more:
        more.write(b'{"event":"heartbeat"}\nnot js')
    assert tail.read() == []
    with log.open("ab") as more:
        more.write(b"on\n")
    with pytest.raises(LabError, match="a log file of its own"):
        tail.read()
