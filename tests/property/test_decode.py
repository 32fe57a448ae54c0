"""Decoding under any input: splits, garbage, repetition, loss, and h11 as the oracle."""

from __future__ import annotations

import re
from typing import Optional

import h11
from hypothesis import assume, event, example, given, settings
from hypothesis import strategies as st

from analyzer.recorder.classify import classify
from analyzer.recorder.decode.connections import Connections
from analyzer.recorder.decode.head import MAX_USER_AGENT_BYTES, shown_method
from analyzer.recorder.decode.http import (
    IN_BODY,
    INCOMPLETE,
    MAX_HEAD_BYTES,
    RequestParser,
)
from analyzer.recorder.decode.whole import maybe_whole_request
from analyzer.recorder.records import UNFRAMED, Request, Token, Version
from analyzer.recorder.sinks import level
from analyzer.recorder.source_events import Problem
from analyzer.text import decode_text
from tests.sends import TOKEN, chunk

TCHARS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
TOKEN_NAME = b"X-aws-ec2-metadata-token"


def pairs(raw: bytes) -> list[tuple[int, int]]:
    return list(zip(raw[::2], raw[1::2]))


METHODS = st.one_of(
    st.sampled_from([b"GET", b"PUT", b"HEAD", b"POST"]),
    st.text(TCHARS, min_size=1, max_size=20).map(str.encode),
)
TARGETS = st.one_of(
    st.sampled_from([b"/", b"/latest/api/token", b"http://169.254.169.254/latest/", b"*"]),
    st.text(VISIBLE, min_size=1, max_size=40).map(str.encode),
)
VALUES = st.text(VISIBLE + " ", max_size=40).map(lambda text: text.strip().encode())
FIELDS = st.tuples(
    st.one_of(
        st.sampled_from([TOKEN_NAME, TOKEN_NAME.upper(), TOKEN_NAME + b"-ttl-seconds",
                         b"User-Agent", b"Metadata", b"X-Forwarded-For", b"Referer"]),
        st.text(TCHARS, min_size=1, max_size=20)
        .filter(lambda name: name.lower() not in ("content-length", "transfer-encoding",
                                                  "connection", "expect", "host", "upgrade"))
        .map(str.encode),
    ),
    st.one_of(VALUES, st.tuples(VALUES, VALUES).map(b"\r\n ".join), st.just(TOKEN.encode())),
)  # fmt: skip
BODIES = st.one_of(
    st.binary(max_size=60),
    st.just(b"GET /x HTTP/1.1\r\n" + TOKEN_NAME + b": " + TOKEN.encode() + b"\r\n\r\n"),
)


@st.composite
def valid_requests(draw: st.DrawFn) -> bytes:
    """Make one request as RFC 9112 allows it, with or without a body."""
    fields = [name + b": " + value for name, value in draw(st.lists(FIELDS, max_size=6))]
    body = b""
    framing = draw(st.sampled_from(["none", "none", "length", "chunked"]))
    if framing == "length":
        body = draw(BODIES)
        fields.append(b"Content-Length: %d" % len(body))
    elif framing == "chunked":
        parts = [part for part in draw(st.lists(BODIES, max_size=3)) if part]
        body = b"".join(b"%x;x=y\r\n%s\r\n" % (len(part), part) for part in parts)
        trailers = draw(st.sampled_from([b"", b"A: b\r\n", TOKEN_NAME + b": x\r\n"]))
        body += b"0\r\n" + trailers + b"\r\n"
        fields.append(b"Transfer-Encoding: chunked")
    fields.insert(draw(st.integers(0, len(fields))), b"Host: 169.254.169.254")
    line = b" ".join((draw(METHODS), draw(TARGETS), b"HTTP/1.1"))
    return b"".join(each + b"\r\n" for each in (line, *fields)) + b"\r\n" + body


STREAMS = st.lists(valid_requests(), max_size=4).map(b"".join)
PARTS = (b"GET ", b"PUT", b" /a", b" HTTP/1.1", b"\r", b"\n", b"\r\n", b"\r\n\r\n",
         b":", b" ", b"\t", b"0", b"5", b"f", b";", b"Content-Length: 5\r\n",
         b"Transfer-Encoding: chunked\r\n", TOKEN_NAME, b"User-Agent: ",
         TOKEN.encode(), b"\x00", b"\xff", b"a" * 9000, b"GET /a HTTP/1.1\r\n")  # fmt: skip
OTHER_MAX = 10


