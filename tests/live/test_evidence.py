"""The log says what a server received, whatever a caller does to have it say something else.

Each request is logged once, as the server saw it or as ``unknown``: never as v2, and never not at
all, where it came without a token.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
import subprocess
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from analyzer.imds import IMDS_IPV4, IMDS_IPV6
from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from tests.live.conftest import Row
from tests.live.paths.answers import open_socket, read_answer
from tests.live.paths.oracle import (
    IPPROTO_TCP,
    Ends,
    Evade,
    connected,
    listening,
    remembering,
    version_of,
)
from tests.live.paths.records import TOKEN_FIELD, V1, V2, Log, judged, of, port_of, request, unknown
from tests.live.paths.ways import NotThereError, Program
from tests.live.watch import Line, Watch, eventually, new_marker

pytestmark = pytest.mark.usefixtures("wired")

MSG_FASTOPEN, MSG_ZEROCOPY = 0x20000000, 0x4000000
# Failing sends of each of two processes: a few seconds' worth.
FLOOD = 100_000
# Requests whose buffer is rewritten during the call.
FLIPPED = 301


@pytest.fixture(scope="module")
def evade(tmp_path_factory: pytest.TempPathFactory) -> Evade:
    """Return the compiled client that tries not to be seen."""
    return Evade(tmp_path_factory.mktemp("evade"))


def _get(marker: str, *fields: str) -> bytes:
    return "\r\n".join([f"GET /latest/meta-data/{marker} HTTP/1.1", *fields, "", ""]).encode()


def _versions(lines: list[Line]) -> list[str]:
    return [line["imds"]["version"] for line in lines]


# --- sends that fail -------------------------------------------------------------------


def _bad_control(client: socket.socket, _alone: LabNamespace, data: bytes) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        client.sendmsg([data], [(socket.SOL_SOCKET, 9999, b"xxxx")])


def _unreadable(client: socket.socket, _alone: LabNamespace, data: bytes) -> None:
    with (
        mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE, prot=0) as forbidden,
        pytest.raises(OSError, match="Bad address"),
    ):
        os.writev(client.fileno(), [data, forbidden])


def _opening_again(client: socket.socket, _alone: LabNamespace, data: bytes) -> None:
    """Not supported where the namespace does not allow it, already connected where it does."""
    with pytest.raises(OSError, match=r"already connected|not supported"):
        client.sendto(data, MSG_FASTOPEN, (IMDS_IPV4, 80))


def _refused_opening(_client: socket.socket, alone: LabNamespace, data: bytes) -> None:
    """On a socket of its own, in a namespace that does not allow it."""
    with (
        open_socket(alone, socket.AF_INET, IPPROTO_TCP) as other,
        pytest.raises(OSError, match="not supported"),
    ):
        other.sendto(data, MSG_FASTOPEN, (IMDS_IPV4, 80))


def _broken_pipe(_client: socket.socket, alone: LabNamespace, data: bytes) -> None:
    """On a connection of its own, after its end."""
    with open_socket(alone, socket.AF_INET, IPPROTO_TCP) as other:
        other.connect((IMDS_IPV4, 80))
        other.shutdown(socket.SHUT_WR)
        with pytest.raises(BrokenPipeError):
            other.send(data)


FAILURES: dict[str, Callable[[socket.socket, LabNamespace, bytes], None]] = {
    "EINVAL by a control message": _bad_control,
    "EFAULT in the second segment": _unreadable,
    "MSG_FASTOPEN on a connection": _opening_again,
    "MSG_FASTOPEN that is not allowed": _refused_opening,
    "EPIPE": _broken_pipe,
}


@pytest.mark.parametrize("how", FAILURES)
def test_a_send_that_fails_is_no_event(
    watch: Watch, alone: LabNamespace, how: str, row: Row
) -> None:
    """Neither blank lines, nor a head with a token, nor half a head change what follows."""
    log, marker = Log(watch), new_marker()
    alone.run(["sh", "-c", "echo 0 > /proc/sys/net/ipv4/tcp_fastopen"])
    whole = request(f"{marker}-failed", TOKEN_FIELD)
    with connected(alone) as ends:
        port = port_of(ends.client)
        for number, (failing, fields) in enumerate(
            [
                (b"\r\n" * 200, ()),
                (whole, ()),
                (whole[:40], ()),
                (whole, (TOKEN_FIELD,)),
                (b"\r\n" * 200, ()),
            ]
        ):
            FAILURES[how](ends.client, alone, failing)
            data = request(f"{marker}-{number}", *fields)
            ends.client.sendall(data[:50])
            FAILURES[how](ends.client, alone, failing)
            ends.client.sendall(data[50:])
            assert [version_of(head) for head in ends.receive()] == ["v2" if fields else "v1"]
            ends.answer()
        FAILURES[how](ends.client, alone, whole)
    lines = log.settled()
    found = [judged(line) for line in of(lines, port)]
    row(how, "no event" if found == [V1, V1, V1, V2, V1] else f"WRONG: {found}")
    assert found == [V1, V1, V1, V2, V1]
    assert len(lines) == 5
    assert {line["process"]["pid"] for line in lines} == {os.getpid()}
    assert {line["http"]["response"]["status_code"] for line in lines} == {200}


def test_a_send_that_is_taken_in_part_counts_as_far_as_it_was(
    watch: Watch, alone: LabNamespace, row: Row
) -> None:
    """The head behind what a full socket took is not sent, and not logged."""
    log, marker = Log(watch), new_marker()
    with connected(alone) as ends:
        port = port_of(ends.client)
        ends.client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        ends.server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        ends.client.setblocking(False)
        filler = _get(marker, f"X-Filler: {'x' * 3000}")
        sent = 0
        offered = filler * 300 + request(marker, TOKEN_FIELD)
        with contextlib.suppress(BlockingIOError):
            while True:
                taken = ends.client.send(offered[sent % len(filler) :])
                sent += taken
        assert taken < len(offered)
        # What the token was to make v2 goes on as v1: a head whose rest is another.
        ends.client.setblocking(True)
        rest = len(filler) - sent % len(filler)
        received = b""
        while len(received) < sent:
            received += ends.server.recv(1 << 16)
        ends.client.sendall(filler[-rest:])
        while len(received) < sent + rest:
            received += ends.server.recv(1 << 16)
    seen = received.count(b"\r\n\r\n")
    found = [judged(line) for line in of(log.settled(), port)]
    row("EAGAIN with a part taken", "v1" if found == [V1] * seen else f"WRONG: {found}")
    assert found == [V1] * seen


def test_failing_sends_cost_nobody_a_line(
    watch: Watch, imds: ImdsProcess, evade: Evade, row: Row
) -> None:
    """Two processes fail as fast as they can, while a third one calls."""
    assert imds.listening
    marker, calls = new_marker(), 31
    before = len(watch.lines("events_lost"))
    flooding = [
        subprocess.Popen(
            watch.namespace.command([str(evade.path), "flood", IMDS_IPV4, str(FLOOD)]),
            stdout=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]
    for number in range(calls):
        with watch.connect() as client:
            client.sendall(_get(f"{marker}/{number}"))
            read_answer(client)
    for each in flooding:
        assert each.wait(300) == 0
    found = watch.settled(marker)
    lost = watch.lines("events_lost")[before:]
    row(f"2 x {FLOOD} failing sends", f"{len(found)} of {calls} calls, {len(lost)} losses")
    assert [judged(line) for line in found] == [V1] * calls
    assert lost == []
    assert watch.requests("/flood") == []


# --- bytes that change -------------------------------------------------------------------


@pytest.mark.parametrize("way", ["send", "more", "zerocopy", "splice"])
def test_a_buffer_that_is_rewritten_meanwhile(
    watch: Watch, alone: LabNamespace, evade: Evade, way: str, row: Row
) -> None:
    """Each request is what the server saw, or unknown; a call without a token is never v2."""
    log = Log(watch)
    with connected(alone) as ends:
        port = port_of(ends.client)
        with remembering(ends.server) as heads:
            try:
                evade.run("flip", way, str(ends.client.fileno()), str(FLIPPED), sock=ends.client)
            except NotThereError as error:
                row(f"rewritten meanwhile, {way}", f"not in this kernel ({error})")
                return
    logged = of(log.settled(), port)
    seen = [version_of(head) for head in heads]
    pairs = list(zip(seen, _versions(logged)))
    forged = sum(pair == ("v1", "v2") for pair in pairs)
    row(f"rewritten meanwhile, {way}", f"{seen.count('v1')} v1 of {FLIPPED}: {forged} as v2")
    assert len(seen) == FLIPPED
    assert len(logged) == FLIPPED
    assert forged == 0


def test_a_corked_buffer_is_what_goes_out(watch: Watch, alone: LabNamespace, row: Row) -> None:
    """A head that waits in pages of the caller's own is read when it is sent."""
    log, marker = Log(watch), new_marker()
    first = request(marker, TOKEN_FIELD)
    then = request(marker, TOKEN_FIELD.replace("X-aws", "Y-aws"))
    with connected(alone) as ends, mmap.mmap(-1, mmap.PAGESIZE) as memory:
        ends.client.setsockopt(socket.SOL_SOCKET, 60, 1)  # SO_ZEROCOPY
        ends.client.setsockopt(IPPROTO_TCP, socket.TCP_CORK, 1)
        memory[: len(first)] = first
        with memoryview(memory)[: len(first)] as view:
            ends.client.send(view, MSG_ZEROCOPY)
        memory[: len(then)] = then
        ends.client.setsockopt(IPPROTO_TCP, socket.TCP_CORK, 0)
        port = port_of(ends.client)
        (head,) = ends.receive()
        ends.answer()
    found = [judged(line).version for line in of(log.settled(), port)]
    row("corked and rewritten", f"server {version_of(head)}, log {found}")
    assert found in ([version_of(head)], ["unknown"])


