"""The request parser: every reader fed whole, byte by byte, and with bytes that follow."""

from __future__ import annotations

import time
from typing import Optional

import pytest

from analyzer.recorder.decode.head import MAX_METHOD_BYTES, MAX_USER_AGENT_BYTES, METHODS, NOT_HTTP
from analyzer.recorder.decode.http import (
    CAPTURE_GAP,
    HEADER_TOO_LARGE,
    IN_BODY,
    INCOMPLETE,
    MAX_CHUNK_LINE_BYTES,
    MAX_HEAD_BYTES,
    RequestParser,
)
from analyzer.recorder.decode.whole import maybe_whole_request
from analyzer.recorder.records import UNFRAMED, Hint, Request, Token
from tests.sends import TOKEN
from tests.unit.secret_requests import INNOCENT_AGENTS, INNOCENT_TARGETS, REQUESTS, get
from tests.unit.secret_samples import leaks

# What a test may take, as a multiple of the time that a plain loop over as many bytes takes now: so
# it does not matter what else runs. About 10 is needed; searching all that is held again for each
# byte takes over 100.
LINEAR = 40

FOLLOWING = b"GET /following HTTP/1.1\r\n\r\n"


def _parse(*pieces: bytes) -> list[Request]:
    parser = RequestParser()
    return [request for piece in pieces for request in parser.feed(piece)]


def _bytewise(stream: bytes) -> list[Request]:
    return _parse(*(stream[at : at + 1] for at in range(len(stream))))


def _one(stream: bytes) -> Request:
    (request,) = _parse(stream)
    return request


def _brief(requests: list[Request]) -> list[tuple[Optional[str], Optional[str]]]:
    return [(request.target, request.reason) for request in requests]


def _get(*fields: bytes, target: bytes = b"/a") -> bytes:
    return b"".join((b"GET ", target, b" HTTP/1.1\r\n", *(f + b"\r\n" for f in fields), b"\r\n"))


READERS = {
    "no fields": _get(),
    "fields": _get(b"Host: x", b"User-Agent: curl/7"),
    "bare line feeds": b"GET /a HTTP/1.1\nHost: x\n\n",
    "mixed line ends": b"GET /a HTTP/1.1\nHost: x\r\n\n",
    "leading blank lines": b"\r\n\n\r\n" + _get(),
    "http 0.9": b"GET /a\r\n",
    "content length": _get(b"Content-Length: 9") + b"1GET /b\n\n",
    "repeated length": _get(b"Content-Length: 3, 3", b"content-length:3") + b"\n\n\n",
    "folded length": _get(b"Content-Length:", b"  3") + b"\n\n\n",
    "chunked": _get(b"Transfer-Encoding: chunked")
    + b"4\r\nGET/\r\n0A;x=y\r\n/b\n\n12345\n\r\n0\r\n\r\n",
    "chunked last": _get(b"Transfer-Encoding: gzip, Chunked") + b"1\r\nx\r\n0\r\n\r\n",
    "folded trailers": _get(b"Transfer-Encoding: chunked") + b"0\nA: b\r\n c\r\nD:\r\n\r\n",
    "trailers": _get(b"Transfer-Encoding: chunked") + b"0\nA: b\r\nC: d\r\n\r\n",
    "chunked, bare line feeds": _get(b"Transfer-Encoding: chunked") + b"1\nx\n0\n\n",
}


@pytest.mark.parametrize("stream", READERS.values(), ids=READERS)
def test_reader_ends_where_its_request_ends(stream: bytes) -> None:
    """Whole, byte by byte and with a request behind it, a stream gives the same request."""
    assert _brief(_parse(stream)) == [("/a", None)]
    assert _bytewise(stream) == _parse(stream)
    both = [("/a", None), ("/following", None)]
    assert _brief(_parse(stream + FOLLOWING)) == both
    assert _brief(_bytewise(stream + FOLLOWING)) == both
    assert _brief(_parse(stream + stream)) == [("/a", None)] * 2


@pytest.mark.parametrize("stream", READERS.values(), ids=READERS)
def test_request_is_returned_with_the_end_of_its_head(stream: bytes) -> None:
    """Of a head whose last byte is not there nothing is returned until finish."""
    parser = RequestParser()
    size = 0
    while not (requests := parser.feed(stream[size : size + 1])):
        size += 1
    assert not parser.is_pending
    cut = RequestParser()
    assert cut.feed(stream[:size]) == []
    assert cut.is_pending
    (incomplete,) = cut.finish(INCOMPLETE)
    assert incomplete.reason == INCOMPLETE
    assert incomplete.target in (None, requests[0].target)
    assert not cut.is_pending
    assert cut.buffered == 0


