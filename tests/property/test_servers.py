"""Whatever a server makes of a stream, no call without a token is hidden, or taken for IMDSv2.

The servers here read as sloppily as real ones have been seen to: they differ in what ends a line,
a word, a head, and a body.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from analyzer.recorder.classify import classify
from analyzer.recorder.decode.http import INCOMPLETE, RequestParser
from analyzer.recorder.records import Version

TOKEN = b"x-aws-ec2-metadata-token"
METHODS = (b"GET", b"get", b"PUT", b"POST")


class Server(NamedTuple):
    """How a server reads."""

    is_any_space: bool  # between the words of a request line; else single spaces
    skips_garbage: bool  # goes on behind a line that is no request's; else ends the connection
    ends_at_space: bool  # takes a line of nothing but space for the end of a head
    names: str  # "exact", or "stripped": a space before the colon is none, "-" is "_", too
    folds: bool  # takes a line that begins with space for more of the one before; else for one
    length: str  # "none", "digits", "prefix" (as atoi does), "first" or "last" of several
    chunks: str  # "none", "exact", "anywhere"
    prefers_length: bool  # where there are both


SERVERS = st.builds(
    Server,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["exact", "stripped"]),
    st.booleans(),
    st.sampled_from(["none", "digits", "prefix", "first", "last"]),
    st.sampled_from(["none", "exact", "anywhere"]),
    st.booleans(),
)


class _Reader:
    """The bytes of a stream, line by line."""

    def __init__(self, stream: bytes) -> None:
        self.rest = stream

    def line(self) -> Optional[bytes]:
        line, newline, rest = self.rest.partition(b"\n")
        if not newline:
            return None
        self.rest = rest
        return line[:-1] if line.endswith(b"\r") else line

    def skip(self, size: int) -> None:
        self.rest = self.rest[size:]


def _head(server: Server, reader: _Reader) -> Optional[list[bytes]]:
    """Read the lines of a head up to its end; None where there is none."""
    lines: list[bytes] = []
    while (line := reader.line()) is not None:
        if not line or (server.ends_at_space and not line.strip(b" \t\r")):
            return lines
        if line[:1] in b" \t" and server.folds and lines:
            lines[-1] += b" " + line.strip()
        else:
            lines.append(line.strip() if not server.folds else line)
    return None


def _values(server: Server, lines: list[bytes], name: bytes) -> list[bytes]:
    found = []
    for line in lines:
        key, colon, value = line.partition(b":")
        if server.names == "stripped":
            key = key.strip().replace(b"_", b"-")
        if colon and key.lower() == name:
            found.append(value.strip())
    return found


def _length(server: Server, values: list[bytes]) -> int:
    if server.length == "none" or not values:
        return 0
    parts = b",".join(values).split(b",")
    value = parts[0 if server.length != "last" else -1].strip()
    if server.length == "digits":
        return int(value) if value.isdigit() and len(set(parts)) == 1 else 0
    match = re.match(rb"\+?(\d+)", value)
    return int(match[1]) if match else 0


def _skip_body(server: Server, lines: list[bytes], reader: _Reader) -> None:
    codings = b",".join(_values(server, lines, b"transfer-encoding")).lower()
    is_chunked = codings == b"chunked" if server.chunks == "exact" else b"chunked" in codings
    lengths = _values(server, lines, b"content-length")
    if is_chunked and server.chunks != "none" and not (lengths and server.prefers_length):
        while (line := reader.line()) is not None:
            match = re.match(rb"[ \t]*([0-9a-fA-F]+)", line)
            if match is None or int(match[1], 16) == 0:
                break
            reader.skip(int(match[1], 16))
            reader.line()
        _head(server, reader)
        return
    reader.skip(_length(server, lengths))


def _tokenless(server: Server, stream: bytes) -> int:
    """Count the calls without a token that a server answers."""
    reader, calls = _Reader(stream), 0
    while (line := reader.line()) is not None:
        if not line:
            continue
        words = line.split() if server.is_any_space else line.split(b" ")
        if len(words) != 3 or not words[2].startswith(b"HTTP/1") or words[0] not in METHODS:
            if not server.skips_garbage:
                break
            continue
        lines = _head(server, reader)
        if lines is None:
            break
        is_token_request = words[0] == b"PUT" and words[1] == b"/latest/api/token"
        # Only the exact name counts to IMDS.
        if not (is_token_request or _values(server._replace(names="exact"), lines, TOKEN)):
            calls += 1
        _skip_body(server, lines, reader)
    return calls


LINES = st.sampled_from(
    [b"GET /a HTTP/1.1", b"GET /a HTTP/1.1", b"PUT /latest/api/token HTTP/1.1", b"get /b HTTP/1.1",
     b"GET\t/c HTTP/1.1", b" GET /d HTTP/1.1", b"POST /e HTTP/1.0", b"\x00", b"GET", b"5", b"0"]
)  # fmt: skip
FIELDS = st.sampled_from(
    [b"Host: x", TOKEN + b": t", TOKEN + b": ", b"A: ", b" ", b"\t", b" folded", b"\r", b"junk",
     b"Content-Length: %d", b"Content-Length: +%d", b"Content-Length : %d",
     b"Content_Length: %d", b" Content-Length: %d", b"Content-Length: %d, 0",
     b"Content-Length: 0, %d", b"Transfer-Encoding: chunked", b"Transfer-Encoding : chunked",
     b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: xchunked",
     b"GET /f HTTP/1.1", b"X\x0b: y"]
)  # fmt: skip


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    """Make what some server takes for a head, with the length of some body."""
    length = draw(st.integers(0, 90))
    fields = [field.replace(b"%d", b"%d" % length) for field in draw(st.lists(FIELDS, max_size=4))]
    return b"\r\n".join([draw(LINES), *fields, b"", b""])


PIECES = st.one_of(
    heads(),
    heads(),
    st.tuples(heads(), st.integers(0, 60)).map(lambda pair: pair[0][: pair[1]]),
    st.sampled_from([b"\r\n", b"2f\r\n", b"0\r\n\r\n", b"x" * 20, b"\r\n0\r\n\r\n", b"\n"]),
)
STREAMS = st.lists(PIECES, min_size=1, max_size=6).map(b"".join)
PLAIN = Server(False, False, False, "exact", True, "digits", "exact", False)
SLOPPY = Server(True, True, True, "stripped", False, "prefix", "anywhere", False)
HIDING = b"GET /x HTTP/1.1\r\n" + TOKEN + b": "
REAL = b"GET /real HTTP/1.1\r\n\r\n"


@settings(max_examples=500)
@given(SERVERS, STREAMS, st.sampled_from([1, 7, 1 << 20]))
@example(SLOPPY, b"POST /p HTTP/1.1\r\nContent-Length: +43\r\n\r\n" + HIDING + REAL, 1 << 20)
@example(SLOPPY, b"POST /p HTTP/1.1\r\nContent-Length : 43\r\n\r\n" + HIDING + REAL, 1)
@example(PLAIN, b"POST /p HTTP/1.1\r\nContent-Length: 43\r\n\r\n" + HIDING + REAL, 7)
@example(SLOPPY, 30 * REAL.replace(b" ", b"\t", 1), 1 << 20)
@example(
    PLAIN._replace(length="none"), b"GET /a HTTP/1.1\r\nContent-Length: 22\r\n\r\n" + REAL, 1 << 20
)
def test_no_call_without_a_token_is_hidden_from_any_server(
    server: Server, stream: bytes, size: int
) -> None:
    """As many lines are v1 or unknown as there are such calls, at least."""
    parser = RequestParser()
    requests = [
        request
        for at in range(0, len(stream), size)
        for request in parser.feed(stream[at : at + size])
    ]
    requests += parser.finish(INCOMPLETE)
    versions = [classify(request).version for request in requests]
    calls = _tokenless(server, stream)
    event(f"calls: {min(calls, 3)}")
    assert sum(version is not Version.V2 for version in versions) >= calls