# --- urgent data -------------------------------------------------------------------------


def test_urgent_data_is_no_part_of_a_head(watch: Watch, alone: LabNamespace, row: Row) -> None:
    """A byte that the server skips makes no header of a header: nothing there is believed more."""
    log, marker = Log(watch), new_marker()
    data = request(marker, TOKEN_FIELD)
    at = data.index(b"-metadata-token") + 5
    with connected(alone) as ends:
        port = port_of(ends.client)
        ends.client.send(data[:at])
        ends.client.send(data[at : at + 1], socket.MSG_OOB)
        ends.client.send(data[at + 1 :])
        (head,) = ends.receive()
        assert version_of(head) == "v1"
        ends.answer()
        ends.client.send(request(marker))
        ends.receive()
        ends.answer()
        ends.client.send(b"!", socket.MSG_OOB)
        ends.client.send(request(marker))
        ends.receive()
        ends.answer()
    found = [judged(line) for line in of(log.settled(), port)]
    row("MSG_OOB", f"{found}")
    assert found == [unknown("urgent_data")] * 3


# --- addresses that are translated -------------------------------------------------------

DNAT = """
add table ip t
add chain ip t o { type nat hook output priority -100; }
"""
TO_IMDS = "add rule ip t o ip daddr 10.9.9.9 tcp dport 8080 dnat to 169.254.169.254:80\n"
TO_PROXY = "add rule ip t o ip daddr 169.254.169.254 tcp dport 80 dnat to 10.9.9.9:8080\n"