@pytest.mark.parametrize(
    ("line", "method", "target"),
    [
        (b"GET / HTTP/1.1", "GET", "/"),
        (b"PUT /latest/api/token HTTP/1.0", "PUT", "/latest/api/token"),
        (b"OPTIONS * HTTP/1.1", "OPTIONS", "*"),
        (b"GET http://169.254.169.254/x HTTP/1.1", "GET", "http://169.254.169.254/x"),
        (b"GET /a b  c HTTP/1.1", "GET", "/a b  c"),
        (b"GET   /a   HTTP/1.1  ", "GET", "/a"),
        (b"GET /a http/1.1", "GET", "/a"),
        (b"get /a HTTP/2.0", "get", "/a"),
        (b"M-SEARCH x HTTP/1.1", "M-SEARCH", "x"),
        (b"GET /a HTTP/1.1 HTTP/1.1", "GET", "/a HTTP/1.1"),
        (b"GET /\xff HTTP/1.1", "GET", "/\\xff"),
        (b"GET /\x00 HTTP/1.1", "GET", "/\x00"),
        (b"GET /a", "GET", "/a"),
        (b"GET /a b", "GET", "/a b"),
    ],
)
def test_request_line_is_read_leniently(line: bytes, method: str, target: str) -> None:
    """What a sloppy client means is read, spaces in the target included."""
    request = _one(line + b"\r\n\r\n")
    assert (request.method, request.target, request.reason) == (method, target, None)


@pytest.mark.parametrize(
    "stream",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"hello world\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET \r\n\r\n",
        b"GET\t/a HTTP/1.1\r\n\r\n",
        b"{}: x\r\n",
        b"\x00",
        b"A" * (MAX_METHOD_BYTES + 1),
    ],
)
def test_garbage_is_reported_once_and_the_next_send_is_read(stream: bytes) -> None:
    """Garbage up to its blank line gives one not_http request, in however many sends it comes."""
    expected = [(None, NOT_HTTP), ("/following", None)]
    assert _brief(_parse(stream, FOLLOWING)) == expected
    assert _brief(_parse(stream.rstrip(b"\r\n"), b"\x00more\r\n\r\n", FOLLOWING)) == expected
    twice = [expected[0], *expected]
    assert _brief(_parse(stream.rstrip(b"\r\n"), b"\r\n\r\n", stream, FOLLOWING)) == twice
    bytewise = [stream[at : at + 1] for at in range(len(stream))]
    assert _brief(_parse(*bytewise, FOLLOWING)) == expected
    assert _brief(_parse(_get(), stream)) == [("/a", None), (None, NOT_HTTP)]


@pytest.mark.parametrize("before", [b" ", b"\r\r", b"\x00", b"-" * 200])
def test_request_behind_garbage_in_the_same_line_is_garbage(before: bytes) -> None:
    """What a server would refuse with the garbage before it is not taken for a request."""
    assert _brief(_parse(before + _get(), FOLLOWING)) == [(None, NOT_HTTP), ("/following", None)]


@pytest.mark.parametrize("before", [b"\x00\r\n", b"GET\t/x HTTP/1.1\r\n\r\n", b"x: y\r\n\r\n"])
def test_no_request_hides_behind_garbage(before: bytes) -> None:
    """Some servers pass over the garbage, or take it for a request: none of them is left out."""
    expected = [(None, NOT_HTTP), ("/following", None), ("/following", None)]
    assert _brief(_parse(before + 2 * FOLLOWING)) == expected
    assert _brief(_bytewise(before + 2 * FOLLOWING)) == expected
    tabs = 101 * _get().replace(b" ", b"\t", 1)
    assert _brief(_parse(tabs)) == _brief(_bytewise(tabs)) == [(None, NOT_HTTP)] * 101


def test_garbage_is_reported_anew_after_a_request() -> None:
    """Each stretch of garbage between requests is one of its own."""
    requests = _parse(b"\x00", FOLLOWING, b"\x00", b"\x00", FOLLOWING)
    assert [request.reason for request in requests] == [NOT_HTTP, None, NOT_HTTP, None]