def nearly(plan: bytes) -> bytes:
    """Join parts of requests and other bytes, as the plan says: a draw for each takes longer.

    Half of its bytes name a part; the others say how many of the bytes behind go as they are.
    """
    made, at = bytearray(), 0
    while at < len(plan):
        number, is_part = divmod(plan[at], 2)
        at += 1
        if is_part:
            made += PARTS[number % len(PARTS)]
        else:
            length = number % (OTHER_MAX + 1)
            made += plan[at : at + length]
            at += length
    return bytes(made)


# Bytes that are nearly a request, which is where a parser goes wrong.
NEARLY = st.binary(max_size=70).map(nearly)
# Each cut is two bytes.
CUTS = st.binary(max_size=24).map(lambda raw: [high << 8 | low for high, low in pairs(raw)])


def _pieces(stream: bytes, cuts: list[int]) -> list[tuple[int, bytes]]:
    """Split a stream into pieces with their positions."""
    places = sorted({cut % (len(stream) + 1) for cut in cuts} | {0, len(stream)})
    return [(a, stream[a:b]) for a, b in zip(places, places[1:])]


def _parse(pieces: list[bytes]) -> list[Request]:
    parser = RequestParser()
    requests = [request for piece in pieces for request in parser.feed(piece)]
    return requests + parser.finish(INCOMPLETE)


_BEHIND_SPACE = re.compile(rb"\n[ \t\r]+\n(?:.*\n)*?x-aws-ec2-metadata-token:", re.IGNORECASE)


def _oracle(stream: bytes) -> list[tuple[str, str, Token, Optional[str]]]:
    """Read a stream with h11: method, target, token, and the user agent."""
    connection = h11.Connection(h11.SERVER)
    if stream:  # h11 takes no bytes for the end of the connection
        connection.receive_data(stream)
    found = []
    while (event := connection.next_event()) is not h11.NEED_DATA:
        if event is h11.PAUSED:
            connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            connection.send(h11.EndOfMessage())
            connection.start_next_cycle()
        elif isinstance(event, h11.Request):
            names = [name for name, _ in event.headers]
            agents = [value for name, value in event.headers if name == b"user-agent"]
            token = Token.PRESENT if TOKEN_NAME.lower() in names else Token.ABSENT
            agent = decode_text(agents[0][:MAX_USER_AGENT_BYTES]) if agents else ""
            method = shown_method(event.method)  # none that may be a secret
            found.append((method, decode_text(event.target), token, agent or None))
    return found


@given(STREAMS)
def test_valid_requests_are_read_as_h11_reads_them(stream: bytes) -> None:
    """With pipelining, folding, bodies and trailers, both see the same requests."""
    # h11 folds a line of nothing but space; other servers end the head there.
    assume(_BEHIND_SPACE.search(stream) is None)
    ours = _parse([stream])
    theirs = _oracle(stream)
    # What is in a body is told beside them.
    ours = [request for request in ours if request.reason != IN_BODY]
    assert {request.reason for request in ours} <= {None, UNFRAMED}
    assert len(ours) == len(theirs)
    for request, (method, target, token, agent) in zip(ours, theirs):
        assert (request.method, request.token) == (method, token)
        # Secrets in text are masked; all else must be the same.
        if "[redacted]" not in f"{request.target}{request.user_agent}":
            assert (request.target, _spaced(request.user_agent)) == (target, _spaced(agent))


def _spaced(text: Optional[str]) -> Optional[str]:
    """Leave one space of each run: where a line was folded nobody agrees on their number."""
    return None if text is None else " ".join(text.split())


@given(STREAMS, CUTS, st.binary(max_size=30))
def test_any_split_gives_the_same_requests(stream: bytes, cuts: list[int], rest: bytes) -> None:
    """How a stream is divided into sends changes nothing, whatever follows it."""
    whole = _parse([stream])
    assert _parse([data for _, data in _pieces(stream, cuts)]) == whole
    assert _parse([stream[at : at + 1] for at in range(len(stream))]) == whole
    assert _parse([stream + rest])[: len(whole)] == whole


@given(st.integers(1, 3 * MAX_HEAD_BYTES), st.booleans(), CUTS)
def test_any_split_of_a_large_head_gives_the_same_requests(
    size: int, has_token: bool, cuts: list[int]
) -> None:
    """Around and beyond the limit of a head too, the split changes nothing."""
    token = TOKEN_NAME + b": x\r\n" if has_token else b""
    stream = b"GET /a HTTP/1.1\r\nA: " + b"a" * size + b"\r\n" + token + b"\r\nGET /b\r\n"
    whole = _parse([stream])
    assert _parse([data for _, data in _pieces(stream, cuts)]) == whole
    assert [request.target for request in whole] == ["/a", "/b"]


