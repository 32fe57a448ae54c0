"""Packets: what a host without a probe sees, in namespaces that the tests make."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analyzer.host.container import maybe_runtime
from analyzer.imds import IMDS_IPV4, IMDS_IPV6
from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from tests.live.test_wire import SENDS, TOKEN, Send
from tests.live.watch import DEADLINE_S, Watch, new_marker

PROBE = "packet/af_packet"
ROOT = Path(__file__).parents[2]
# Connects, asks, and lives until its input ends.
CLIENT = """
import socket, sys
client = socket.create_connection((sys.argv[1], 80))
client.sendall(f"GET /latest/{sys.argv[2]} HTTP/1.1\\r\\n\\r\\n".encode())
client.recv(1)
print("asked", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def watch(
    namespace: LabNamespace, imds: ImdsProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watch]:
    """Return an analyzer that reads packets inside the namespace."""
    assert imds.listening
    watch = Watch(PROBE, namespace, tmp_path_factory.mktemp("packet"))
    watch.prefix = namespace.command([])
    with watch.running(required=True):
        yield watch


def _get(marker: str, *fields: str) -> bytes:
    return "\r\n".join([f"GET /latest/{marker} HTTP/1.1", *fields, "", ""]).encode()


def _ask(client: socket.socket, request: bytes, send: Send = SENDS["send"]) -> None:
    send(client, request)
    assert client.recv(65536).startswith(b"HTTP/1.1")


@pytest.mark.parametrize("address", [IMDS_IPV4, IMDS_IPV6])
def test_a_request_is_recorded_with_its_caller_and_its_answer(watch: Watch, address: str) -> None:
    """With whose the socket is, and that this was looked up."""
    marker = new_marker()
    with watch.connect(address) as client:
        _ask(client, _get(marker, f"X-aws-ec2-metadata-token: {TOKEN}"))
        line = watch.one(marker)
    assert line["imds"]["version"] == "v2"
    assert line["imds"]["attribution"] == "socket"
    assert line["http"]["response"]["status_code"] == 401
    assert line["process"]["pid"] == os.getpid()
    assert line["process"]["executable"] == str(Path(sys.executable).resolve())
    assert line["process"]["ancestors"][0]["pid"] == os.getppid()
    assert line["source"]["ip"] == line["destination"]["ip"] == address
    assert line["observer"]["probe"] == PROBE
    assert "network" not in line


@pytest.mark.parametrize("name", SENDS)
def test_however_it_is_sent_it_is_one_request(watch: Watch, name: str) -> None:
    """Lo shows each packet twice; segments may come in any number."""
    marker = new_marker()
    with watch.connect() as client:
        _ask(client, _get(marker, f"X-aws-ec2-metadata-token: {TOKEN}"), SENDS[name])
    assert watch.one(marker)["imds"]["version"] == "v2"


def test_a_connection_is_used_again_and_again(watch: Watch) -> None:
    """Each request with its own answer."""
    marker = new_marker()
    with watch.connect() as client:
        for index in range(7):
            _ask(client, _get(f"{marker}/{index}"))
    found = watch.settled(marker)
    assert [line["url"]["path"].rpartition("/")[2] for line in found] == list("0123456")
    assert {line["imds"]["outcome"] for line in found} == {"not_found"}


def test_who_is_gone_is_nobody(watch: Watch) -> None:
    """Short-lived callers are named rightly or not at all."""
    markers = [new_marker() for _ in range(15)]
    for marker in markers:
        watch.namespace.run(["curl", "-sS", "-o", "/dev/null", f"http://{IMDS_IPV4}/{marker}"])
    watch.settled(markers[-1])
    for marker in markers:
        (line,) = watch.requests(marker)
        if "process" in line:
            assert line["process"]["name"] == "curl"
            assert line["process"]["args"][-1].endswith(marker)


def test_a_socket_that_several_hold_is_nobodys(watch: Watch, tmp_path: Path) -> None:
    """Which of them has sent cannot be known."""
    marker = new_marker()
    script = (
        "import socket, subprocess, sys\n"
        "client = socket.socket()\n"
        "client.set_inheritable(True)\n"
        "child = subprocess.Popen(['sleep', '1000'], close_fds=False)\n"
        f"client.connect(({IMDS_IPV4!r}, 80))\n"
        f"client.sendall(b'GET /{marker} HTTP/1.1\\r\\n\\r\\n')\n"
        "client.recv(1)\n"
        "print('asked', flush=True)\n"
        "sys.stdin.read()\n"
        "child.kill()\n"
    )
    path = tmp_path / "share.py"
    path.write_text(script)
    with _living(watch, [sys.executable, str(path)]):
        line = watch.one(marker)
    assert "process" not in line
    assert "attribution" not in line["imds"]


@pytest.fixture
def living(watch: Watch) -> Any:
    """Return what keeps a client running."""
    return lambda marker: _living(watch, [sys.executable, "-c", CLIENT, IMDS_IPV4, marker])


class _living:  # noqa: N801 (used as a statement)
    """A program in the namespace, from when it has asked until it is told to end."""

    def __init__(self, watch: Watch, argv: list[str]) -> None:
        self._child = watch.namespace.popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> subprocess.Popen[bytes]:
        assert self._child.stdout is not None
        assert self._child.stdout.readline() == b"asked\n"
        return self._child

    def __exit__(self, *_: object) -> None:
        self._child.communicate(timeout=DEADLINE_S)


def test_callers_that_live_are_all_named(watch: Watch, living: Any) -> None:
    """Each with its own process, its user and its parent.

    One after the other: on a slow machine there is no time to look for several at once.
    """
    with contextlib.ExitStack() as alive:
        for _ in range(5):
            marker = new_marker()
            process = alive.enter_context(living(marker))
            line = watch.one(marker)
            assert line["process"]["pid"] == process.pid
            assert line["process"]["user"]["id"] == "0"
            assert marker in line["process"]["args"]


def test_capabilities_are_let_go(watch: Watch) -> None:
    """CAP_NET_RAW opened the sockets, and is not there any more."""
    (started,) = watch.lines("analyzer_started")
    assert "CAP_NET_RAW" not in started["capabilities"]
    assert watch.process is not None
    status = Path(f"/proc/{watch.process.pid}/status").read_text()
    effective = int(status.partition("CapEff:\t")[2].split()[0], 16)
    assert not effective >> 13 & 1


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """Return a directory in which everybody may write."""
    with tempfile.TemporaryDirectory(prefix="imds-analyzer-") as name:
        Path(name).chmod(0o777)
        yield Path(name)


def test_as_a_service_it_names_other_users_callers(open_directory: Path, imds: ImdsProcess) -> None:
    """With the capabilities of packet.conf, of which those for naming stay."""
    watch = Watch(PROBE, imds._namespace, open_directory)
    kept = "+net_raw,+dac_read_search,+sys_ptrace"
    watch.prefix = [
        *watch.namespace.command([]),
        *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"),
        *(f"--inh-caps=-all,{kept}", f"--ambient-caps=-all,{kept}"),
    ]
    marker = new_marker()
    with watch.running(required=True), watch.connect() as client:
        _ask(client, _get(marker))
        line = watch.one(marker)
        (started,) = watch.lines("analyzer_started")
    assert line["process"]["pid"] == os.getpid()
    assert line["process"]["executable"] == str(Path(sys.executable).resolve())
    assert started["capabilities"] == ["CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE"]


def test_without_the_capability_it_says_so(tmp_path: Path, namespace: LabNamespace) -> None:
    """With what to do, and exit code 1."""
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"]
    options = ["--source", "packet", "--log-file", str(tmp_path / "log")]
    done = _ended(namespace, [*command, sys.executable, "-m", "analyzer", "run", *options])
    assert "packet sockets are not permitted" in done.stderr
    # A machine may be made of a container's image, and then gets a container's words.
    assert ("CAP_NET_RAW" if maybe_runtime() is None else "--cap-add NET_RAW") in done.stderr


def test_where_there_is_no_interface_it_says_so(tmp_path: Path, namespace: LabNamespace) -> None:
    """Nothing would ever be seen, and nobody would notice."""
    options = ["--source", "packet", "--log-file", str(tmp_path / "log")]
    command = ["unshare", "--net", sys.executable, "-m", "analyzer", "run", *options]
    assert "no interface but lo" in _ended(namespace, command).stderr


def test_auto_falls_back_to_packets_and_says_so(tmp_path: Path, imds: ImdsProcess) -> None:
    """What may open packet sockets and not load programs: as in a locked-down kernel."""
    watch = Watch("auto/auto", imds._namespace, tmp_path)
    allowed = "-all,+net_raw,+sys_ptrace,+dac_read_search,+dac_override"
    drop = ["setpriv", f"--bounding-set={allowed}", f"--inh-caps={allowed}", "--"]
    watch.prefix = [*watch.namespace.command([]), *drop]
    with watch.running(required=True):
        (started,) = watch.lines("analyzer_started")
    assert started["observer"]["probe"] == PROBE
    tried = {each["probe"] for each in started["tried"]}
    assert {"core/fentry", "core/kprobe", "core/tracepoint", "bcc/kprobe"} <= tried


def test_attaching_is_refused(tmp_path: Path, namespace: LabNamespace) -> None:
    """Packets are read; nothing is attached to anything."""
    options = ["--source", "packet", "--attach", "kprobe", "--log-file", str(tmp_path / "log")]
    done = _ended(namespace, [sys.executable, "-m", "analyzer", "run", *options])
    assert "attaches to nothing" in done.stderr


def test_a_flood_while_it_stands_still_is_counted(tmp_path: Path, imds: ImdsProcess) -> None:
    """The kernel's own count of what the ring had no room for; what comes after is seen.

    Last, because the others' analyzer sees the flood, too.
    """
    assert imds.listening
    watch = Watch(PROBE, imds._namespace, tmp_path)
    watch.prefix = watch.namespace.command([])
    with watch.running("--ring-mib", "1", required=True):
        marker = new_marker()
        watch.flood(marker, sent=12_001)
        (first, *_) = watch.lines("events_lost")
        assert first["reason"] == "packet_ring_full"
        lost = sum(line["count"] for line in watch.lines("events_lost"))
        found = watch.requests(marker)
        whole = [line for line in found if line["imds"]["version"] == "v1"]
        assert lost >= 12_001 - len(whole) > 0
        assert {line["imds"]["version"] for line in found} <= {"v1", "unknown"}
        after = new_marker()
        with watch.connect() as client:
            _ask(client, _get(after))
        assert watch.one(after)["imds"]["version"] == "v1"


def _ended(namespace: LabNamespace, argv: list[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        namespace.command(argv),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 1, done.stderr
    return done
