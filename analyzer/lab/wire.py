"""Parses HTTP/1.x on the server's side: bytes go in, requests come out. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import NamedTuple, Optional

MAX_HEAD_BYTES = 16 * 1024  # an IMDS request is under 1 KiB; common servers stop at 8 or 16
MAX_CHUNK_LINE_BYTES = 256  # a size in hex, perhaps an extension

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP/1\.([01])")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(r"[0-9]{1,15}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(;.*)?")


class WireError(Exception):
    """The peer does not speak HTTP/1.x; ``status`` is what to tell it before hanging up."""

    def __init__(self, status: int, why: str) -> None:
        """Take the HTTP status and the reason in words."""
        super().__init__(why)
        self.status = status


class Ask(NamedTuple):
    """One request. Header names are in lower case; repeated ones are joined by a comma."""

    method: str
    target: str
    headers: dict[str, str]
    keep_alive: bool


class Wire:
    """Cut one connection's bytes into requests; bodies are read over and dropped."""

    def __init__(self) -> None:
        """Start at the beginning of a connection."""
        self._buffer = bytearray()
        self._parsing = self._parse()

    def feed(self, data: bytes) -> Iterator[Ask]:
        """Yield the requests that are complete with ``data``. Raises WireError; then hang up."""
        self._buffer += data
        for ask in self._parsing:
            if ask is None:
                return
            yield ask

    def _parse(self) -> Generator[Optional[Ask], None, None]:
        while True:
            while (head := self._take_head()) is None:
                yield None
            ask = _parse_head(head)
            coding = ask.headers.get("transfer-encoding")
            length = ask.headers.get("content-length", "0")
            if coding is not None:
                if coding.lower() != "chunked":
                    raise WireError(501, "a transfer coding other than chunked")
                yield from self._skip_chunks()
            elif _LENGTH.fullmatch(length):
                yield from self._skip(int(length))
            else:
                raise WireError(400, "Content-Length is not a number")
            yield ask

    def _take_head(self) -> Optional[bytes]:
        start = len(self._buffer) - len(self._buffer.lstrip(b"\r\n"))  # leading blank lines
        del self._buffer[:start]
        end = _HEAD_END.search(self._buffer)
        if (len(self._buffer) if end is None else end.start()) > MAX_HEAD_BYTES:
            raise WireError(400, "the header block is too large")
        if end is None:
            return None
        head = bytes(self._buffer[: end.start()])
        del self._buffer[: end.end()]
        return head

    def _skip(self, count: int) -> Generator[None, None, None]:
        while count > 0:
            if not self._buffer:
                yield None
            dropped = min(count, len(self._buffer))
            del self._buffer[:dropped]
            count -= dropped

    def _skip_chunks(self) -> Generator[None, None, None]:
        while True:
            size_line = yield from self._take_line()
            size = _CHUNK_SIZE.fullmatch(size_line)
            if size is None:
                raise WireError(400, "a chunk without a size")
            count = int(size.group(1), 16)
            if count == 0:
                break
            yield from self._skip(count)
            if (yield from self._take_line()):
                raise WireError(400, "a chunk longer than its size")
        while (yield from self._take_line()):  # trailers, up to the blank line
            pass

    def _take_line(self) -> Generator[None, None, bytes]:
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > MAX_CHUNK_LINE_BYTES:
                raise WireError(400, "a line of a chunked body is too long")
            yield None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line[:-1] if line.endswith(b"\r") else line


def _parse_head(head: bytes) -> Ask:
    first, *rest = head.replace(b"\r\n", b"\n").split(b"\n")
    line = _REQUEST_LINE.fullmatch(first)
    if line is None:
        raise WireError(400, "the request line is not one of HTTP/1.x")
    headers: dict[str, str] = {}
    for each in rest:
        header = _HEADER.fullmatch(each)
        if header is None:
            raise WireError(400, "a header line without a name")
        # ISO 8859-1 maps every byte to one character: bytes are data here.
        name, value = header.group(1).decode("ascii").lower(), header.group(2).decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    connection = headers.get("connection", "").lower()
    keep_alive = "close" not in connection if line.group(3) == b"1" else "keep-alive" in connection
    return Ask(line.group(1).decode("ascii"), line.group(2).decode("latin-1"), headers, keep_alive)