@given(st.lists(st.tuples(NEARLY, st.integers(-1, 50)), max_size=10), st.booleans())
def test_garbage_never_raises_and_little_is_held(
    steps: list[tuple[bytes, int]], is_joined: bool
) -> None:
    """Any bytes with any gaps are survived, and the parser reads again behind them."""
    parser = RequestParser(is_joined=is_joined)
    for data, missing in steps:
        requests = parser.feed(data) + parser.gap(missing, "truncated")
        assert parser.buffered <= MAX_HEAD_BYTES
        for request in requests:
            repr((classify(request), level(classify(request))))
            assert TOKEN not in repr(request)
    assert TOKEN not in repr(parser.finish(INCOMPLETE))
    assert parser.buffered == 0
    (request,) = parser.feed(b"GET /again HTTP/1.1\r\n\r\n")
    assert (request.target, request.reason) == ("/again", None)


@given(
    STREAMS,
    CUTS,
    st.binary(max_size=40).map(
        lambda raw: [(back % 41, length % 41) for back, length in pairs(raw)]
    ),
    st.integers(0, 2**32 - 1),
)
def test_repeated_sends_change_nothing(
    stream: bytes, cuts: list[int], repeats: list[tuple[int, int]], start: int
) -> None:
    """Sends that are repeated, whole or from their middle on, are read once."""
    pieces = _pieces(stream, cuts)
    connections = Connections()
    captured = []
    for index, (position, data) in enumerate(pieces):
        captured += connections.feed(chunk(data, position, start=start))
        for back, length in repeats[index : index + 3]:
            begin = max(0, position + len(data) - back)
            repeated = stream[begin : min(begin + length, position + len(data))]
            captured += connections.feed(chunk(repeated, begin, start=start))
    captured += connections.flush()
    assert [each.request for each in captured] == _parse([stream])


