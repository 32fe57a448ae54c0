"""A call is logged as the server reads its connection, also where others read it differently.

The server here is the test: it knows what it was sent, and answers when it wants to.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

import pytest

from analyzer.lab.namespace import LabNamespace
from tests.live.conftest import REQUIRED, Row
from tests.live.paths.late_page import LatePage
from tests.live.paths.oracle import IPPROTO_TCP, OK, Ends, connected
from tests.live.paths.records import TOKEN_FIELD, V1, V2, Log, judged, of, port_of, request, unknown
from tests.live.watch import Line, Watch, new_marker

pytestmark = pytest.mark.usefixtures("wired")

NOT_FOUND = OK.replace(b"200 OK", b"404 Not Found")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
# A body that ends in the middle of what would be a request with a token.
HIDING = b"GET /latest/meta-data/x HTTP/1.1\r\n" + TOKEN_FIELD.encode()
POST = b"POST /latest/meta-data/p HTTP/1.1\r\nContent-Length: %d\r\n\r\n"
TOKEN_REQUEST = b"PUT /latest/api/token HTTP/1.1\r\n\r\n"


def _exchange(ends: Ends, data: bytes, answer: bytes = OK) -> None:
    """Send, have the server take all of it, answer, and read the answer."""
    ends.client.sendall(data)
    _take(ends, len(data))
    ends.server.sendall(answer)
    _read(ends, answer)


def _take(ends: Ends, size: int) -> None:
    while size:
        size -= len(ends.server.recv(size))


def _read(ends: Ends, answer: bytes) -> None:
    size = len(answer)
    while size:
        size -= len(ends.client.recv(size))


def _outcomes(lines: list[Line]) -> list[object]:
    return [line.get("http", {}).get("response", {}).get("status_code") for line in lines]


def test_a_call_behind_a_body_with_half_a_token_is_v1(
    watch: Watch, alone: LabNamespace, row: Row
) -> None:
    """What is in the body is told, too: a server that reads none takes it for a call."""
    log, marker = Log(watch), new_marker()
    with connected(alone) as ends:
        port = port_of(ends.client)
        _exchange(ends, POST % len(HIDING) + HIDING + request(marker), OK + OK)
        _exchange(ends, request(marker, TOKEN_FIELD))
    lines = of(log.settled(), port)
    found = [judged(line) for line in lines]
    row("a call behind a body", f"{found}")
    # No answer is waited for to what is in a body.
    assert found == [unknown("request_in_body"), V1, V1, unknown("uncertain_framing")]


def test_calls_that_only_some_servers_take_are_told_one_by_one(
    watch: Watch, alone: LabNamespace, row: Row
) -> None:
    """A tab in place of a space makes garbage of a call; a hundred of them are a hundred lines."""
    log, marker = Log(watch), new_marker()
    sent = 101
    with connected(alone) as ends:
        port = port_of(ends.client)
        data = request(marker).replace(b"GET ", b"GET\t") * sent
        ends.client.sendall(data)
        _take(ends, len(data))
        _exchange(ends, request(marker))
    lines = of(log.settled(), port)
    found = [judged(line) for line in lines]
    row("a tab behind the method", f"{len(found)} lines")
    assert found == [unknown("not_http")] * sent + [V1]


def test_what_was_sent_before_the_start_makes_nothing_v2(
    namespace: LabNamespace, alone: LabNamespace, probe: str, tmp_path: Path, row: Row
) -> None:
    """A call that began before, without a token, goes on as what looks like a token request."""
    late = Watch(probe, namespace, tmp_path)
    begun = b"GET /latest/meta-data/ HTTP/1.1\r\nX-Other: "
    with connected(alone) as ends:
        port = port_of(ends.client)
        ends.client.sendall(begun)
        _take(ends, len(begun))
        with late.running(required=probe in REQUIRED):
            log = Log(late)
            _exchange(ends, TOKEN_REQUEST)
            _exchange(ends, request("after"))
            ends.client.shutdown(socket.SHUT_RDWR)
            found = [judged(line) for line in of(log.settled(), port)]
    row("begun before the start", f"{found}")
    assert found == [unknown("uncertain_framing"), V1]


def test_the_answer_of_a_pipelined_request_is_not_the_next_ones(
    watch: Watch, alone: LabNamespace, row: Row
) -> None:
    """The third is sent before the second's answer, which comes as its own would."""
    log, marker = Log(watch), new_marker()
    with connected(alone) as ends:
        port = port_of(ends.client)
        two = request(marker) + request(marker, TOKEN_FIELD)
        _exchange(ends, two)
        _exchange(ends, request(marker), NOT_FOUND)
        _exchange(ends, request(marker), OK)
    lines = of(log.settled(), port)
    row("pipelined, then another", f"{_outcomes(lines)}")
    assert [judged(line) for line in lines] == [V1, V2, V1, V1]
    assert _outcomes(lines) == [200, None, None, None]