@pytest.mark.parametrize(
    "field",
    [
        b"X-aws-ec2-metadata-token: " + TOKEN.encode(),
        b"x-AWS-ec2-METADATA-Token:x",
        b"X-aws-ec2-metadata-token:",
        b"X-aws-ec2-metadata-token:\r\n folded",
    ],
)
def test_token_is_present_in_any_case_and_even_empty(field: bytes) -> None:
    """Its header field makes a token present, whatever the value."""
    assert _one(_get(b"Host: x", field)).token is Token.PRESENT
    assert _one(_get(field, b"Host: x")).token is Token.PRESENT


@pytest.mark.parametrize(
    "stream",
    [
        _get(b"X-aws-ec2-metadata-token-ttl-seconds: 21600"),
        _get(b"X-aws-ec2-metadata-token"),
        _get(b"X-aws-ec2-metadata-token : x"),
        _get(b"Not-X-aws-ec2-metadata-token: x"),
        _get(b"User-Agent: a X-aws-ec2-metadata-token: x"),
        _get(b"Referer: x", b" X-aws-ec2-metadata-token: x"),
        _get(b"Referer: x", b"\tX-aws-ec2-metadata-token: x"),
        _get(b" X-aws-ec2-metadata-token: x"),
        _get(b"Referer: x\rX-aws-ec2-metadata-token: x"),
        _get(target=b"/X-aws-ec2-metadata-token:x"),
        _get(target=b"/?X-aws-ec2-metadata-token=x"),
        _get(b"Content-Length: 28") + b"X-aws-ec2-metadata-token: x\n",
        _get(b"Transfer-Encoding: chunked") + b"0\r\nX-aws-ec2-metadata-token: x\r\n\r\n",
    ],
)
def test_token_counts_only_as_a_header_field(stream: bytes) -> None:
    """A token's name elsewhere than at a header field's place is no token."""
    assert _one(stream).token is Token.ABSENT
    assert _bytewise(stream) == _parse(stream)


def test_facts_of_the_header_are_read() -> None:
    """User agent, X-Forwarded-For and the marks of other clouds are noted."""
    request = _one(
        _get(b"user-agent:  a b\t", b"User-Agent: second", b"X-FORWARDED-FOR: 10.0.0.1",
             b"Metadata-Flavor: Google", b"metadata: True", b"Authorization: Bearer Oracle",
             b"Metadata-Token: x")
    )  # fmt: skip
    assert request.user_agent == "a b"
    assert request.forwarded
    assert request.hints == {Hint.GOOGLE, Hint.AZURE, Hint.ORACLE, Hint.LINODE}
    assert _one(_get(b"Metadata-Flavor: IBM")).hints == {Hint.IBM}


def test_token_in_the_place_of_the_method_is_masked() -> None:
    """Tokens are made of characters that HTTP allows there; what surrounds one stays."""
    token = TOKEN.rstrip("=")
    assert _one(f"{token} /a HTTP/1.1\r\n\r\n".encode()).method == "[redacted]"
    assert _one(f"GET_{token} /a\r\n\r\n".encode()).method == "[redacted]"
    assert _one(b"UPDATEREDIRECTREF /a HTTP/1.1\r\n\r\n").method == "UPDATEREDIRECTREF"


def test_absent_facts_are_none() -> None:
    """An empty user agent is as good as none, and other values are no marks."""
    request = _one(
        _get(b"User-Agent: ", b"Metadata: no", b"Metadata-Flavor: x", b"Authorization: Basic x")
    )
    assert request == Request("GET", "/a", Token.ABSENT, None, False, frozenset(), None)


def test_user_agent_is_cut_at_its_limit() -> None:
    """A long user agent keeps its first bytes."""
    agent = _one(_get(b"User-Agent: " + b"a" * 2 * MAX_USER_AGENT_BYTES)).user_agent
    assert agent == "a" * MAX_USER_AGENT_BYTES


@pytest.mark.parametrize(
    "field",
    [b"Content-Length: -1", b"Content-Length: 0x10", b"Content-Length: 1, 2", b"Content-Length:",
     b"Content-Length: " + b"9" * 5000, b"Transfer-Encoding: chunked, gzip"],
)  # fmt: skip
def test_nothing_hides_behind_a_length_that_cannot_be_understood(field: bytes) -> None:
    """After a malformed length the next bytes are read as a request."""
    assert _brief(_parse(_get(field) + FOLLOWING)) == [("/a", None), ("/following", None)]
    assert _brief(_parse(_get(field) + b"\x00")) == [("/a", None), (None, NOT_HTTP)]


