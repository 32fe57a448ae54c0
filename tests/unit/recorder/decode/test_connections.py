"""Streams put together from sends: order, repetition, loss, reuse, and the bounds."""

from __future__ import annotations

from typing import Optional

import pytest

from analyzer.recorder.classify import classify
from analyzer.recorder.decode.connections import (
    EVICTED,
    IDLE_TIMEOUT_S,
    Connections,
)
from analyzer.recorder.decode.http import IN_BODY, MAX_HEAD_BYTES
from analyzer.recorder.decode.stream import KEPT_BYTES, MAX_REPEATED_BYTES
from analyzer.recorder.records import CHANGEABLE, DOUBTS, Captured, Token, Version
from analyzer.recorder.source_events import Chunk, Closed, Doubt, Problem
from tests.packets import logged
from tests.sends import START, connection, pid_of, snapshot
from tests.sends import chunk as send

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
OTHER = b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n"


def _brief(captured: list[Captured]) -> list[tuple[Optional[str], Optional[str]]]:
    return [(each.request.target, each.request.reason) for each in captured]


def _feed(*chunks: Chunk) -> list[tuple[Optional[str], Optional[str]]]:
    """Return what the chunks give, and behind it what is half done at the end."""
    connections = Connections()
    captured = [each for chunk in chunks for each in connections.feed(chunk)]
    return _brief(captured + connections.flush())


def test_request_is_captured_with_its_send() -> None:
    """A request in one send has that send's time, thread, caller and connection."""
    (captured,) = Connections().feed(send(GET, at_ns=5, tid=7))
    assert captured[:4] == (5, connection(), 7, snapshot(7))
    assert captured.request.target == "/a"


def test_split_request_has_the_time_of_its_first_byte_and_the_sender_of_its_last() -> None:
    """Whoever began it, a request is that of who made it whole."""
    connections = Connections()
    stream = GET + OTHER + GET
    cut, end = len(GET) + 3, len(GET + OTHER) + 1
    first = connections.feed(send(stream[:cut], at_ns=1, tid=1))
    assert connections.feed(send(stream[cut : cut + 1], cut, at_ns=2, tid=2)) == []
    second = connections.feed(send(stream[cut + 1 : end], cut + 1, at_ns=3, tid=3))
    third = connections.feed(send(stream[end:], end, at_ns=4, tid=4))
    assert [(each.boottime_ns, each.tid) for each in first + second + third] == [
        (1, 1),
        (1, 3),
        (3, 4),
    ]
    others = [[pid_of(each) for each in captured.others] for captured in second + third]
    assert others == [[1, 2], [3]]


def test_connections_are_kept_apart() -> None:
    """Interleaved sends of two connections give each one's own requests."""
    connections = Connections()
    assert connections.feed(send(GET[:9], port=1)) == []
    assert connections.feed(send(OTHER[:9], port=2)) == []
    (one,) = connections.feed(send(GET[9:], 9, port=1))
    (two,) = connections.feed(send(OTHER[9:], 9, port=2))
    assert (one.request.target, one.connection.source_port) == ("/a", 1)
    assert (two.request.target, two.connection.source_port) == ("/b", 2)


@pytest.mark.parametrize("start", [0, 1, START, 2**32 - 1, 2**31 - 5])
def test_sequence_numbers_wrap(start: int) -> None:
    """Streams go on across the end of the sequence numbers."""
    pieces = [send(GET[at : at + 1], at, start=start) for at in range(len(GET))]
    assert _feed(*pieces) == [("/a", None)]


def test_without_numbers_sends_follow_by_their_offsets() -> None:
    """TCP Fast Open has none at first; with MPTCP there are no offsets either."""
    whole = send(GET)._replace(sequence=None)
    for offset in (len(GET), None):
        rest = send(OTHER)._replace(sequence=None, offset=offset)
        assert _feed(whole, rest) == [("/a", None), ("/b", None)]
    late = send(OTHER)._replace(sequence=None, offset=len(GET) + 5)
    assert _feed(whole, late)[0] == ("/a", None)
    assert _feed(whole, late)[1][1] is not None