def test_an_interim_answer_is_no_answer(watch: Watch, alone: LabNamespace, row: Row) -> None:
    """Nor is the one behind it the next request's."""
    log, marker = Log(watch), new_marker()
    with connected(alone) as ends:
        port = port_of(ends.client)
        ends.client.setsockopt(IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _exchange(ends, request(marker, "Expect: 100-continue", "Content-Length: 3"), CONTINUE)
        _exchange(ends, b"abc" + request(marker), NOT_FOUND)
        _exchange(ends, request(marker))
    lines = of(log.settled(), port)
    row("100 Continue", f"{_outcomes(lines)}")
    assert [judged(line) for line in lines] == [V1, V1, V1]
    assert _outcomes(lines) == [None, None, None]


def test_answers_in_turn_have_their_outcomes(watch: Watch, alone: LabNamespace) -> None:
    """Keep-alive as every client uses it."""
    log, marker = Log(watch), new_marker()
    with connected(alone) as ends:
        port = port_of(ends.client)
        for answer in (OK, NOT_FOUND, OK):
            _exchange(ends, request(marker, TOKEN_FIELD), answer)
    lines = of(log.settled(), port)
    assert [judged(line) for line in lines] == [V2, V2, V2]
    assert _outcomes(lines) == [200, 404, 200]


def test_an_answer_that_waits_for_the_next_send_is_the_former_ones(
    watch: Watch, alone: LabNamespace, row: Row
) -> None:
    """A send that stays in the kernel keeps TCP from counting what has come meanwhile."""
    log, marker = Log(watch), new_marker()
    second = request(marker, TOKEN_FIELD)
    with contextlib.ExitStack() as stack:
        try:
            page = LatePage()
        except OSError as error:
            pytest.skip(f"no userfaultfd: {error}")
        stack.callback(page.close)
        ends = stack.enter_context(connected(alone))
        port = port_of(ends.client)
        _exchange(ends, request(marker))
        ends.client.sendall(request(marker))
        ends.receive()
        sending = threading.Thread(target=page.send, args=(ends.client.fileno(), len(second)))
        sending.start()
        assert page.is_awaited()
        ends.server.sendall(NOT_FOUND)
        page.arrive(second)
        sending.join()
        _take(ends, len(second))
        _read(ends, NOT_FOUND)
        ends.server.sendall(OK)
        _read(ends, OK)
    lines = of(log.settled(), port)
    row("an answer behind the lock", f"{_outcomes(lines)}")
    assert [judged(line) for line in lines] == [V1, V1, V2]
    # Whether the former was answered before the next was sent, the wire does not tell: never 404.
    assert _outcomes(lines)[0] == 200
    assert _outcomes(lines)[1] in (404, None)
    assert _outcomes(lines)[2] in (200, None)


def test_calls_that_tcp_joins_to_the_largest_packets_are_all_logged(
    watch: Watch, alone: LabNamespace, row: Row
) -> None:
    """What waits for a server goes out at once: by loopback, since 6.10, 128 KiB in a packet."""
    log, marker = Log(watch), new_marker()
    one, waiting = request(marker), 0
    with connected(alone) as ends:
        port = port_of(ends.client)
        data = one * 2500
        ends.client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while waiting < len(data):
                waiting += ends.client.send(data[waiting : waiting + 4 * len(one)])
        ends.client.setblocking(True)
        _take(ends, waiting)
        calls = -(-waiting // len(one))
        ends.client.sendall(data[waiting : calls * len(one)])
        _exchange(ends, one)
        found = [judged(line) for line in of(log.settled(), port)]
    row("joined to packets of 128 KiB", f"{len(found)} of {calls + 1} calls")
    assert waiting > 4 * (1 << 16)  # as much as makes such packets
    assert found == [V1] * (calls + 1)