@pytest.mark.parametrize(
    "body",
    [b"", b"1\r\nx\r\n", b"1\r\nx"],
    ids=["instead of a size", "behind a chunk", "instead of a chunk's end"],
)
def test_nothing_hides_behind_a_broken_chunk(body: bytes) -> None:
    """Where chunked framing breaks, a request is read as one."""
    stream = _get(b"Transfer-Encoding: chunked") + body
    expected = [("/a", None), ("/following", None)]
    assert _brief(_parse(stream + FOLLOWING)) == expected
    assert _brief(_bytewise(stream + FOLLOWING)) == expected
    # A line without an end is not waited for beyond its limit.
    endless = stream + b"1;" + b"x" * MAX_CHUNK_LINE_BYTES
    assert _parse(endless)[-1].reason == NOT_HTTP


def test_head_of_the_greatest_length_is_read() -> None:
    """Up to the limit a head is complete, however it is split."""
    fill = MAX_HEAD_BYTES - len(_get(b"A: ", b"X-aws-ec2-metadata-token: x"))
    stream = _get(b"A: " + b"a" * fill, b"X-aws-ec2-metadata-token: x")
    assert len(stream) == MAX_HEAD_BYTES
    assert _one(stream).token is Token.PRESENT
    assert _brief(_bytewise(stream + FOLLOWING)) == [("/a", None), ("/following", None)]


@pytest.mark.parametrize("excess", [1, 2, 3, 4, 100, 3 * MAX_HEAD_BYTES])
def test_larger_head_is_cut_and_skipped(excess: int) -> None:
    """Beyond the limit a head is cut off, and what follows its blank line is read."""
    fill = MAX_HEAD_BYTES + excess - len(_get(b"A: "))
    stream = _get(b"A: " + b"a" * fill) + FOLLOWING
    expected = [("/a", HEADER_TOO_LARGE), ("/following", None)]
    assert _brief(_parse(stream)) == expected
    assert _brief(_bytewise(stream)) == expected


def test_token_beyond_the_limit_is_not_seen_and_one_before_it_is() -> None:
    """Of a head that is too large the part before the limit is believed."""
    long, token = b"A: " + b"a" * MAX_HEAD_BYTES, b"X-aws-ec2-metadata-token: x"
    assert _one(_get(long, token)).token is Token.ABSENT
    assert _one(_get(token, long)).token is Token.PRESENT


def test_line_without_end_is_cut() -> None:
    """A request line longer than the limit is cut, unread, and skipped with its head."""
    stream = b"GET /" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n" + FOLLOWING
    expected = [(None, HEADER_TOO_LARGE), ("/following", None)]
    assert _brief(_parse(stream)) == expected
    assert _brief(_bytewise(stream)) == expected


@pytest.mark.parametrize(
    ("before", "target", "token"),
    [
        (b"", None, Token.ABSENT),
        (b"\r", None, Token.ABSENT),
        (b"GET /a", None, Token.ABSENT),
        (b"GET /a HTTP/1.1\r\n", "/a", Token.ABSENT),
        (b"GET /a HTTP/1.1\r\nX-aws-ec2-metadata-token", "/a", Token.ABSENT),
        (b"GET /a HTTP/1.1\r\nX-aws-ec2-metadata-token:", "/a", Token.PRESENT),
        (b"GET /a HTTP/1.1\r\nX-aws-ec2-metadata-token: x\r\nUser-Agent: cu", "/a", Token.PRESENT),
        (b"GET /a HTTP/1.1\r\nA: b\r\n X-aws-ec2-metadata-token: x", "/a", Token.ABSENT),
    ],
)
def test_gap_cuts_the_request_under_way(before: bytes, target: Optional[str], token: Token) -> None:
    """A head with a gap is returned with what is known of it, and its cut value is not."""
    parser = RequestParser()
    assert parser.feed(before) == []
    (request,) = parser.gap(10, "truncated")
    assert (request.target, request.token, request.reason) == (target, token, "truncated")
    assert request.user_agent is None
    assert parser.buffered == 0
    assert parser.feed(b"ing/ HTTP/1.1\r\nX: y\r\n\r\n") == []
    assert _brief(parser.feed(FOLLOWING)) == [("/following", None)]


