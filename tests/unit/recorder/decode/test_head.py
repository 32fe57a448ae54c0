"""Heads of requests, of which servers may differ in the length of the body."""

from __future__ import annotations

import pytest

from analyzer.recorder.decode.head import CHUNKED, UNCERTAIN, read_head


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        (b"", 0),
        (b"Host: x\r\n", 0),
        (b"Host: x\r\nContent-Length: 5\r\n", 5),
        (b"Transfer-Encoding: chunked\r\n", CHUNKED),
        # A space before the colon: some servers take it for the field, others refuse it.
        (b"Content-Length : 5\r\n", UNCERTAIN),
        (b"X-Forwarded-For: 10.0.0.1\r\nContent_Length: 5\r\n", UNCERTAIN),
        (b"Content-Length: 5\r\nContent-Length: 6\r\n", UNCERTAIN),
    ],
)
def test_a_length_that_servers_read_differently_is_uncertain(fields: bytes, length: int) -> None:
    request, found = read_head(b"GET", b"/latest", b"\n" + fields)
    assert (request.target, found) == ("/latest", length)