@contextlib.contextmanager
def _translating(row: Row, what: str, rule: str) -> Iterator[LabNamespace]:
    with LabNamespace() as namespace:
        namespace.run(["ip", "addr", "add", "10.9.9.9/32", "dev", "lo"])
        done = namespace.run(["nft", "-f", "-"], text_in=DNAT + rule, check=False)
        if done.returncode != 0:
            row(what, "not in this kernel")
            pytest.skip(f"no address translation here: {done.stderr}")
        yield namespace


@pytest.mark.parametrize("way", ["to IMDS", "to a proxy"])
def test_translated_addresses_hide_nothing(watch: Watch, way: str, row: Row) -> None:
    """A socket that knows IMDS by another address, and one whose packets go elsewhere."""
    log, marker = Log(watch), new_marker()
    what = f"DNAT {way}"
    asked, served = (("10.9.9.9", 8080), (IMDS_IPV4, 80))
    if way == "to a proxy":
        asked, served = served, asked
    rule = TO_IMDS if way == "to IMDS" else TO_PROXY
    with (
        _translating(row, what, rule) as namespace,
        listening(namespace, *served) as listener,
        open_socket(namespace, socket.AF_INET, IPPROTO_TCP) as client,
    ):
        client.connect(asked)
        server, _ = listener.accept()
        with server:
            ends = Ends(client, server)
            for fields in ((), (TOKEN_FIELD,), ()):
                client.sendall(request(marker, *fields))
                ends.receive()
                ends.answer()
    lines = [line for line in log.settled() if marker in line.get("url", {}).get("path", "")]
    found = [judged(line) for line in lines]
    row(what, "v1, v2" if found == [V1, V2, V1] else f"WRONG: {found}")
    assert found == [V1, V2, V1]
    assert {line["process"]["pid"] for line in lines} == {os.getpid()}
    assert {line["destination"]["ip"] for line in lines} == {IMDS_IPV4}
    assert {line["http"]["response"]["status_code"] for line in lines} == {200}