def test_a_socket_with_another_port_is_another_connection() -> None:
    """The kernel gives the address of a socket to the next one; its end was lost."""
    half, rest = send(GET[:9]), send(GET[9:], 9)
    other = rest._replace(connection=rest.connection._replace(source_port=999))
    (first, *others) = _feed(half, other)
    assert first[1] == "incomplete"
    assert ("/a", None) not in others


def test_who_took_part_in_a_half_request_is_named_with_it() -> None:
    """Another process held the socket while the first half was sent."""
    connections = Connections()
    half = send(GET[:9], tid=1)._replace(others=(snapshot(9),))
    assert connections.feed(half) == []
    (captured,) = connections.feed(send(GET[9:], 9, tid=2))
    assert pid_of(captured.snapshot) == 2
    assert [pid_of(each) for each in captured.others] == [1, 9]


def test_repeated_sends_are_read_once() -> None:
    """What the kernel did not take and the program sends again is one request."""
    whole = send(GET + OTHER)
    once = [("/a", None), ("/b", None)]
    assert _feed(whole, whole) == once
    assert _feed(whole, send((GET + OTHER)[5:], 5)) == once
    assert _feed(send(GET), send(GET + OTHER)) == once
    assert _feed(send(GET[:9]), send(GET[:9]), send(GET[4:], 4), send(OTHER, len(GET))) == once
    assert _feed(send(GET), send(OTHER, len(GET)), send(GET), send(OTHER, len(GET))) == once


def test_empty_sends_are_ignored() -> None:
    """A send of nothing neither begins nor continues a connection."""
    connections = Connections()
    assert connections.feed(send(b"")) == []
    assert len(connections) == 0
    assert _feed(send(GET[:9]), send(b"", 9), send(GET[9:], 9)) == [("/a", None)]


def test_lost_sends_are_a_capture_gap() -> None:
    """Bytes missing between two sends are said once, and cut the request under way."""
    assert _feed(send(GET), send(OTHER, len(GET) + 50)) == [
        ("/a", None),
        (None, "capture_gap"),
        ("/b", None),
    ]
    assert _feed(send(GET[:20]), send(OTHER, 100)) == [("/a", "capture_gap"), ("/b", None)]


def test_lost_part_of_a_body_is_not_missed() -> None:
    """A gap inside a body of known length loses no request."""
    post = b"POST /p HTTP/1.1\r\nContent-Length: 1000\r\n\r\n"
    assert _feed(send(post), send(GET, len(post) + 1000)) == [("/p", None), ("/a", None)]


def test_connection_joined_in_its_middle_is_read_from_the_next_request() -> None:
    """Without its beginning, a stream that goes on with a request is simply read."""
    assert _feed(send(GET, 500)) == [("/a", None)]
    assert _feed(send(b"Host: x\r\n\r\n", 500), send(GET, 511)) == [
        (None, "capture_gap"),
        ("/a", None),
    ]
    assert _feed(send(b"\r\n", 500), send(GET, 502)) == [("/a", None)]


def test_reused_socket_is_a_new_connection() -> None:
    """A send at offset 0 with another sequence number begins anew."""
    assert _feed(send(GET[:20]), send(OTHER, start=99)) == [("/a", "incomplete"), ("/b", None)]
    assert _feed(send(GET), send(OTHER, start=START + 10)) == [("/a", None), ("/b", None)]
    assert _feed(send(GET), send(OTHER, start=START - 1000)) == [("/a", None), ("/b", None)]


def test_reused_socket_whose_beginning_was_lost_is_noticed() -> None:
    """A sequence number before everything seen is of another connection."""
    assert _feed(send(GET), send(OTHER, 300, start=START - 5000)) == [("/a", None), ("/b", None)]
    far = send(OTHER, 300, start=START - MAX_REPEATED_BYTES - 10_000)
    huge = send(b"POST /p HTTP/1.1\r\n\r\n", missing=MAX_REPEATED_BYTES + 5_000)
    assert _feed(huge, far)[-1] == ("/b", None)


