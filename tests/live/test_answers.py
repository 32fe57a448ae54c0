"""What IMDS answered is in the record, however it is received; its body never is."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

from analyzer.imds import IMDS_IPV4
from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from analyzer.lab.service import MetadataOptions
from tests.live.watch import DEADLINE_S, Line, Watch, eventually, new_marker

pytestmark = pytest.mark.usefixtures("unanswered")

RECVFROM = {"x86_64": "45", "aarch64": "207"}[platform.machine()]
CREDENTIALS = "/latest/meta-data/iam/security-credentials/"
Receive = Callable[[socket.socket], bytes]


def _one_byte_at_a_time(client: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        received += client.recv(1)
    return received


def _readv(client: socket.socket) -> bytes:
    empty, head, rest = bytearray(), bytearray(20), bytearray(4000)
    count = os.readv(client.fileno(), [empty, head, rest])
    return bytes(head + rest)[:count]


def _peeked_first(client: socket.socket) -> bytes:
    client.recv(5, socket.MSG_PEEK)
    client.recv(40, socket.MSG_PEEK)
    return client.recv(4096)


def _small_steps(client: socket.socket) -> bytes:
    return client.recv(3) + client.recv(6) + client.recv(4096)


RECEIVES: dict[str, Receive] = {
    "recv": lambda client: client.recv(4096),
    "read": lambda client: os.read(client.fileno(), 4096),
    "recvmsg": lambda client: client.recvmsg(4096)[0],
    "readv": _readv,
    "one byte at a time": _one_byte_at_a_time,
    "in small steps": _small_steps,
    "peeked first": _peeked_first,
}


def _request(path: str, *, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


@pytest.mark.parametrize("receive", RECEIVES.values(), ids=RECEIVES.keys())
def test_the_status_is_read_however_it_is_received(watch: Watch, receive: Receive) -> None:
    """Two requests on one connection each get their own status."""
    marker = new_marker()
    with watch.connect() as client:
        # With a time-out Python makes the descriptor non-blocking, also for read(2).
        client.setblocking(True)
        client.sendall(_request(f"/latest/meta-data/{marker}"))
        assert receive(client).startswith(b"HTTP/1.1 404")
        # What is left of the answer is not the beginning of the next one.
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.recv(4096)
        client.setblocking(True)
        client.sendall(_request(f"/latest/meta-data/instance-id?{marker}"))
        assert receive(client).startswith(b"HTTP/1.1 200")
    watch.settled(marker)
    first = watch.one(marker)
    (second,) = [
        line for line in watch.lines("imds_request") if line.get("url", {}).get("query") == marker
    ]
    assert first["http"]["response"]["status_code"] == 404
    assert first["imds"]["outcome"] == "not_found"
    assert second["http"]["response"]["status_code"] == 200
    assert second["imds"]["outcome"] == "success"


def _splice(client: socket.socket) -> None:
    reader, writer = os.pipe()
    try:
        assert os.splice(client.fileno(), writer, 65536) > 0
    finally:
        os.close(reader)
        os.close(writer)


class _Segment(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_size", ctypes.c_uint),
        ("segments", ctypes.POINTER(_Segment)),
        ("count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_size", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("received", ctypes.c_uint),
    )


def _recvmmsg(client: socket.socket) -> None:
    buffer = ctypes.create_string_buffer(4096)
    segment = _Segment(ctypes.addressof(buffer), len(buffer))
    message = _Message(segments=ctypes.pointer(segment), count=1)
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.recvmmsg(client.fileno(), ctypes.byref(message), 1, 0, None) == 1
    assert buffer.raw.startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize("receive", [_splice, _recvmmsg])
def test_a_status_that_is_not_seen_is_left_out(
    watch: Watch, receive: Callable[[socket.socket], None]
) -> None:
    """Not every probe sees every way to receive; none takes it for the answer before."""
    marker = new_marker()
    with watch.connect() as client:
        client.setblocking(True)
        client.sendall(_request(f"/latest/meta-data/instance-id?{marker}"))
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
        client.sendall(_request(f"/latest/meta-data/{marker}"))
        receive(client)
        client.sendall(_request(f"/latest/meta-data/ami-id?{marker}"))
        while b"HTTP/1.1 200" not in client.recv(4096):
            pass
    line = watch.one(marker)
    seen = line["imds"].get("outcome"), line["http"].get("response")
    assert seen in ((None, None), ("not_found", {"status_code": 404}))
    others = [
        line for line in watch.lines("imds_request") if line.get("url", {}).get("query") == marker
    ]
    assert [line["http"]["response"]["status_code"] for line in others] == [200, 200]


def _is_receiving(thread: threading.Thread) -> bool:
    """Whether a thread of ours waits inside recvfrom."""
    task = Path(f"/proc/self/task/{thread.native_id}")
    state = (task / "stat").read_text().rsplit(")", 1)[1].split()[0]
    return state == "S" and (task / "syscall").read_text().split()[0] == RECVFROM


def test_a_thread_that_receives_before_the_request_is_sent(watch: Watch) -> None:
    """Each answer is told to its own request, as where one thread reads and others write."""
    marker = new_marker()
    paths = [f"/latest/meta-data/{name}?{marker}" for name in ("none", "instance-id", "ami-id")]
    answers: queue.Queue[bytes] = queue.Queue()
    with watch.connect() as client:
        client.settimeout(None)

        def receive() -> None:
            for answer in iter(lambda: client.recv(4096), b""):
                answers.put(answer)

        thread = threading.Thread(target=receive)
        thread.start()
        try:
            for path in paths:
                eventually("the thread receives", lambda: _is_receiving(thread))
                client.sendall(_request(path))
                assert answers.get(timeout=DEADLINE_S).startswith(b"HTTP/1.1 ")
        finally:
            client.shutdown(socket.SHUT_RDWR)
            thread.join(DEADLINE_S)
    watch.settled("nothing")
    found = [
        line for line in watch.lines("imds_request") if line.get("url", {}).get("query") == marker
    ]
    assert [line["http"]["response"]["status_code"] for line in found] == [404, 200, 200]


def test_no_body_is_written(watch: Watch) -> None:
    """The credentials that IMDS handed out are nowhere in the log."""
    with watch.connect() as client:
        client.sendall(_request(CREDENTIALS))
        role = client.recv(4096).rsplit(b"\r\n\r\n", 1)[1].decode().split()[0]
        client.sendall(_request(CREDENTIALS + role))
        body = client.recv(8192).rsplit(b"\r\n\r\n", 1)[1].decode()
    watch.settled("nothing")
    secret = body.split('"SecretAccessKey"')[1].split('"')[1]
    assert len(secret) > 10
    assert secret not in watch.log.read_text()


@contextlib.contextmanager
def _silent() -> Iterator[socket.socket]:
    """Yield a client whose server takes the connection and says nothing."""
    with LabNamespace() as alone, alone.socket() as server, alone.socket() as client:
        server.bind((IMDS_IPV4, 80))
        server.listen()
        client.connect(server.getsockname())
        taken, _ = server.accept()
        with taken:
            yield client


@pytest.fixture(scope="module")
def unanswered(watch: Watch) -> Iterator[str]:
    """Return the marker of a request that nobody answers.

    It is sent before the first test of this module: the wait for an answer takes seconds.
    """
    marker = new_marker()
    assert watch.ready.exists()
    with _silent() as client:
        client.sendall(_request(f"/latest/{marker}"))
        yield marker
    # Its line is none of the tests' that follow.
    eventually("it is written", lambda: watch.requests(marker))


def test_the_end_of_the_connection_ends_the_wait(watch: Watch) -> None:
    """A client that hangs up has had no response."""
    marker = new_marker()
    with _silent() as client:
        client.sendall(_request(f"/latest/{marker}"))
        # A reset, so that the end does not wait for the other side.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        assert watch.one(marker)["imds"]["outcome"] == "no_response"


FALLS_BACK = """
import http.client, sys
def ask(method, path, headers, wait_s):
    connection = http.client.HTTPConnection("169.254.169.254", timeout=wait_s)
    try:
        connection.request(method, path, headers=headers)
        return connection.getresponse().read()
    except OSError:
        return None
    finally:
        connection.close()
ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
assert ask("PUT", "/latest/api/token", ttl, float(sys.argv[2])) is None
ask("GET", "/latest/meta-data/" + sys.argv[1], {}, 60)
"""


def _fallback(watch: Watch, options: MetadataOptions, program: str, *arguments: str) -> Line:
    marker = new_marker()
    with LabNamespace() as alone, ImdsProcess(alone, options):
        subprocess.run(
            alone.command([sys.executable, "-c", program, marker, *arguments]),
            check=True,
            timeout=DEADLINE_S + 30,
        )
        return watch.one(marker)


def test_a_dropped_token_request_and_then_v1_is_a_fallback(watch: Watch) -> None:
    """The hop limit's signature is named as the reason."""
    line = _fallback(watch, MetadataOptions(drop_tokens=True), FALLS_BACK, "0.5")
    assert line["imds"]["version"] == "v1"
    assert line["imds"]["reason"] == "fallback_after_token_failure"
    assert line["imds"]["token_request"] == {"outcome": "no_response"}


def test_v1_after_enforcement_is_rejected(watch: Watch) -> None:
    """These are the callers that break."""
    marker = new_marker()
    with LabNamespace() as alone, ImdsProcess(alone, MetadataOptions(require_tokens=True)):
        alone.run(["curl", "-sS", f"http://{IMDS_IPV4}/latest/meta-data/{marker}"])
        line = watch.one(marker)
    assert line["imds"]["version"] == "v1"
    assert line["imds"]["outcome"] == "rejected"
    assert line["http"]["response"]["status_code"] == 401


def test_no_answer_within_the_wait_is_no_response(watch: Watch, unanswered: str) -> None:
    """The record is written although the connection stays open."""
    (line,) = eventually("it is written", lambda: watch.requests(unanswered), DEADLINE_S + 10)
    assert line["imds"]["outcome"] == "no_response"
    assert "response" not in line["http"]