def test_request_in_pieces_is_read_after_a_gap() -> None:
    """After a gap, a request is found again even if it is sent byte by byte."""
    parser = RequestParser()
    assert len(parser.gap(1, "truncated")) == 1
    requests = [r for at in range(len(FOLLOWING)) for r in parser.feed(FOLLOWING[at : at + 1])]
    assert _brief(requests) == [("/following", None)]


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_gap_inside_a_body_is_not_missed(framing: str) -> None:
    """Bytes that are known to be body need not be there."""
    field = b"Content-Length: 30" if framing == "length" else b"Transfer-Encoding: chunked"
    body = b"" if framing == "length" else b"1e\r\n"
    end = b"" if framing == "length" else b"\r\n0\r\n\r\n"
    parser = RequestParser()
    assert len(parser.feed(_get(field) + body + b"x" * 10)) == 1
    assert parser.gap(20, "truncated") == []
    assert _brief(parser.feed(end + FOLLOWING)) == [("/following", None)]


def test_gap_beyond_a_body_is_reported() -> None:
    """A gap that goes past a body may hold a request, and so is one."""
    parser = RequestParser()
    parser.feed(_get(b"Content-Length: 30"))
    assert _brief(parser.gap(31, "truncated")) == [(None, "truncated")]


def test_each_gap_is_reported_and_one_behind_garbage_is_not() -> None:
    """Two gaps are two unread requests; a gap right behind garbage belongs to it."""
    parser = RequestParser()
    assert len(parser.gap(5, "unreadable_payload")) == 1
    assert len(parser.gap(5, "unreadable_payload")) == 1
    assert parser.feed(b"the rest of something") == []
    assert parser.gap(5, "truncated") == []
    assert parser.gap(0, "truncated") == []
    assert len(parser.gap(5, "truncated")) == 1


def test_joined_stream_begins_with_a_request_or_a_capture_gap() -> None:
    """A stream joined in its middle is read at once if a request is there."""
    assert _brief(RequestParser(is_joined=True).feed(FOLLOWING)) == [("/following", None)]
    parser = RequestParser(is_joined=True)
    assert _brief(parser.feed(b"X-aws-ec2-metadata-token: x\r\n")) == [(None, CAPTURE_GAP)]
    assert parser.feed(b"more\r\n\r\n") == []
    assert _brief(parser.feed(b"and more")) == [(None, NOT_HTTP)]
    assert _brief(parser.feed(FOLLOWING)) == [("/following", None)]


@pytest.mark.parametrize("method", METHODS)
def test_where_the_structure_is_not_known_only_a_whole_method_begins_a_request(
    method: bytes,
) -> None:
    """Of a method whose beginning is missing the rest would pass for one that nobody sent."""
    line = method + b" /latest/api/token HTTP/1.1\r\nHost: x\r\n\r\n"
    for cut in range(1, len(line)):
        whole, split = RequestParser(is_joined=True), RequestParser()
        assert ("/latest/api/token", UNFRAMED) not in _brief(whole.feed(line[cut:]))
        assert len(split.gap(cut, "truncated")) == 1
        rest = [line[at : at + 1] for at in range(cut, len(line))]
        assert [request for each in rest for request in split.feed(each)] == []
        # Whatever was dropped before it, the next one is read, also in pieces.
        found = [request for at in range(len(line)) for request in split.feed(line[at : at + 1])]
        reason = UNFRAMED if method == b"PUT" else None
        assert _brief(found) == [("/latest/api/token", reason)]


def test_finish_without_a_request_under_way_returns_nothing() -> None:
    """Between requests, inside a body and inside garbage nothing is half done."""
    for stream in (b"", b"\r", _get(), _get(b"Content-Length: 5") + b"x", b"\x00"):
        parser = RequestParser()
        parser.feed(stream)
        assert not parser.is_pending
        assert parser.finish(INCOMPLETE) == []