# --- what came back ------------------------------------------------------------------------


def _statuses(lines: list[Line]) -> list[Any]:
    return [line["http"].get("response", {}).get("status_code") for line in lines]


NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
LIE = b"HTTP/1.1 200"


def _truncating(client: socket.socket) -> None:
    prepared = bytearray(LIE.ljust(64))
    client.recv_into(prepared, 12, socket.MSG_TRUNC)
    assert prepared.startswith(LIE)
    client.recv(4096)


def _peeking(client: socket.socket) -> None:
    client.recv(5, socket.MSG_PEEK)
    client.recv(4096, socket.MSG_PEEK)
    client.recv(4096)


def _splicing(client: socket.socket) -> None:
    reader, writer = os.pipe()
    try:
        assert os.splice(client.fileno(), writer, 65536) > 0
    finally:
        os.close(reader)
        os.close(writer)


def _rewriting(client: socket.socket) -> None:
    prepared = bytearray(4096)
    client.recv_into(prepared)
    prepared[:12] = LIE


def _not_at_all(client: socket.socket) -> None:
    eventually("it is there", lambda: client.recv(1, socket.MSG_PEEK))


@pytest.mark.parametrize(
    "receive",
    [_truncating, _peeking, _splicing, _rewriting, _not_at_all],
    ids=lambda receive: receive.__name__.strip("_"),
)
def test_the_status_is_the_servers(
    watch: Watch, alone: LabNamespace, receive: Callable[[socket.socket], None]
) -> None:
    """However, and whether at all, the client reads it."""
    log, marker = Log(watch), new_marker()
    with connected(alone) as ends:
        port = port_of(ends.client)
        ends.client.sendall(request(marker))
        ends.receive()
        ends.server.sendall(NOT_FOUND)
        receive(ends.client)
    assert _statuses(of(log.settled(), port)) == [404]


