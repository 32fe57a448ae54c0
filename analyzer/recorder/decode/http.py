"""Parses the HTTP/1.x requests of one connection, fed with bytes. Does no I/O.

It watches a client, and so accepts more than a server would:

- no Host, spaces in the target, bare line feeds;
- blank lines before a request, many requests before a response;
- the one-line request of HTTP/0.9 (``GET /path``), which is complete with its line feed.

It never raises, whatever it is fed. It takes time linear in the input, however that is split.

Where framing breaks, the rule is to say too much rather than to hide a request. Bytes
that should be a request and are not give one ``not_http`` request, up to their next blank line.
The next line or send that begins like a request is read as one. From then on nothing is taken
for IMDSv2 on the connection: what looks like it may be a part of another request.
"""

from __future__ import annotations

import re

from analyzer.recorder.decode.head import (
    BEGINNING,
    CHUNKED,
    MAYBE_REQUEST,
    MAYBE_REQUEST_BYTES,
    METHODS,
    NOT_HTTP,
    SAFE_BEGINNING,
    SAFE_WORD,
    UNCERTAIN,
    Buffer,
    RequestLine,
    count_behind_end,
    maybe_request_line,
    read_cut_head,
    read_head,
    unread,
)
from analyzer.recorder.records import DOUBTS, UNFRAMED, Request, Token
from analyzer.recorder.source_events import Problem

# An IMDS request has 100 to 700 bytes, and most servers refuse a head of more than 8 KiB.
# Also the most a parser holds between two calls.
MAX_HEAD_BYTES = 16 * 1024
# A chunk's length has at most 16 digits; nobody sends extensions.
MAX_CHUNK_LINE_BYTES = 1024

CAPTURE_GAP = "capture_gap"
INCOMPLETE = "incomplete"
HEADER_TOO_LARGE = "header_too_large"
# A body has a line in it that begins like a request: to a server that reads no body, it is one.
IN_BODY = "request_in_body"

_BLANK_LINES = re.compile(rb"(?:\r?\n)+")
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\n]*)?\r?\n")
# Of what may stand behind the last chunk: a field, one that is folded, or the blank line.
_TRAILER = re.compile(rb"(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+:|[ \t])[^\n]*)?\r?\n")
# Bytes that are no request go on to a blank line, be there space in it, or to one that begins like
# a request.
_END_OF_GARBAGE = re.compile(rb"\n(?:((?:[ \t\r]*\n)+)|(?=(?:%s) ))" % b"|".join(METHODS))
# Of such a line, in garbage or in a body, so much may be there.
_KEPT_BYTES = MAYBE_REQUEST_BYTES - 1
_NO_LINE = RequestLine(b"", b"", has_version=False)
_CR, _LF = b"\r\n"

# What the next byte belongs to; each is an index into RequestParser._STEPS.
_LINE, _FIELDS, _BODY, _CHUNK_SIZE, _CHUNK_DATA, _CHUNK_END, _TRAILERS, _SKIP, _GARBAGE = range(9)


def _may_be_v2(request: Request) -> bool:
    return request.token is Token.PRESENT or request.method == "PUT"