@pytest.mark.parametrize("problem", [each for each in Problem if each.value not in DOUBTS])
def test_send_that_could_not_be_read_is_unknown(problem: Problem) -> None:
    """An unreadable send is one request with the problem as its reason; the next is read."""
    unreadable = send(b"", missing=40, problem=problem)
    assert _feed(unreadable, send(GET, 40)) == [(None, problem.value), ("/a", None)]
    twice = (unreadable, send(b"", 40, missing=40, problem=problem))
    assert _feed(*twice) == [(None, problem.value)] * 2


@pytest.mark.parametrize("reason", sorted(DOUBTS))
def test_after_a_doubt_nothing_is_believed_and_nothing_is_left_out(reason: str) -> None:
    """Where a request begins depends on all that came before it."""
    problem = Problem(reason)
    v2 = GET[:-2] + b"X-aws-ec2-metadata-token: x\r\n\r\n"
    doubtful = send(GET[:9]), send(b"", 9, missing=1, problem=problem), send(GET[10:], 10)
    after = send(b"?" + v2, len(GET)), send(b"nothing\r\n", len(GET) + len(v2) + 1)
    connections = Connections()
    found = [each for chunk in (*doubtful, *after) for each in connections.feed(chunk)]
    assert [each.request.reason for each in found] == [reason] * 3
    assert {classify(each.request).version for each in found} == {Version.UNKNOWN}


@pytest.mark.parametrize(("reason", "expected"), [("conflicting_bytes", None), ("urgent_data", 1)])
def test_a_doubtful_byte_of_a_body(reason: str, expected: Optional[int]) -> None:
    """Which it is does not matter; whether it is one does."""
    post = b"POST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\n"
    chunks = (
        send(post + b"12"),
        send(b"", len(post) + 2, missing=1, problem=Problem(reason)),
        send(b"45", len(post) + 3),
        send(GET, len(post) + 5),
    )
    told = _feed(*chunks)
    assert told[0] == ("/p", None)
    assert told[-1] == ("/a", reason if expected else None)


def test_a_doubt_makes_the_request_under_way_unknown() -> None:
    """Once; what follows on the connection is in doubt too."""
    connections = Connections()
    first = send(GET[:9])
    connections.feed(first)
    doubt = Doubt(0, first.connection, 1, None, Problem.CONFLICTING)
    assert _brief(connections.doubt(doubt, is_told=False)) == [(None, "conflicting_bytes")]
    assert connections.buffered == 0
    assert _brief(connections.feed(send(GET[9:], 9))) == []
    assert _brief(connections.feed(send(GET, len(GET)))) == [("/a", "conflicting_bytes")]


@pytest.mark.parametrize(
    ("first", "second", "at", "is_other"),
    [
        (GET, OTHER, 0, True),  # failed, and another in its place
        (GET, GET, 0, False),
        (GET, GET[9:], 9, False),  # taken in part, and the rest sent again
        (GET, b"x" + GET[10:], 9, True),
        (GET, GET[3:] + OTHER, 3, False),
        (GET, OTHER, len(GET), False),  # the next one
        (GET, OTHER, len(GET) + 9, False),
        (GET + b"x" * KEPT_BYTES, b"y", len(GET) + KEPT_BYTES - 1, False),  # more than is kept
    ],
)
def test_a_send_may_contradict_the_one_whose_place_it_takes(
    first: bytes, second: bytes, at: int, is_other: bool
) -> None:
    """As far as their bytes can be compared."""
    connections = Connections()
    assert not connections.contradicts(send(first))
    connections.feed(send(first))
    assert connections.contradicts(send(second, at)) is is_other


@pytest.mark.parametrize("cut", [1, 20, len(GET) - 1])
def test_a_send_may_contradict_one_that_others_followed(cut: int) -> None:
    """A head that goes out in parts is compared with all of them, whichever comes again."""
    connections = Connections()
    connections.feed(send(OTHER))
    for begin, end in ((0, cut), (cut, len(GET))):
        connections.feed(send(GET[begin:end], len(OTHER) + begin))
    assert not connections.contradicts(send(GET[:cut], len(OTHER)))
    assert not connections.contradicts(send(GET, len(OTHER)))
    assert connections.contradicts(send(b"?" + GET[1:cut], len(OTHER)))
    assert connections.contradicts(send(b"?" + OTHER[1:]))
    # As far as they are kept.
    long = b"x" * KEPT_BYTES
    for at in range(0, len(long), 100):
        connections.feed(send(long[at : at + 100], len(OTHER + GET) + at))
    assert not connections.contradicts(send(b"?" + GET[1:cut], len(OTHER)))
    assert connections.contradicts(send(b"?", len(OTHER + GET) + 100))