def test_an_answer_in_segments_of_one_byte(watch: Watch, alone: LabNamespace) -> None:
    """Each of two requests has its own status."""
    log, marker = Log(watch), new_marker()
    with connected(alone) as ends:
        port = port_of(ends.client)
        ends.server.setsockopt(IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for answer in (NOT_FOUND, NOT_FOUND.replace(b"404", b"503")):
            ends.client.sendall(request(marker))
            ends.receive()
            for byte in answer:
                ends.server.send(bytes([byte]))
            ends.answer(b"")
    assert _statuses(of(log.settled(), port)) == [404, 503]


PUT = (
    b"PUT /latest/api/token HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
    b"X-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n"
)
TTLS: dict[str, tuple[int, int]] = {
    IMDS_IPV4: (socket.IPPROTO_IP, socket.IP_TTL),
    IMDS_IPV6: (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS),
}


@pytest.mark.parametrize("address", TTLS)
def test_the_hop_limit_of_a_tokens_answer_is_measured(
    watch: Watch, alone: LabNamespace, address: str, row: Row
) -> None:
    """It is on the token request's line, and on no other."""
    if ":" in address and alone.ipv6_problem:
        pytest.skip(alone.ipv6_problem)
    log, marker = Log(watch), new_marker()
    with connected(alone, address) as ends:
        port = port_of(ends.client)
        for hops in (2, 63, 1):
            ends.server.setsockopt(*TTLS[address], hops)
            for data in (PUT, request(marker, TOKEN_FIELD), request(marker)):
                ends.client.sendall(data)
                ends.receive()
                ends.answer()
    found = [line["imds"].get("hop_limit") for line in of(log.settled(), port)]
    row(f"hop limit, {address}", f"{found}")
    assert found == [2, None, None, 63, None, None, 1, None, None]


# --- who ------------------------------------------------------------------------------------


def test_a_socket_that_is_anothers_standard_output(
    watch: Watch, alone: LabNamespace, row: Row
) -> None:
    """Who was started with it, and wrote, is the caller; who began the head is named, too."""
    log, marker = Log(watch), new_marker()
    data = _get(marker).decode()
    with connected(alone) as ends:
        port = port_of(ends.client)
        ends.client.sendall(data[:10].encode())
        child = subprocess.Popen(["printf", "%s", data[10:]], stdout=ends.client.fileno())
        assert child.wait() == 0
        ends.receive()
        ends.answer()
    (line,) = of(log.settled(), port)
    row("another's standard output", line["process"]["name"])
    assert judged(line) == V1
    assert line["process"]["pid"] == child.pid
    assert line["process"]["executable"].endswith("/printf")
    assert [each["pid"] for each in line["process"]["others"]] == [os.getpid()]


def test_a_socket_that_was_handed_over_and_held_back(
    watch: Watch, alone: LabNamespace, row: Row
) -> None:
    """Bytes that wait, and go out when another process lets them, name both."""
    log, marker = Log(watch), new_marker()
    uncork = "import socket, sys; s = socket.socket(fileno=int(sys.argv[1])); "
    uncork += "s.setsockopt(6, socket.TCP_CORK, 0)"
    with connected(alone) as ends:
        port = port_of(ends.client)
        ends.client.setsockopt(IPPROTO_TCP, socket.TCP_CORK, 1)
        ends.client.sendall(request(marker))
        descriptor = ends.client.fileno()
        argv = ["python3", "-c", uncork, str(descriptor)]
        child = subprocess.Popen(argv, pass_fds=[descriptor])
        assert child.wait() == 0
        ends.receive()
        ends.answer()
    (line,) = of(log.settled(), port)
    assert judged(line) == V1
    others = [each["pid"] for each in line["process"].get("others", [])]
    row("held back, let go by another", f"process, others: {len(others)}")
    assert line["process"]["pid"] == os.getpid()
    assert others in ([child.pid], [])


def test_what_a_hidden_call_left_is_not_the_last_callers(
    watch: Watch, alone: LabNamespace, program: Program, row: Row
) -> None:
    """Bytes of a call that a probe may not see, and that a timer lets go: nobody is blamed."""
    log, marker = Log(watch), new_marker()
    data = request(marker)
    with connected(alone) as ends:
        port = port_of(ends.client)
        ends.client.setsockopt(IPPROTO_TCP, socket.TCP_CORK, 1)
        ends.client.sendall(data[:10])
        try:
            sent = program.send("io_uring send", ends.client, data[10:])
        except NotThereError as error:
            pytest.skip(str(error))
        # The kernel drops what is corked after 200 ms, when nobody holds the socket.
        ends.receive()
        ends.answer()
    (line,) = of(log.settled(), port)
    assert judged(line) == V1
    process = line["process"]
    row("hidden, let go by a timer", "process" if "pid" in process else "no process")
    assert process.get("pid") in (None, sent.pid)
    if "pid" not in process:
        assert line["imds"]["attribution"] == "wire"
    assert [each["pid"] for each in process["others"]] == [os.getpid()]


# --- every request once -----------------------------------------------------------------------


def _at_once(client: socket.socket, heads: list[bytes]) -> None:
    client.sendall(b"".join(heads))


def _one_after_the_other(client: socket.socket, heads: list[bytes]) -> None:
    for head in heads:
        client.sendall(head)


def _byte_by_byte(client: socket.socket, heads: list[bytes]) -> None:
    client.setsockopt(IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in b"".join(heads):
        client.send(bytes([byte]))


# How, and bytes of filling in each head. Byte by byte, a long one shows nothing more.
SENDINGS = {
    "at once": (_at_once, 0),
    "at once, long": (_at_once, 8000),
    "one after the other": (_one_after_the_other, 0),
    "one after the other, long": (_one_after_the_other, 8000),
    "byte by byte": (_byte_by_byte, 0),
}


@pytest.mark.parametrize(("send", "filler"), SENDINGS.values(), ids=SENDINGS)
@pytest.mark.parametrize("address", [IMDS_IPV4, IMDS_IPV6, f"::ffff:{IMDS_IPV4}"])
def test_every_request_is_logged_once(
    watch: Watch,
    alone: LabNamespace,
    send: Callable[[socket.socket, list[bytes]], None],
    address: str,
    filler: int,
) -> None:
    """Pipelined, split and long ones, with the version that the server saw."""
    if ":" in address.replace("::ffff:", "") and alone.ipv6_problem:
        pytest.skip(alone.ipv6_problem)
    log, marker = Log(watch), new_marker()
    sent = [
        request(f"{marker}-{number}", f"X-Long: {'x' * filler}", *fields)
        for number, fields in enumerate([(), (TOKEN_FIELD,), (), (), (TOKEN_FIELD,)])
    ]
    with connected(alone, address) as ends:
        port = port_of(ends.client)
        send(ends.client, sent)
        heads = ends.receive(len(sent))
    lines = of(log.settled(), port)
    assert _versions(lines) == [version_of(head) for head in heads]
    assert [line["url"]["path"][-1] for line in lines] == ["0", "1", "2", "3", "4"]


LOSING = """
add table inet f
add chain inet f o { type filter hook input priority 0; }
add rule inet f o ip daddr 169.254.169.254 tcp dport 80 tcp flags psh drop
"""


def test_what_is_sent_again_is_logged_once(watch: Watch, row: Row) -> None:
    """The network drops the request for a while, on the way to the server."""
    log, marker = Log(watch), new_marker()
    with LabNamespace() as namespace, connected(namespace) as ends:
        port = port_of(ends.client)
        done = namespace.run(["nft", "-f", "-"], text_in=LOSING, check=False)
        if done.returncode != 0:
            row("sent again", "not in this kernel")
            pytest.skip(f"no packet filter here: {done.stderr}")
        data = request(marker)
        ends.client.sendall(data[:50])
        ends.client.sendall(data[50:])
        ends.client.sendall(request(marker, TOKEN_FIELD))

        def retransmissions() -> int:
            return ends.client.getsockopt(IPPROTO_TCP, socket.TCP_INFO, 104)[100]

        eventually("it is sent again", lambda: retransmissions() >= 3)
        namespace.run(["nft", "flush", "ruleset"])
        assert [version_of(head) for head in ends.receive(2)] == ["v1", "v2"]
    found = [judged(line) for line in of(log.settled(), port)]
    row("sent again", "v1, v2" if found == [V1, V2] else f"WRONG: {found}")
    assert found == [V1, V2]


def test_a_connection_in_repair(watch: Watch, alone: LabNamespace, evade: Evade, row: Row) -> None:
    """Bytes that the kernel is told were sent, and were not, are no request."""
    log, marker = Log(watch), new_marker()
    with connected(alone) as ends:
        port = port_of(ends.client)
        ends.client.sendall(request(marker))
        ends.receive()
        ends.answer()
        try:
            evade.run("repair", str(ends.client.fileno()), sock=ends.client)
        except NotThereError as error:
            row("TCP_REPAIR", f"not allowed here ({error})")
            return
    lines = of(log.settled(), port)
    row("TCP_REPAIR", f"{[judged(line) for line in lines]}")
    assert judged(lines[0]) == V1
    assert "v2" not in _versions(lines)


def test_a_server_that_defers_what_it_accepts(watch: Watch, alone: LabNamespace) -> None:
    """The first bytes come with the end of the handshake."""
    log, marker = Log(watch), new_marker()
    with listening(alone) as listener:
        listener.setsockopt(IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
        with open_socket(alone, socket.AF_INET, IPPROTO_TCP) as client:
            client.connect((IMDS_IPV4, 80))
            port = port_of(client)
            client.sendall(request(marker))
            server, _ = listener.accept()
            with server:
                ends = Ends(client, server)
                ends.receive()
                ends.answer()
    (line,) = of(log.settled(), port)
    assert judged(line) == V1
    assert _statuses([line]) == [200]


def test_nothing_was_lost_on_the_way(watch: Watch) -> None:
    """Of all that these tests sent."""
    watch.settled("nothing")
    assert watch.lost_requests() == []