class RequestParser:
    """Turns the bytes of one connection into requests, in order.

    ``is_joined`` says that the connection's beginning was not seen: unless what comes
    first is a request, it is reported as a ``capture_gap``.
    """

    __slots__ = (
        "_buffer", "_doubt", "_excuse", "_is_cut", "_is_framed", "_is_lost", "_left", "_line",
        "_scanned", "_skipped", "_state", "_tail",
    )  # fmt: skip

    def __init__(self, *, is_joined: bool = False) -> None:
        """Expect a request."""
        self._state = _LINE
        self._buffer = bytearray()  # begins with the first byte that is not used up
        self._scanned = 0  # bytes of the buffer that need not be searched again
        self._left = 0  # _FIELDS: bytes the head may yet have; bodies: bytes yet to come
        self._line = _NO_LINE
        # Reported when the next bytes are no request; "" when that has been done already.
        self._excuse = CAPTURE_GAP if is_joined else NOT_HTTP
        self._is_lost = is_joined  # whether it is not known what the next bytes are
        # Whether all was read as every server would, from the connection's first byte on.
        self._is_framed = not is_joined
        self._tail = b""  # of a body, its latest bytes
        self._doubt = ""  # why all that is read is reported as in doubt, if it is
        self._skipped = False  # whether the latest bytes were dropped as no request
        self._is_cut = False  # whether the latest bytes were missing as beyond a limit

    @property
    def is_pending(self) -> bool:
        """True if a request has begun and its head is not complete."""
        if self._state == _LINE:
            return len(self._buffer) > (self._buffer[:1] == b"\r")
        return self._state == _FIELDS

    @property
    def buffered(self) -> int:
        """The number of bytes held."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Request]:
        """Take the stream's next bytes and return the requests that are complete with them."""
        found: list[Request] = []
        buffer: Buffer = data
        if self._state == _GARBAGE and SAFE_WORD.match(data) is not None:
            self._buffer.clear()
            self._enter(_LINE)
        if self._buffer:
            self._buffer += data
            buffer = self._buffer
        self._skipped = self._is_cut = False
        position, end = 0, len(buffer)
        while position < end:
            state = self._state
            after = self._STEPS[state](self, buffer, position, found)
            if after == position and self._state == state:
                break
            position = after
        if buffer is self._buffer:
            del self._buffer[:position]
        elif position < end:
            self._buffer += data[position:]
        return [each._replace(reason=self._doubt) for each in found] if self._doubt else found

    def gap(self, length: int, reason: str) -> list[Request]:
        """Take note that the next ``length`` bytes are missing, for ``reason``.

        Inside a body of known length they are not missed. Elsewhere a request is
        returned with what is known of it. One of DOUBTS is the reason of all requests from
        then on, because where they begin is in doubt.
        """
        if length <= 0:
            return []
        is_in_body = self._state in (_BODY, _CHUNK_DATA) and length <= self._left
        # Which byte stands in a body does not matter; whether one does is another question.
        if reason in DOUBTS and not (is_in_body and reason == Problem.CONFLICTING.value):
            return self._cast_doubt(reason, is_request=length > 1)
        if is_in_body:
            self._use_up(length)
            return []
        # Missing bytes right behind dropped ones are part of what was already reported, and so
        # are more of those that were cut off, of which not always is known how many they are.
        is_known = self._skipped or (self._is_cut and reason == CAPTURE_GAP)
        found = [] if is_known else self._cut(reason)
        self._lose_track()
        self._skipped = False
        self._is_cut = reason == Problem.TRUNCATED.value
        return found

    def doubt(self, reason: str, *, is_request: bool) -> list[Request]:
        """Take note that bytes before were not what they seemed, for one of DOUBTS.

        Of a request under way nothing is believed. Without one, ``is_request`` says whether to
        return a request for what was read before.
        """
        is_pending = self.is_pending
        self._buffer.clear()
        self._enter(_LINE)
        self._is_lost = True
        self._cast_doubt(reason, is_request=False)
        if is_pending:
            self._excuse = ""
        return [unread(reason)] if is_request or is_pending else []

    def _cast_doubt(self, reason: str, *, is_request: bool) -> list[Request]:
        """Doubt all from here on; a byte between requests is not one of its own."""
        self._doubt = self._doubt or reason
        is_between = self._state == _LINE and not self.is_pending and not is_request
        found = [] if is_between or self._skipped else self._cut(reason)
        self._lose_track()
        self._skipped = False
        self._excuse = reason if is_between else ""
        return found

    def finish(self, reason: str) -> list[Request]:
        """Return the request that is half read, if there is one, with ``reason``; then forget it.

        ``reason`` is usually INCOMPLETE.
        """
        is_request = self.is_pending and (not self._is_lost or b" " in self._buffer)
        found = self._cut(self._doubt or reason) if is_request else []
        self._lose_track()
        return found

    def _cut(self, reason: str) -> list[Request]:
        """Return the request under way, without its end, and those that may be in it."""
        if self._state != _FIELDS:
            return [unread(reason)]
        return self._cut_head(bytes(self._buffer), reason)

    def _cut_head(self, fields: bytes, reason: str) -> list[Request]:
        request = self._believed(read_cut_head(self._line, fields, reason))
        return [request] + [unread(NOT_HTTP)] * count_behind_end(fields)

    def _believed(self, request: Request) -> Request:
        """Return the request, with a reason not to believe it where it may be a part of another."""
        if self._is_framed or not _may_be_v2(request) or request.reason in DOUBTS:
            return request
        return request._replace(reason=UNFRAMED)

    def _lose_track(self) -> None:
        self._buffer.clear()
        self._enter(_LINE)
        self._excuse = ""
        self._is_lost = True
        self._is_framed = False

    def _enter(self, state: int, left: int = 0, line: RequestLine = _NO_LINE) -> None:
        self._state = state
        self._left = left
        self._line = line  # may hold a secret, and so is forgotten with its head
        self._scanned = 0
        self._tail = b"\n"  # a body begins with a line

    # Each step reads at ``position`` and returns where the next one goes on. Returning
    # ``position`` without a change of state means: more bytes are needed.

    def _read_line(self, buffer: Buffer, position: int, found: list[Request]) -> int:
        blank = _BLANK_LINES.match(buffer, position)
        if blank is not None:
            return blank.end()
        limit = position + MAX_HEAD_BYTES
        newline = buffer.find(b"\n", position + self._scanned, limit)
        if newline >= 0:
            return self._take_line(buffer, position, newline, found)
        beginning = SAFE_BEGINNING if self._is_lost else BEGINNING
        if beginning.match(buffer, position) is None:
            return self._drop(position, found)
        if len(buffer) >= limit:
            found.append(unread(HEADER_TOO_LARGE))
            self._break(_LINE if self._doubt else _SKIP)
            return limit
        self._scanned = len(buffer) - position
        return position

    def _take_line(self, buffer: Buffer, start: int, newline: int, found: list[Request]) -> int:
        line = maybe_request_line(buffer, start, newline)
        if line is None:
            return self._drop(start, found)
        if self._is_lost and not (line.has_version and SAFE_BEGINNING.match(buffer, start)):
            return self._drop(start, found)
        self._excuse, self._is_lost = NOT_HTTP, False
        if not line.has_version:
            found.append(self._believed(read_head(line.method, line.target, b"")[0]))
            self._enter(_LINE)
            return newline + 1
        # The line feed stays: the head ends with the first two in succession.
        self._enter(_FIELDS, start + MAX_HEAD_BYTES - newline, line)
        return newline

    def _read_fields(self, buffer: Buffer, position: int, found: list[Request]) -> int:
        limit = position + self._left
        end = _END_OF_HEAD.search(buffer, position + self._scanned, limit)
        if end is not None:
            fields = bytes(buffer[position : end.start() + 1])
            request, body = read_head(self._line.method, self._line.target, fields)
            found.append(self._believed(request))
            if body == UNCERTAIN:
                found += [unread(NOT_HTTP)] * count_behind_end(fields)
            if self._doubt:
                self._enter(_LINE)  # nothing is passed over as a body that may be none
            elif body == UNCERTAIN:
                self._break()
            elif body == CHUNKED:
                self._enter(_CHUNK_SIZE)
            else:
                self._enter(_BODY if body else _LINE, body)
            return end.end()
        if len(buffer) >= limit:
            fields = bytes(buffer[position:limit])
            found += self._cut_head(fields, HEADER_TOO_LARGE)
            self._break(_LINE if self._doubt else _SKIP)
            return max(position, limit - 2)
        self._scanned = max(0, len(buffer) - position - 2)
        return position

    def _read_body(self, buffer: Buffer, position: int, found: list[Request]) -> int:
        taken = min(self._left, len(buffer) - position)
        self._look_into(bytes(buffer[position : position + taken]), found)
        self._use_up(taken)
        return position + taken

    def _look_into(self, body: bytes, found: list[Request]) -> None:
        """Tell each line of a body that is a request to a server that reads no bodies."""
        text, end = self._tail + body, 0
        for line in MAYBE_REQUEST.finditer(text):
            found.append(unread(IN_BODY))
            end = line.end()
            self._is_framed = False
        self._tail = text[max(end, len(text) - _KEPT_BYTES) :]

    def _break(self, state: int = _LINE) -> None:
        """Go on where servers may differ in what the next byte is."""
        self._is_framed = False
        self._enter(state)

    def _use_up(self, length: int) -> None:
        self._left -= length
        if not self._left:
            self._enter(_LINE if self._state == _BODY else _CHUNK_END)

    def _read_chunk_size(self, buffer: Buffer, position: int, _found: list[Request]) -> int:
        limit = position + MAX_CHUNK_LINE_BYTES
        if self._awaits_line(buffer, position, limit):
            return position
        line = _CHUNK_LINE.match(buffer, position, limit)
        if line is None:
            self._break()
            return position
        size = int(line[1], 16)
        if size:
            self._enter(_CHUNK_DATA, size)
            return line.end()
        self._enter(_TRAILERS)
        return line.end()

    def _read_trailers(self, buffer: Buffer, position: int, _found: list[Request]) -> int:
        """Pass over one field, or the blank line behind all; anything else is no part of it."""
        limit = position + MAX_HEAD_BYTES
        if self._awaits_line(buffer, position, limit):
            return position
        line = _TRAILER.match(buffer, position, limit)
        if line is not None:
            self._enter(_LINE if line[1] is None else _TRAILERS)
            return line.end()
        is_long = buffer.find(b"\n", position, limit) < 0
        self._break(_SKIP if is_long and not self._doubt else _LINE)
        return position

    def _awaits_line(self, buffer: Buffer, position: int, limit: int) -> bool:
        """Tell whether the line from there on may still end; each byte is looked at once."""
        if buffer.find(b"\n", position + self._scanned, limit) >= 0 or len(buffer) >= limit:
            return False
        self._scanned = len(buffer) - position
        return True

    def _read_chunk_end(self, buffer: Buffer, position: int, _found: list[Request]) -> int:
        after = position + (buffer[position] == _CR)
        if after == len(buffer):
            return position
        if buffer[after] != _LF:
            self._break()
            return position
        self._enter(_CHUNK_SIZE)
        return after + 1

    def _skip_to_blank_line(self, buffer: Buffer, position: int, _found: list[Request]) -> int:
        end = _END_OF_HEAD.search(buffer, position)
        if end is None:
            return max(position, len(buffer) - 2)
        self._enter(_LINE)
        return end.end()

    def _drop(self, position: int, found: list[Request]) -> int:
        """Give up on what begins there; it is reported, unless that has been done already."""
        if self._excuse:
            found.append(unread(self._excuse))
        # In doubt, what follows may be a request of its own, as may what comes next.
        self._excuse, self._is_lost = self._doubt, True
        self._break(_GARBAGE)
        return position

    def _skip_garbage(self, buffer: Buffer, position: int, _found: list[Request]) -> int:
        """Pass over what is no request. Behind a blank line, what is none is another one."""
        end = _END_OF_GARBAGE.search(buffer, position)
        if end is None:
            self._skipped = True
            kept = buffer.rfind(b"\n", max(position, len(buffer) - _KEPT_BYTES))
            return len(buffer) if kept < 0 else kept
        if end[1] is not None:
            self._excuse = self._doubt or NOT_HTTP
        self._enter(_LINE)
        return end.end()

    _STEPS = (
        _read_line,
        _read_fields,
        _read_body,
        _read_chunk_size,
        _read_body,
        _read_chunk_end,
        _read_trailers,
        _skip_to_blank_line,
        _skip_garbage,
    )