def test_token_is_in_no_request() -> None:
    """Wherever a token stands, no request has it, and a parser forgets it with its head."""
    token = TOKEN.encode()
    for stream in (
        _get(b"X-aws-ec2-metadata-token: " + token),
        _get(b"User-Agent: " + token),
        _get(b"User-Agent: X-aws-ec2-metadata-token: " + token),
        _get(b"Authorization: Bearer Oracle" + token),
        _get(target=b"/" + token),
        _get(target=b"/?x-aws-ec2-metadata-token=" + token),
        b"GET /" + token + b"\r\n",
    ):
        parser = RequestParser()
        requests = parser.feed(stream)
        assert len(requests) == 1
        assert TOKEN not in repr(requests)
        held = [getattr(parser, name) for name in RequestParser.__slots__]
        assert TOKEN not in repr(held)


def loop_s(stream: bytes) -> float:
    """Return the CPU seconds of a loop that takes bytes one by one and looks for line ends."""
    held = bytearray()
    began = time.process_time()
    for at in range(len(stream)):
        held += stream[at : at + 1]
        if held.find(b"\n") >= 0 or len(held) > 64:
            held.clear()
    return time.process_time() - began


@pytest.mark.parametrize(
    "stream",
    [
        _get(*[b"A: b"] * 2600) * 12,
        _get(b"A: b", *[b" "] * 5000) * 12,
        _get(target=b"/" + b" " * 16000) * 12,
        b"GET / HTTP/1.1\r\n" + b"A: b\n" * 40_000,
        _get() * 8_000,
        _get(b"Transfer-Encoding: chunked") + b"1\r\nx\r\n" * 32_000,
        b"\r\n" * 100_000,
    ],
    ids=["fields", "folds", "spaces", "endless head", "requests", "chunks", "blank lines"],
)
@pytest.mark.no_cover  # counting lines takes the time that is measured here
def test_time_is_linear_byte_by_byte(stream: bytes) -> None:
    """What is read byte by byte is read in a fraction of a second, and little is held.

    So little, 16 KiB, that of 200 KB each byte takes as long as it would of megabytes.
    """
    parser = RequestParser()
    allowed_s = LINEAR * loop_s(stream)
    began = time.process_time()
    for at in range(len(stream)):
        parser.feed(stream[at : at + 1])
        assert parser.buffered <= MAX_HEAD_BYTES
    assert time.process_time() - began < allowed_s


@pytest.mark.parametrize(
    "stream",
    [b"\n" * (1 << 21), b"GET /" + b" " * (1 << 21), _get() * (1 << 15), b" \n" * (1 << 20)],
    ids=["blank lines", "spaces", "requests", "garbage"],
)
@pytest.mark.no_cover  # counting lines takes the time that is measured here
def test_time_is_linear_in_one_piece(stream: bytes) -> None:
    """Megabytes in one piece are no burden either."""
    parser = RequestParser()
    allowed_s = LINEAR * loop_s(stream[: 1 << 18])
    began = time.process_time()
    parser.feed(stream)
    assert time.process_time() - began < allowed_s
    assert parser.buffered <= MAX_HEAD_BYTES


@pytest.mark.parametrize("way", REQUESTS)
def test_no_piece_of_a_secret_is_in_the_text_of_a_request(way: str) -> None:
    """Neither in the path nor in the query, the method, or the user agent."""
    found = RequestParser().feed(REQUESTS[way])
    assert found
    for each in found:
        text = "\n".join(filter(None, (each.method, each.target, each.user_agent)))
        assert leaks(text) == []


@pytest.mark.parametrize("target", INNOCENT_TARGETS)
def test_an_innocent_target_stays(target: str) -> None:
    """Roles with random endings, other clouds' paths, tags."""
    assert _one(get(target)).target == target


@pytest.mark.parametrize("agent", INNOCENT_AGENTS)
def test_an_innocent_user_agent_stays(agent: str) -> None:
    """Real ones, with versions of many kinds."""
    assert _one(get("/", agent)).user_agent == agent


SPACE_LINES = (b" ", b"\t", b"\r", b" \t\r", b" \r\n ")


@pytest.mark.parametrize("space", SPACE_LINES)
def test_a_token_behind_a_line_of_space_is_in_doubt(space: bytes) -> None:
    """To some servers the head has ended there: not v2, but no call without a token either."""
    stream = _get(b"Host: x", space, b"X-aws-ec2-metadata-token: t")
    assert (_one(stream).token, _one(stream).reason) == (Token.ABSENT, NOT_HTTP)
    assert _bytewise(stream) == _parse(stream)
    assert maybe_whole_request(stream) in (None, _one(stream))
    cut = RequestParser()
    cut.feed(stream[:-4])
    (request,) = cut.finish(INCOMPLETE)
    assert (request.token, request.reason) == (Token.ABSENT, INCOMPLETE)