def test_what_could_not_be_read_is_not_contradicted() -> None:
    """What comes in its place is new."""
    connections = Connections()
    connections.feed(send(GET[:9], missing=40, problem=Problem.UNREADABLE))
    assert not connections.contradicts(send(OTHER, 9))
    assert connections.contradicts(send(OTHER))


def test_a_failed_send_that_looks_like_v2_is_not_believed() -> None:
    """Nor is the one in its place left out, whose bytes are not where they were looked for."""
    v2 = GET[:-2] + b"X-aws-ec2-metadata-token: x\r\n\r\n"
    (record,) = logged([send(v2), send(OTHER)])
    assert (record.verdict.version, record.verdict.reason) == (Version.UNKNOWN, "conflicting_bytes")
    (same,) = logged([send(v2), send(v2)])
    assert same.verdict.version is Version.V2


@pytest.mark.parametrize("is_told", [True, False])
def test_a_doubt_without_a_request_is_told_unless_one_is_known(is_told: bool) -> None:
    """Be the connection known or not."""
    connections = Connections()
    first = send(GET)
    doubt = Doubt(0, first.connection, 1, None, Problem.CONFLICTING)
    expected = [] if is_told else [(None, "conflicting_bytes")]
    assert _brief(connections.doubt(doubt, is_told=is_told)) == expected
    connections.feed(first)
    assert _brief(connections.doubt(doubt, is_told=is_told)) == expected


def test_truncated_head_is_cut_and_truncated_body_is_not_missed() -> None:
    """What the copy limit took away matters only where a head was."""
    head = b"GET /a HTTP/1.1\r\nX-aws-ec2-metadata-token: x\r\nCookie: "
    connections = Connections()
    (captured,) = connections.feed(send(head, missing=900))
    assert captured.request.token is Token.PRESENT
    assert captured.request.reason == "truncated"
    assert _brief(connections.feed(send(OTHER, len(head) + 900))) == [("/b", None)]
    post = b"POST /p HTTP/1.1\r\nContent-Length: 1000\r\n\r\n"
    sends = (send(post, missing=700), send(b"", len(post) + 700, missing=300))
    assert _feed(*sends, send(GET, len(post) + 1000)) == [("/p", None), ("/a", None)]


def test_repeated_truncated_send_is_cut_once() -> None:
    """Overlap with bytes that were missing already is no new gap."""
    cut = send(GET[:20], missing=30)
    rest = send(b"", 25, missing=25)
    assert _feed(cut, cut, rest, send(OTHER, 50)) == [("/a", "truncated"), ("/b", None)]
    longer = send(GET[:20], missing=60)
    assert _feed(cut, longer) == [("/a", "truncated"), (None, "truncated")]


def test_what_comes_in_place_of_an_unreadable_send_is_read() -> None:
    """A send that failed with EFAULT took no byte: the next one begins where it did."""
    failed = send(b"", missing=4096, problem=Problem.UNREADABLE)
    assert _feed(failed, send(GET), send(OTHER, len(GET))) == [
        (None, "unreadable_payload"),
        ("/a", None),
        ("/b", None),
    ]
    # Tried again it is still one, and its end may be had at last.
    assert _feed(failed, failed, send(GET)) == [(None, "unreadable_payload"), ("/a", None)]
    half = send(GET[:20], missing=4076, problem=Problem.UNREADABLE)
    assert _feed(half, send(OTHER, 20)) == [("/a", "unreadable_payload"), ("/b", None)]


