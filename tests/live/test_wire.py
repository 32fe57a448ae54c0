"""Every way of handing bytes to the kernel gives the same record."""

from __future__ import annotations

import os
import socket
import threading
from typing import Callable

import pytest

from analyzer.imds import IMDS_IPV4, IMDS_IPV6
from analyzer.lab.namespace import LabNamespace
from tests.live.watch import Watch, new_marker

TOKEN = "AQAEANxVDmHAxbXMGsSdu0pvtFbWNpTXRpWM8wcyJ7yRUc3zQeJ8aQ=="
Send = Callable[[socket.socket, bytes], object]


def _one_byte_at_a_time(client: socket.socket, data: bytes) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in data:
        client.sendall(bytes([byte]))


def _corked(client: socket.socket, data: bytes) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    for at in range(0, len(data), 7):
        client.sendall(data[at : at + 7])
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)


def _in_pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def _from_a_thread(client: socket.socket, data: bytes) -> None:
    thread = threading.Thread(target=client.sendall, args=(data,))
    thread.start()
    thread.join()


SENDS: dict[str, Send] = {
    "send": lambda client, data: client.sendall(data),
    "write": lambda client, data: os.write(client.fileno(), data),
    "writev": lambda client, data: os.writev(client.fileno(), _in_pieces(data, 9)),
    "writev with empty segments": lambda client, data: os.writev(
        client.fileno(), [b"", data[:5], b"", b"", data[5:], b""]
    ),
    "sendmsg": lambda client, data: client.sendmsg([data]),
    "sendmsg of two segments": lambda client, data: client.sendmsg([data[:11], data[11:]]),
    "sendmsg of 100 segments": lambda client, data: client.sendmsg(
        _in_pieces(data, len(data) // 100 + 1)
    ),
    "one byte at a time": _one_byte_at_a_time,
    "corked": _corked,
    "from a thread": _from_a_thread,
}


def _get(marker: str, *fields: str) -> bytes:
    head = [f"GET /latest/meta-data/{marker}?q=1 HTTP/1.1", "Host: 169.254.169.254", *fields]
    return "\r\n".join([*head, "", ""]).encode()


def _answered(client: socket.socket) -> bytes:
    """Wait for the answer, so that the request has been taken whole."""
    return client.recv(4096)


@pytest.mark.parametrize("send", SENDS.values(), ids=SENDS.keys())
def test_v1_is_recorded_once_whatever_the_system_call(watch: Watch, send: Send) -> None:
    """A GET without a token is v1 and one record."""
    marker = new_marker()
    with watch.connect() as client:
        send(client, _get(marker))
        assert _answered(client).startswith(b"HTTP/1.1 404")
    line = watch.one(marker)
    assert line["imds"]["version"] == "v1"
    assert line["imds"]["reason"] == "no_token_header"
    assert line["level"] == "warning"
    assert line["http"]["request"]["method"] == "GET"
    assert line["url"] == {"path": f"/latest/meta-data/{marker}", "query": "q=1"}
    assert line["observer"]["probe"] == watch.probe


@pytest.mark.parametrize("send", SENDS.values(), ids=SENDS.keys())
def test_v2_is_recorded_once_and_its_token_nowhere(watch: Watch, send: Send) -> None:
    """A GET with a token is v2; the token is not in the log."""
    marker = new_marker()
    with watch.connect() as client:
        send(client, _get(marker, f"x-AWS-ec2-metadata-token: {TOKEN}"))
        assert _answered(client).startswith(b"HTTP/1.1 401")
    line = watch.one(marker)
    assert line["imds"]["version"] == "v2"
    assert line["imds"]["reason"] == "token_header"
    assert line["level"] == "info"
    assert TOKEN not in watch.log.read_text()


@pytest.mark.parametrize("address", [IMDS_IPV4, IMDS_IPV6, f"::ffff:{IMDS_IPV4}"])
def test_every_form_of_the_address_is_seen(watch: Watch, address: str) -> None:
    """IPv6 is recorded as such, an IPv4-mapped address as the IPv4 one it is."""
    if address == IMDS_IPV6 and watch.namespace.ipv6_problem:
        pytest.skip(watch.namespace.ipv6_problem)
    marker = new_marker()
    with watch.connect(address) as client:
        source_port = client.getsockname()[1]
        client.sendall(_get(marker))
        assert _answered(client).startswith(b"HTTP/1.1 404")
    line = watch.one(marker)
    plain = address.replace("::ffff:", "")
    assert line["destination"] == {"ip": plain, "port": 80}
    # On the loopback device of the namespace both ends have the same address.
    assert line["source"] == {"ip": plain, "port": source_port}


def test_other_ports_are_not_ours(watch: Watch) -> None:
    """A service on another port of the same address is not IMDS."""
    marker = new_marker()
    with watch.namespace.socket() as server, watch.namespace.socket() as client:
        server.bind((IMDS_IPV4, 0))
        server.listen()
        client.connect(server.getsockname())
        client.sendall(_get(marker))
        taken, _ = server.accept()
        with taken:
            assert marker.encode() in taken.recv(4096)
    assert watch.settled(marker) == []


def test_keep_alive_and_pipelining_are_judged_request_by_request(watch: Watch) -> None:
    """Requests of one connection each get their own version, in order."""
    marker = new_marker()
    token = f"X-aws-ec2-metadata-token: {TOKEN}"
    with watch.connect() as client:
        client.sendall(_get(f"{marker}/1"))
        _answered(client)
        client.sendall(_get(f"{marker}/2", token))
        _answered(client)
        client.sendall(_get(f"{marker}/3") + _get(f"{marker}/4", token) + _get(f"{marker}/5"))
        _answered(client)
    found = watch.settled(marker)
    assert [line["url"]["path"][-1] for line in found] == ["1", "2", "3", "4", "5"]
    assert [line["imds"]["version"] for line in found] == ["v1", "v2", "v1", "v2", "v1"]


def test_the_token_request_is_v2(watch: Watch) -> None:
    """The PUT that asks for a token is IMDSv2 although it carries none."""
    before = len(watch.requests("/latest/api/token"))
    with watch.connect() as client:
        client.sendall(
            b"PUT /latest/api/token HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
            b"X-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n"
        )
        answer = _answered(client)
    assert answer.startswith(b"HTTP/1.1 200")
    *_, line = watch.settled("/latest/api/token")
    assert len(watch.requests("/latest/api/token")) == before + 1
    assert line["imds"]["version"] == "v2"
    assert line["imds"]["operation"] == "token"
    token = answer.rsplit(b"\r\n\r\n", 1)[1].decode()
    assert len(token) > 40
    assert token not in watch.log.read_text()


def test_a_head_longer_than_the_copy_limit_is_never_v1(watch: Watch) -> None:
    """When the token may stand where nothing was copied, the version is unknown."""
    marker = new_marker()
    with watch.connect() as client:
        client.sendall(
            _get(marker, f"X-Filler: {'x' * 5000}", f"X-aws-ec2-metadata-token: {TOKEN}")
        )
        _answered(client)
        # The connection goes on, and what comes after is judged again.
        client.sendall(_get(f"{marker}/after"))
        _answered(client)
    first, after = watch.settled(marker)
    # The wire tells all of it.
    expected = ("v2", "token_header") if watch.has_wire else ("unknown", "truncated")
    assert (first["imds"]["version"], first["imds"]["reason"]) == expected
    assert first["level"] == ("info" if watch.has_wire else "warning")
    assert after["imds"]["version"] == "v1"


def test_bytes_that_are_not_http_are_unknown(watch: Watch) -> None:
    """Garbage on port 80 is recorded as such."""
    with watch.connect() as client:
        source_port = client.getsockname()[1]
        client.sendall(b"\x16\x03\x01\x02\x00\x01\x00\xff\xfe\r\n\r\n")
    watch.settled("nothing")
    (line,) = [
        line
        for line in watch.lines("imds_request")
        if line.get("source", {}).get("port") == source_port
        and line["imds"]["reason"] == "not_http"
    ]
    assert line["imds"]["version"] == "unknown"


def test_a_path_that_is_not_utf8_is_escaped(watch: Watch) -> None:
    """Bytes above 0x7f that are no UTF-8 do not cost the record."""
    marker = new_marker()
    with watch.connect() as client:
        client.sendall(f"GET /latest/{marker}/".encode() + b"\xff\xc3\xa9 HTTP/1.1\r\n\r\n")
        _answered(client)
    assert watch.one(marker)["url"]["path"] == f"/latest/{marker}/\\xff\u00e9"


def test_bytes_that_the_kernel_did_not_take_are_not_counted_twice(watch: Watch) -> None:
    """A program that repeats what a full socket refused has sent each request once."""
    marker, requests = new_marker(), 301
    waiting = b"".join(_get(f"{marker}/{number}") for number in range(requests))
    size, received, refused = len(waiting), 0, 0
    with LabNamespace() as alone, alone.socket() as server, alone.socket() as client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        server.bind((IMDS_IPV4, 80))
        server.listen()
        client.connect(server.getsockname())
        client.setblocking(False)
        taken, _ = server.accept()
        with taken:
            while waiting:
                try:
                    waiting = waiting[client.send(waiting[:3000]) :]
                except BlockingIOError:
                    refused += 1
                    received += len(taken.recv(1 << 16))
            # What the other end has no room for has not gone out.
            while received < size:
                received += len(taken.recv(1 << 16))
    assert refused > 3
    found = watch.settled(marker)
    assert [line["url"]["path"].rsplit("/", 1)[1] for line in found] == [
        str(number) for number in range(requests)
    ]
    assert {line["imds"]["version"] for line in found} == {"v1"}