@pytest.mark.parametrize("space", SPACE_LINES)
def test_a_line_of_space_elsewhere_changes_nothing(space: bytes) -> None:
    """A token before it counts to every server; without one there is none for any."""
    with_token = _one(_get(b"X-aws-ec2-metadata-token: t", space, b"Host: x"))
    assert (with_token.token, with_token.reason) == (Token.PRESENT, None)
    without = _one(_get(b"Host: x", space, b"A: b"))
    assert (without.token, without.reason) == (Token.ABSENT, None)
    folded = _one(_get(b"Host: x", b" y", b"X-aws-ec2-metadata-token: t"))
    assert (folded.token, folded.reason) == (Token.PRESENT, None)


def test_as_many_lines_of_space_as_there_is_room_for_are_read() -> None:
    """Whatever stands between them."""
    assert _one(_get(*[b" "] * 5000, b"X-aws-ec2-metadata-token: t")).reason == NOT_HTTP
    assert _one(_get(*[b"\ra"] * 4000, b"X-aws-ec2-metadata-token: t")).token is Token.PRESENT


@pytest.mark.parametrize("length", [b"0", b"4", b"400"])
def test_nothing_hides_where_chunks_and_a_length_contradict(length: bytes) -> None:
    """Of two framings a server may take either: what may be a request is told, as unknown."""
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(FOLLOWING), FOLLOWING)
    head = _get(b"Content-Length: " + length, b"Transfer-Encoding: chunked")
    expected = [("/a", None), (None, NOT_HTTP), ("/following", None), (None, NOT_HTTP)]
    assert _brief(_parse(head + chunks)) == expected
    assert _brief(_parse(head + FOLLOWING)) == [("/a", None), ("/following", None)]
    only = _get(b"Transfer-Encoding: chunked")
    assert _brief(_parse(only + chunks)) == [("/a", None), (None, IN_BODY)]


@pytest.mark.parametrize("trailers", [b"", b"A: b\r\n", b"A: b\r\n c\r\n"])
def test_a_request_in_place_of_trailers_is_one(trailers: bytes) -> None:
    """A server may take it for that, when it sees that it is no field."""
    stream = _get(b"Transfer-Encoding: chunked") + b"0\r\n" + trailers + FOLLOWING
    assert _brief(_parse(stream)) == [("/a", None), ("/following", None)]
    assert _bytewise(stream) == _parse(stream)


@pytest.mark.parametrize("size", [MAX_HEAD_BYTES - 10, MAX_HEAD_BYTES + 10])
def test_a_long_trailer_is_read_alike_however_it_is_sent(size: int) -> None:
    """At once, and byte by byte."""
    stream = _get(b"Transfer-Encoding: chunked") + b"0\r\nA: " + b"x" * size + b"\r\n\r\n"
    assert _bytewise(stream + FOLLOWING) == _parse(stream + FOLLOWING)


V2 = b"PUT /latest/api/token HTTP/1.1\r\n\r\n" + _get(b"X-aws-ec2-metadata-token: t", target=b"/v2")
# What servers read in different ways, or nobody can read: what follows may be a part of it.
BREAKS = {
    "garbage": b"\x00\r\n\r\n",
    "a tab": _get().replace(b" ", b"\t", 1),
    "a head that is too large": _get(b"A: " + b"a" * MAX_HEAD_BYTES),
    "a line that is too long": b"GET /" + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n",
    "no length": _get(b"Content-Length: +5"),
    "two lengths": _get(b"Content-Length: 5, 6"),
    "a space before the colon": _get(b"Content-Length : 5"),
    "another colon": _get(b"Content-Length\x0b: 5"),
    "an underscore": _get(b"Content_Length: 5"),
    "a fold": _get(b"A: b", b" Transfer-Encoding: chunked"),
    "a fold of nothing": _get(b" Content-Length: 5"),
    "both": _get(b"Content-Length: 5", b"Transfer-Encoding: chunked"),
    "an unknown coding": _get(b"Transfer-Encoding: xchunked"),
    "a coding behind the chunks": _get(b"Transfer-Encoding: chunked, identity"),
    "a coding and a length": _get(b"Transfer-Encoding: identity", b"Content-Length: 5"),
    "a chunk's size": _get(b"Transfer-Encoding: chunked") + b"+5\r\n\r\n",
    "a chunk's end": _get(b"Transfer-Encoding: chunked") + b"1\r\nxy\r\n\r\n",
    "a trailer": _get(b"Transfer-Encoding: chunked") + b"0\r\n\x00\r\n\r\n",
    "a request in a body": _get(b"Content-Length: %d" % len(FOLLOWING)) + FOLLOWING,
    "a head that may have ended": _get(b" ", b"X-aws-ec2-metadata-token: t"),
}