def test_a_cut_of_unknown_length_is_one_request() -> None:
    """A send says that at least one byte is missing; the next one shows how many were."""
    cut = send(GET[:20], missing=1)
    assert _feed(cut, send(OTHER, 300)) == [("/a", "truncated"), ("/b", None)]
    # What is missing behind something else is reported.
    assert _feed(cut, send(OTHER, 21), send(GET, 300)) == [
        ("/a", "truncated"),
        ("/b", None),
        (None, "capture_gap"),
        ("/a", None),
    ]


def test_no_answer_is_expected_for_a_gap() -> None:
    """Its send was not seen, so the next answer that is seen is the next request's."""
    connections = Connections()
    connections.feed(send(GET))
    gap, request = connections.feed(send(OTHER, 500))
    assert (gap.request.reason, gap.is_answered) == ("capture_gap", False)
    assert (request.request.target, request.is_answered) == ("/b", True)


def test_an_opening_without_any_position_is_followed_by_the_next_send() -> None:
    """MPTCP with Fast Open tells neither sequence nor offset at first."""
    opening = send(GET, port=0)._replace(sequence=None, offset=None, is_answered=False)
    opening = opening._replace(connection=connection()._replace(source_port=0))
    follows = send(OTHER, 7_000)._replace(offset=None, is_answered=False)
    assert _feed(opening, follows, send(GET, 7_000 + len(OTHER))._replace(offset=None)) == [
        ("/a", None),
        ("/b", None),
        ("/a", None),
    ]


def test_sizes_beyond_all_sequence_numbers_are_survived() -> None:
    """A program may ask to send any number of bytes."""
    for size in (2**31, 2**32, 2**40, 2**63):
        huge = send(GET, missing=size, problem=Problem.UNREADABLE)
        captured = _feed(huge, send(OTHER, 4096), send(GET, 4096 + len(OTHER)))
        assert captured[:2] == [("/a", None), (None, "unreadable_payload")]
        assert captured[-1] == ("/a", None)


def test_what_is_half_sent_on_an_idle_connection_is_told() -> None:
    """After the idle time a half request is incomplete; its connection is known until it ends."""
    connections = Connections()
    second = 1_000_000_000
    connections.feed(send(GET[:20], port=1, at_ns=0))
    connections.feed(send(OTHER[:20], port=2, at_ns=5 * second))
    assert connections.expire(IDLE_TIMEOUT_S * second - 1) == []
    assert _brief(connections.expire(IDLE_TIMEOUT_S * second)) == [("/a", "incomplete")]
    assert len(connections) == 2
    assert _brief(connections.feed(send(OTHER[20:], 20, port=2))) == [("/b", None)]
    assert connections.expire(1000 * second) == []
    assert (len(connections), connections.buffered, connections.evicted) == (2, 0, 0)
    for port in (1, 2):
        assert connections.close(Closed(0, connection(port).socket_id)) == []
    assert len(connections) == 0


def _v2(connections: Connections, data: bytes, position: int, *, port: int = 41234) -> Version:
    (captured,) = connections.feed(send(data + TOKEN_FIELD, position, port=port))
    return classify(captured.request).version


TOKEN_FIELD = b"X-aws-ec2-metadata-token: x\r\n\r\n"
# The length of a body that ends in the middle of what would be a request with a token.
HIDING = b"POST /p HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(GET[:-2] + TOKEN_FIELD[:26])


@pytest.mark.parametrize("is_early", [False, True])
def test_a_connection_that_was_idle_hides_no_call(is_early: bool) -> None:
    """What is a body stays one, and what is a v1 call is one, however long nothing is sent."""
    connections = Connections()
    connections.feed(send(HIDING, at_ns=0))
    if is_early:
        connections.expire((IDLE_TIMEOUT_S + 1) * 1_000_000_000)
    body = GET[:-2] + TOKEN_FIELD[:26]
    captured = connections.feed(send(body + OTHER, len(HIDING)))
    assert _brief(captured) == [(None, IN_BODY), ("/b", None)]
    assert [classify(each.request).version for each in captured] == [Version.UNKNOWN, Version.V1]
    assert [each.is_answered for each in captured] == [False, True]


