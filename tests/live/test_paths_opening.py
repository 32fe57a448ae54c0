"""Sends that open their connection (TCP Fast Open), and sockets of Multipath TCP."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterator
from typing import Callable

import pytest

from analyzer.host.kernel_symbols import kernel_functions
from analyzer.imds import IMDS_IPV4, IMDS_IPV6
from analyzer.lab.namespace import LabNamespace
from tests.live.conftest import Row
from tests.live.paths.answers import Answers, open_socket, read_answer
from tests.live.paths.records import TOKEN_FIELD, V1, V2, Judged, Log, judged, of, port_of, request
from tests.live.watch import DEADLINE_S, Line, Watch, new_marker

IPPROTO_TCP, IPPROTO_MPTCP = 6, 262
TCP_FASTOPEN, TCP_FASTOPEN_CONNECT, MSG_FASTOPEN = 23, 30, 0x20000000
# struct tcp_info: tcpi_options, and in it that data in the SYN was acknowledged.
TCPI_OPTIONS, TCPI_OPT_SYN_DATA = 5, 32

MAPPED = f"::ffff:{IMDS_IPV4}"
# BCC's headers do not tell what MPTCP's sockets look like inside.
BLIND_FOR_MPTCP = ("bcc/fentry", "bcc/kprobe")


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[LabNamespace]:
    """Return a namespace in which Fast Open and Multipath TCP are on, and nothing listens."""
    with LabNamespace() as namespace:
        namespace.run(["sh", "-c", "echo 3 > /proc/sys/net/ipv4/tcp_fastopen"])
        namespace.run(["sh", "-c", "cd /proc/sys/net/mptcp 2>&- && echo 1 > enabled || true"])
        yield namespace


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _listener(namespace: LabNamespace, address: str, protocol: int) -> socket.socket:
    listener = open_socket(namespace, _family(address), protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, 80))
    return listener


def _sendto(client: socket.socket, address: str, data: bytes) -> None:
    assert client.sendto(data, MSG_FASTOPEN, (address, 80)) == len(data)


def _sendmsg(client: socket.socket, address: str, data: bytes) -> None:
    assert client.sendmsg([data[:9], data[9:]], [], MSG_FASTOPEN, (address, 80)) == len(data)


def _connect_later(client: socket.socket, address: str, data: bytes) -> None:
    client.setsockopt(IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
    client.connect((address, 80))
    client.sendall(data)


def _sendto_without_waiting(client: socket.socket, address: str, data: bytes) -> None:
    """Without a cookie the kernel takes nothing: the program sends it all once connected."""
    client.setblocking(False)
    try:
        sent = client.sendto(data, MSG_FASTOPEN, (address, 80))
    except BlockingIOError:
        sent = 0
    select.select([], [client], [], DEADLINE_S)
    client.setblocking(True)
    client.sendall(data[sent:])


Open = Callable[[socket.socket, str, bytes], None]
OPENINGS: dict[str, Open] = {
    "sendto(MSG_FASTOPEN)": _sendto,
    "sendmsg(MSG_FASTOPEN)": _sendmsg,
    "sendto(MSG_FASTOPEN | MSG_DONTWAIT)": _sendto_without_waiting,
    "TCP_FASTOPEN_CONNECT": _connect_later,
}


def _with_marker(lines: list[Line], marker: str) -> list[Line]:
    return [line for line in lines if marker in line.get("url", {}).get("path", "")]


def _is_in_syn(client: socket.socket) -> bool:
    options = client.getsockopt(IPPROTO_TCP, socket.TCP_INFO, 8)[TCPI_OPTIONS]
    return bool(options & TCPI_OPT_SYN_DATA)


@pytest.mark.parametrize("how", OPENINGS)
def test_fast_open(watch: Watch, elsewhere: LabNamespace, how: str, row: Row) -> None:
    """One record for the send that opens, without a cookie and in the SYN, one for the next."""
    log = Log(watch)
    markers = []
    for listening, address in ((IMDS_IPV4, IMDS_IPV4), (IMDS_IPV6, IMDS_IPV6), (IMDS_IPV4, MAPPED)):
        if ":" in listening and elsewhere.ipv6_problem:
            continue
        elsewhere.run(["ip", "tcp_metrics", "flush"])
        listener = _listener(elsewhere, listening, IPPROTO_TCP)
        listener.setsockopt(IPPROTO_TCP, TCP_FASTOPEN, 5)
        with Answers(listener):
            for has_cookie in (False, True):
                markers.append(new_marker())
                with open_socket(elsewhere, _family(address), IPPROTO_TCP) as client:
                    OPENINGS[how](client, address, request(markers[-1]))
                    read_answer(client)
                    assert _is_in_syn(client) == has_cookie
                    client.sendall(request(markers[-1], TOKEN_FIELD))
                    read_answer(client)
    lines = log.settled()
    found = [[judged(line) for line in _with_marker(lines, marker)] for marker in markers]
    row(how, "v1, v2" if found == [[V1, V2]] * len(markers) else f"WRONG: {found}")
    assert found == [[V1, V2]] * len(markers)
    assert len(lines) == 2 * len(markers)
    assert {line["http"]["response"]["status_code"] for line in lines} == {404}
    for line in lines:
        assert line["destination"]["ip"] in (IMDS_IPV4, IMDS_IPV6)
        assert line["destination"]["port"] == 80


def _judge_mptcp(watch: Watch, log: Log, port: int, row: Row, what: str) -> None:
    found = [judged(line) for line in of(log.settled(), port)]
    expected: list[Judged] = [] if watch.probe in BLIND_FOR_MPTCP else [V1, V2, V1]
    words = "v1, v2" if expected else "not seen"
    row(what, words if found == expected else f"WRONG: {found}")
    assert found == expected


@pytest.mark.parametrize("address", [IMDS_IPV4, IMDS_IPV6, MAPPED])
@pytest.mark.parametrize("server", ["MPTCP", "TCP"])
def test_multipath_tcp(
    watch: Watch, elsewhere: LabNamespace, address: str, server: str, row: Row
) -> None:
    """One record for each request, also where the server speaks plain TCP."""
    what = f"{server} server, MPTCP socket, {address}"
    listening = IMDS_IPV4 if address == MAPPED else address
    try:
        client = open_socket(elsewhere, _family(address), IPPROTO_MPTCP)
    except OSError as error:
        row(what, f"not in this kernel ({error.strerror})")
        assert not _has_mptcp()
        return
    log = Log(watch)
    with (
        client,
        Answers(
            _listener(elsewhere, listening, IPPROTO_MPTCP if server == "MPTCP" else IPPROTO_TCP)
        ),
    ):
        client.connect((address, 80))
        port = port_of(client)
        marker = new_marker()
        client.sendall(request(marker))
        read_answer(client)
        head = request(marker, TOKEN_FIELD)
        client.sendmsg([head[:50], head[50:90]])
        client.sendall(head[90:])
        read_answer(client)
        client.sendall(request(marker))
        read_answer(client)
    _judge_mptcp(watch, log, port, row, what)


def test_fast_open_of_multipath_tcp(watch: Watch, elsewhere: LabNamespace, row: Row) -> None:
    """Where the kernel knows both at once, the send that opens is recorded, too."""
    what = "sendto(MSG_FASTOPEN), MPTCP socket"
    log, marker = Log(watch), new_marker()
    with contextlib.ExitStack() as undo:
        try:
            client = undo.enter_context(open_socket(elsewhere, socket.AF_INET, IPPROTO_MPTCP))
            listener = undo.enter_context(_listener(elsewhere, IMDS_IPV4, IPPROTO_MPTCP))
            listener.setsockopt(IPPROTO_TCP, TCP_FASTOPEN, 5)
            undo.enter_context(Answers(listener))
            _sendto(client, IMDS_IPV4, request(marker))
        except OSError as error:
            # Since 6.2 it does.
            row(what, f"not in this kernel ({error.strerror})")
            return
        # No answer is waited for: in one or two of a hundred of such connections 6.12 and 7.3
        # never tell the server that something came.
        client.sendall(request(marker, TOKEN_FIELD))
    found = [judged(line) for line in _with_marker(log.settled(), marker)]
    expected = [] if watch.probe in BLIND_FOR_MPTCP else [V1, V2]
    row(what, ("v1, v2" if expected else "not seen") if found == expected else f"WRONG: {found}")
    assert found == expected


def _has_mptcp() -> bool:
    return bool(kernel_functions({"mptcp_sendmsg"}))