@pytest.mark.parametrize("before", BREAKS.values(), ids=BREAKS)
def test_nothing_is_v2_where_servers_may_differ(before: bytes) -> None:
    """A token may stand in a body that only the server knows; a call without one is one anyway."""
    stream = before + V2 + FOLLOWING
    for found in (_parse(stream), _bytewise(stream)):
        assert _brief(found[-3:]) == [
            ("/latest/api/token", UNFRAMED),
            ("/v2", UNFRAMED),
            ("/following", None),
        ]


def test_nothing_is_v2_where_something_was_not_seen() -> None:
    """Before the first byte, or in between; where all of it was a body, nothing is missing."""
    expected = [("/latest/api/token", UNFRAMED), ("/v2", UNFRAMED), ("/following", None)]
    assert _brief(RequestParser(is_joined=True).feed(V2 + FOLLOWING)) == expected
    parser = RequestParser()
    parser.feed(FOLLOWING)
    parser.gap(40, CAPTURE_GAP)
    assert _brief(parser.feed(V2 + FOLLOWING)) == expected
    body = RequestParser()
    body.feed(_get(b"Content-Length: 40"))
    assert body.gap(40, CAPTURE_GAP) == []
    assert _brief(body.feed(V2)) == [("/latest/api/token", None), ("/v2", None)]


@pytest.mark.parametrize(
    "before", [READERS[name] for name in READERS if name != "http 0.9"] + [b"\r\n", _get(b" ")]
)
def test_what_every_server_reads_alike_costs_no_v2(before: bytes) -> None:
    """Bodies, chunks, trailers, folds, blank lines, in whatever pieces."""
    expected = [("/latest/api/token", None), ("/v2", None)]
    assert _brief(_parse(before + V2))[-2:] == expected
    assert _brief(_bytewise(before + V2))[-2:] == expected


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("method", [b"GET ", b"get\t", b"PUT ", b"OPTIONS ", b"  \t  GET\t"])
def test_a_request_in_a_body_is_told(framing: str, method: bytes) -> None:
    """A server that reads no bodies, as many that are written in a hurry, takes it for one."""
    body = b"x\r\n" + method + b"/in/body HTTP/1.1\r\n\r\n"
    for inner in (body, body[3:], body[3:] + body):
        count = inner.count(method)
        if framing == "length":
            stream = _get(b"Content-Length: %d" % len(inner)) + inner
        else:
            chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(inner), inner)
            stream = _get(b"Transfer-Encoding: chunked") + chunks
        expected = [("/a", None), *[(None, IN_BODY)] * count, ("/following", None)]
        assert _brief(_parse(stream + FOLLOWING)) == expected
        assert _brief(_bytewise(stream + FOLLOWING)) == expected
    harmless = b"budget forget GETTING /x target: GET /x"
    assert _brief(_parse(_get(b"Content-Length: 39") + harmless)) == [("/a", None)]


def test_a_request_behind_a_line_of_space_is_told() -> None:
    """To some servers the head ends there, and another one begins, whatever stands before it."""
    for before in ((), (b"X-aws-ec2-metadata-token: t",)):
        stream = _get(*before, b" ", b"GET /real HTTP/1.1") + V2
        expected = [
            ("/a", None),
            (None, NOT_HTTP),
            ("/latest/api/token", UNFRAMED),
            ("/v2", UNFRAMED),
        ]
        assert _brief(_parse(stream)) == _brief(_bytewise(stream)) == expected
    assert _brief(_parse(_get(b" x", b"GET /no HTTP/1.1"))) == [("/a", None)]
    for cut in ((b" ",), (b"A: " + b"a" * MAX_HEAD_BYTES,)):
        parser = RequestParser()
        found = parser.feed(_get(b" ", b"GET /real HTTP/1.1", *cut)[:-2])
        found += parser.finish(INCOMPLETE)
        assert [request.target for request in found] == ["/a", None]