@given(STREAMS, CUTS, st.sets(st.integers(0, 12)), st.sampled_from(Problem))
def test_lost_or_unread_sends_are_never_v1(
    stream: bytes, cuts: list[int], unread: set[int], problem: Problem
) -> None:
    """What is missing makes a request unknown: whatever is judged v1 was sent without a token."""
    without_token = {each.target for each in _parse([stream]) if each.token is Token.ABSENT}
    connections = Connections()
    captured = []
    for index, (position, data) in enumerate(_pieces(stream, cuts)):
        kept = data[: len(data) // 2] if index in unread else data
        captured += connections.feed(
            chunk(kept, position, missing=len(data) - len(kept), problem=problem)
        )
    for each in captured + connections.flush():
        assert TOKEN not in repr(each)
        if classify(each.request).version is Version.V1:
            assert each.request.target in without_token


V2_FIELDS = st.lists(
    FIELDS.filter(lambda field: field[0].lower() != TOKEN_NAME.lower()), max_size=3
)


@st.composite
def v2_requests(draw: st.DrawFn) -> bytes:
    """Make a token request, or a request with a token."""
    fields = [name + b": " + value for name, value in draw(V2_FIELDS)]
    if draw(st.booleans()):
        line = b"PUT /latest/api/token HTTP/1.1"
        fields.append(TOKEN_NAME + b"-ttl-seconds: 21600")
    else:
        line = draw(st.sampled_from([b"GET", b"HEAD", b"POST"])) + b" /latest/meta-data/ HTTP/1.1"
        fields.append(TOKEN_NAME + b": " + TOKEN.encode())
    return b"".join(each + b"\r\n" for each in (line, *fields)) + b"\r\n"


@given(v2_requests(), CUTS, st.booleans())
def test_a_v2_request_whose_beginning_is_missing_is_never_v1(
    stream: bytes, cuts: list[int], is_seen_from_its_start: bool
) -> None:
    """Wherever it is cut: the rest of its method is no method, nor is anything in it a request."""
    for cut in range(1, len(stream)):
        connections = Connections()
        captured = []
        if is_seen_from_its_start:
            captured += connections.feed(chunk(b"GET /before HTTP/1.1\r\n\r\n", 0))
            assert len(captured) == 1
            captured = []
        for position, data in _pieces(stream[cut:], cuts):
            captured += connections.feed(chunk(data, 24 + cut + position))
        captured += connections.flush()
        assert Version.V1 not in {classify(each.request).version for each in captured}


ENDS = st.one_of(
    st.just([b"\r\n"]), st.just([b"\r\n", b"\n"]), st.just([b"\r\n", b"\n", b"\r", b"\r\r\n", b""])
)
LINES = st.one_of(
    *[st.just(b"GET /a HTTP/1.1")] * 5,
    st.tuples(METHODS, TARGETS, st.sampled_from([b"HTTP/1.1", b"HTTP/1.10", b"http/1.1"])).map(
        b" ".join
    ),
    st.sampled_from([b"GET /a", b"GET /a b HTTP/1.1", b"get /a HTTP/1.1", b"GET  /a HTTP/1.1"]),
)
# What may make another request of a head, or another length of its body.
FRAMING = st.sampled_from(
    [b"", b"", b"", b"\t", b" folded", b" " + TOKEN_NAME + b": x", TOKEN_NAME + b": x", TOKEN_NAME,
     b"Content-Length: 0", b"Content-Length: 5", b"Content-Length: 5, 6", b"Content-Length:",
     b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"GET /b HTTP/1.1"]
)  # fmt: skip


@st.composite
def nearly_heads(draw: st.DrawFn) -> bytes:
    """Make what is, or might pass for, one head: its line ends, its folds, its end."""
    ends = st.sampled_from(draw(ENDS))
    fields = draw(st.lists(st.one_of(FRAMING, FIELDS.map(b": ".join)), max_size=4))
    if draw(st.integers(0, 9)) == 0:
        fields.append(b"A: " + b"a" * (MAX_HEAD_BYTES + draw(st.integers(-60, 0))))
    lines = b"".join(each + draw(ends) for each in [draw(LINES), *fields])
    before, end = draw(st.sampled_from([(b"", b"\r\n")] * 5 + [(b"\r\n", b"\n")]))
    return before + lines + end


WHOLE_OR_NOT = st.one_of(
    nearly_heads(),
    nearly_heads(),
    valid_requests(),
    st.lists(st.one_of(nearly_heads(), valid_requests(), NEARLY), max_size=3).map(b"".join),
)


@settings(max_examples=400)
@given(WHOLE_OR_NOT)
@example(b"GET /a HTTP/1.1\n\nGET /b HTTP/1.1\r\n\r\n")
@example(b"GET /a HTTP/1.1\r\nContent-Length: 5\r\n\r\n")
@example(b"GET /a HTTP/1.1\r\nContent-Length:\r\n 5\r\n\r\n")
@example(b"GET /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
@example(b"GET /a HTTP/1.1\r\nA: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n")
@example(b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n")
def test_what_is_read_without_a_parser_a_parser_reads_in_the_same_way(data: bytes) -> None:
    """And the parser is as new behind it, so that there need be none."""
    request = maybe_whole_request(data)
    event(f"is whole: {request is not None}")
    if request is None:
        return
    parser, new = RequestParser(), RequestParser()
    assert parser.feed(data) == [request]
    assert (parser.is_pending, parser.buffered) == (False, 0)
    for following in (b"GET /b HTTP/1.1\r\n\r\n", b"x", b"\n", b"GET /c\r\n", b"\x00\n"):
        assert parser.feed(following) == new.feed(following)


@given(st.lists(FIELDS, max_size=4))
def test_usual_requests_are_read_without_a_parser(fields: list[tuple[bytes, bytes]]) -> None:
    """Else the test above would test nothing."""
    lines = [b"GET /latest/ HTTP/1.1", *(name + b": " + value for name, value in fields)]
    data = b"".join(each + b"\r\n" for each in lines) + b"\r\n"
    assume(_BEHIND_SPACE.search(data) is None)
    assert maybe_whole_request(data) == _parse([data])[0]


NUMBERS = st.integers(0, 2**32 - 1)


@given(
    st.lists(
        st.tuples(NEARLY, st.integers(0, 3), NUMBERS, NUMBERS, st.integers(0, 2**40)), max_size=12
    )
)
def test_connections_survive_any_chunks(sends: list[tuple[bytes, int, int, int, int]]) -> None:
    """Contradictory sends never raise, and the bounds hold."""
    connections = Connections(max_connections=2, max_buffered_bytes=MAX_HEAD_BYTES + 100)
    captured = []
    for data, port, sequence, offset, missing in sends:
        captured += connections.feed(
            chunk(data, start=sequence, offset=offset, port=port, missing=missing)
        )
        assert len(connections) <= 2
        assert connections.buffered <= MAX_HEAD_BYTES + 100
    captured += connections.expire(10**18)
    assert connections.flush() == []
    assert (len(connections), connections.buffered) == (0, 0)
    assert TOKEN not in repr(captured)