def test_a_connection_that_was_forgotten_has_no_v2() -> None:
    """Where more connections are known than there is room for; those idle go first."""
    connections = Connections(max_connections=2)
    connections.feed(send(HIDING, port=1))
    connections.expire((IDLE_TIMEOUT_S + 1) * 1_000_000_000)
    for port in (2, 3):
        assert connections.feed(send(GET, port=port))
    assert (len(connections), connections.evicted) == (2, 0)
    assert _v2(connections, GET[:-2], len(HIDING), port=1) is Version.UNKNOWN
    assert connections.evicted == 1
    assert _v2(connections, GET[:-2], len(GET), port=3) is Version.V2


def test_an_idle_connection_whose_end_is_not_seen_is_forgotten() -> None:
    """Its socket may be another's by now."""
    connections = Connections()
    connections.feed(send(GET)._replace(is_answered=False))
    assert connections.expire((IDLE_TIMEOUT_S + 1) * 1_000_000_000) == []
    assert len(connections) == 0


def test_flush_returns_what_is_half_done() -> None:
    """At shutdown nothing that was begun is lost, and callers are known."""
    connections = Connections()
    connections.feed(send(GET[:20], at_ns=3, tid=9))
    connections.feed(send(OTHER, port=2))
    (captured,) = connections.flush()
    assert (captured.boottime_ns, captured.tid, captured.request.target) == (3, 9, "/a")
    assert connections.flush() == []
    assert (len(connections), connections.buffered) == (0, 0)


def test_longest_unused_connection_makes_room() -> None:
    """Beyond the number of connections the longest unused is forgotten, and counted."""
    connections = Connections(max_connections=3)
    for port in (1, 2, 3):
        connections.feed(send(GET[:20], port=port))
    connections.feed(send(GET[20:22], 20, port=1))
    (captured,) = connections.feed(send(OTHER[:9], port=4))
    assert (captured.connection.source_port, captured.request.reason) == (2, "incomplete")
    assert (len(connections), connections.evicted) == (3, 1)
    # Its rest is then a stream joined in its middle.
    assert (None, "capture_gap") in _brief(connections.feed(send(GET[20:], 20, port=2)))


def test_what_made_room_is_told_once() -> None:
    """As one loss, since when the last was told."""
    connections = Connections(max_connections=1)
    for port in (1, 2, 3):
        connections.feed(send(GET[:20], port=port, at_ns=port))
    (lost,) = connections.lost()
    assert (lost.events, lost.reason) == (2, EVICTED)
    assert connections.lost() == []


def test_held_bytes_are_bounded() -> None:
    """Beyond the number of bytes too the longest unused make room, reported all."""
    limit = 4 * MAX_HEAD_BYTES
    connections = Connections(max_buffered_bytes=limit)
    head = b"GET /a HTTP/1.1\r\nA: " + b"a" * 9_000
    reported = 0
    for port in range(1, 101):
        reported += len(connections.feed(send(head, port=port)))
        assert connections.buffered <= limit
    assert reported == connections.evicted == 100 - len(connections)
    assert reported + len(connections.flush()) == 100
    assert connections.buffered == 0


@pytest.mark.parametrize("cut", [None, 30])
def test_a_head_in_memory_that_changes_is_marked(cut: Optional[int]) -> None:
    """If any part of it is; the next one on the connection is not."""
    data = b"GET /latest/meta-data/ HTTP/1.1\r\nX-aws-ec2-metadata-token: x\r\n\r\n"
    connections = Connections()
    first = send(data[:cut])._replace(is_changeable=True)
    captured = connections.feed(first)
    if cut is not None:
        assert captured == []
        captured = connections.feed(send(data[cut:], cut))
    captured += connections.feed(send(data, len(data)))
    assert [each.request.reason for each in captured] == [CHANGEABLE, None]


def test_an_idle_connection_with_half_a_request_is_flushed_with_the_others() -> None:
    """Flushing wakes what is idle, and leaves nothing to be flushed again."""
    connections = Connections()
    whole = send(GET, port=1)
    assert _brief(connections.feed(whole)) == [("/a", None)]
    connections.expire((IDLE_TIMEOUT_S + 1) * 1_000_000_000)
    connections.feed(send(OTHER[:-2], port=2))
    assert _brief(connections.flush()) == [("/b", "incomplete")]
    assert connections.flush() == []
