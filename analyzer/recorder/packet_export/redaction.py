"""Covers tokens, credentials and bodies in sends; their length stays.

Everything is covered that is not known to be harmless. Shown are request lines, the names of
header fields, and the values of those that describe the client. None of them is shown if the
masking of the log would change it. A head is shown only when it is complete: a cut one might
look harmless.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Optional

from analyzer.masking import Look, mask_text
from analyzer.recorder.decode.head import (
    SAFE_BEGINNING,
    maybe_request_line,
    read_head,
    shown_method,
)
from analyzer.recorder.source_events import Chunk, Closed, SocketId
from analyzer.text import decode_text

COVER = b"*"
_Q = rb"(?:; ?q=[01]?(?:\.\d{1,3})?)?"
_PARAMETER = rb"(?:; ?(?:charset=[A-Za-z\d-]{1,16}|q=[01]?(?:\.\d{1,3})?|v=b\d))"
_MEDIA = rb"[\w*+.-]{1,64}/[\w*+.-]{1,64}" + _PARAMETER + rb"*"
_CODING = rb"(?:gzip|deflate|br|zstd|compress|x-gzip|identity|chunked|trailers|\*)" + _Q
_LANGUAGE = rb"(?:\*|[A-Za-z]{2,3}(?:-[A-Za-z\d]{2,4}){0,3})" + _Q
_CACHE = (
    rb"(?:no-cache|no-store|no-transform|only-if-cached|max-(?:age|stale)(?:=\d{1,10})?"
    rb"|min-fresh=\d{1,10})"
)
_CONNECTION = rb"(?i:close|keep-alive|upgrade|te|http2-settings|trailer)"
_DATE = rb"[A-Z][a-z]{2,8},? [\d ]?\d[ -][A-Z][a-z]{2}[ -]\d{2,4} [\d:]{8}(?: GMT)?"


def _list(item: bytes) -> bytes:
    return item + rb"(?: ?, ?" + item + rb")*"


_WHO = rb"(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::\d{1,5})?"
# Header fields whose values are shown, how a program asks, and for whom; and the form that a value
# must have, so that nothing else is in it.
SHOWN: dict[bytes, re.Pattern[bytes]] = {
    name: re.compile(form)
    for name, form in (
        (b"accept", _list(rb"(?:\*" + _Q + rb"|" + _MEDIA + rb")")),
        (b"accept-encoding", rb"(?:" + _list(_CODING) + rb")?"),
        (b"accept-language", _list(_LANGUAGE)),
        (b"cache-control", _list(_CACHE)),
        (b"connection", _list(_CONNECTION)),
        (b"content-length", rb"\d{1,20}"),
        (b"content-type", _MEDIA),
        (b"date", _DATE),
        (b"expect", rb"(?i:100-continue)"),
        (b"host", _WHO),
        (b"metadata", rb"(?i:true|false)"),
        (b"metadata-flavor", rb"(?i:google|ibm)"),
        (b"pragma", rb"no-cache"),
        (b"range", rb"\w{1,8}=[\d, -]*"),
        (b"te", _list(_CODING)),
        (b"transfer-encoding", _list(_CODING)),
        (b"user-agent", rb"[^\x00-\x1f\x7f]*"),
        (b"via", rb"[\w./:;,() -]*"),
        (b"x-aws-ec2-metadata-token-ttl-seconds", rb"\d{1,20}"),
        (b"x-forwarded-for", rb"[0-9A-Fa-f:., ]*"),
    )
}
# Beyond these a head is not waited for any longer, but covered.
MAX_HEAD_BYTES = 16 * 1024
MAX_HEAD_CHUNKS = 1024
# Connections whose place in a request is known; a chunk of another may only begin one.
MAX_CONNECTIONS = 4096
MAX_HELD_BYTES = 8 << 20
# A client that has not ended its head by then never will.
IDLE_NS = 30_000_000_000

_SEQUENCES = 1 << 32
_BLANK_LINES = re.compile(rb"(?:\r?\n)+")
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}):([ \t]*)(.*?)(\r?)")
# user:password@, also where no URL is: in a Host field, in the target of CONNECT
_USERINFO = re.compile(rb":[^\s:@]*@")
# AWS's secret keys have this length. Not looked for in paths, whose parts come to it, too.
_SECRET_KEY = re.compile(rb"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/])")

# A send, and what is to be said of it.
Noted = tuple[Chunk, str]


class Redactor:
    """Gives back each send that it is fed, in order on each connection, its secrets covered."""

    def __init__(self) -> None:
        # By their last use. No Lru: bytes are bounded too, and what makes room is still shown.
        self._streams: OrderedDict[SocketId, _Stream] = OrderedDict()
        self._held_bytes = 0

    def feed(self, chunk: Chunk, note: str) -> list[Noted]:
        """Take a send; return those of its connection that may be shown now."""
        socket_id = chunk.connection.socket_id
        stream = self._streams.get(socket_id)
        if stream is None:
            stream = self._streams[socket_id] = _Stream(is_joined=bool(chunk.offset))
        else:
            self._streams.move_to_end(socket_id)
        self._held_bytes -= stream.held_bytes
        ready = stream.feed(chunk, note)
        self._held_bytes += stream.held_bytes
        while len(self._streams) > MAX_CONNECTIONS or self._held_bytes > MAX_HELD_BYTES:
            ready += self._forget(next(iter(self._streams)))
        return ready

    def close(self, closed: Closed) -> list[Noted]:
        """Forget a connection; return what was held of it."""
        return self._forget(closed.socket_id) if closed.socket_id in self._streams else []

    def expire(self, now_boottime_ns: int) -> list[Noted]:
        """Return what is held since long ago."""
        ready: list[Noted] = []
        while self._streams:
            socket_id, stream = next(iter(self._streams.items()))
            if stream.used_boottime_ns > now_boottime_ns - IDLE_NS:
                break
            ready += self._forget(socket_id)
        return ready

    def flush(self) -> list[Noted]:
        """Return all that is held."""
        return [each for socket_id in list(self._streams) for each in self._forget(socket_id)]

    def _forget(self, socket_id: SocketId) -> list[Noted]:
        stream = self._streams.pop(socket_id)
        self._held_bytes -= stream.held_bytes
        return stream.release()


class _Stream:
    """One connection: sends that wait for the end of a head, and what the next byte is."""

    __slots__ = ("_body", "_buffer", "_expected", "_held", "_is_lost", "_shown", "used_boottime_ns")

    def __init__(self, *, is_joined: bool) -> None:
        self._held: list[Noted] = []
        self._buffer = bytearray()  # what is held and not yet decided
        self._shown = bytearray()  # what is held and decided, as it may be shown
        self._body: float = 0  # bytes of a body yet to come
        self._is_lost = is_joined
        self._expected: Optional[int] = None
        self.used_boottime_ns = 0

    @property
    def held_bytes(self) -> int:
        return len(self._buffer) + len(self._shown)

    def feed(self, chunk: Chunk, note: str) -> list[Noted]:
        self.used_boottime_ns = chunk.boottime_ns
        ready: list[Noted] = []
        if None not in (self._expected, chunk.sequence) and self._expected != chunk.sequence:
            ready += self._lose()
        if chunk.sequence is not None:
            self._expected = (chunk.sequence + chunk.size) % _SEQUENCES
        if self._is_lost and self._is_beginning(chunk.data):
            self._is_lost, self._body = False, 0
        self._held.append((chunk, note))
        self._buffer += chunk.data
        self._decide()
        if chunk.size > len(chunk.data):
            return ready + self._lose()
        if len(self._buffer) > MAX_HEAD_BYTES or len(self._held) > MAX_HEAD_CHUNKS:
            return ready + self._lose()
        return ready if self._buffer else ready + self.release()

    def release(self) -> list[Noted]:
        """Return what is held; what is not decided is covered."""
        shown = bytes(self._shown) + COVER * len(self._buffer)
        ready, at = [], 0
        for chunk, note in self._held:
            ready.append((chunk._replace(data=shown[at : at + len(chunk.data)]), note))
            at += len(chunk.data)
        self._held = []
        self._buffer.clear()
        self._shown.clear()
        return ready

    def _lose(self) -> list[Noted]:
        self._is_lost = True
        return self.release()

    def _is_beginning(self, data: bytes) -> bool:
        newline = data.find(b"\n")
        return (
            SAFE_BEGINNING.match(data) is not None
            and newline > 0
            and maybe_request_line(data, 0, newline) is not None
        )

    def _decide(self) -> None:
        """Move what can be shown, or is to be covered, out of the buffer."""
        buffer = self._buffer
        while buffer:
            if self._is_lost or self._body:
                taken = len(buffer) if self._is_lost else int(min(len(buffer), self._body))
                self._shown += COVER * taken
                self._body -= 0 if self._is_lost else taken
                del buffer[:taken]
                continue
            blank = _BLANK_LINES.match(buffer)
            if blank is not None:
                self._shown += blank[0]
                del buffer[: blank.end()]
                continue
            end = _END_OF_HEAD.search(buffer)
            if end is None:
                return
            head = bytes(buffer[: end.end()])
            del buffer[: end.end()]
            self._take_head(head)

    def _take_head(self, head: bytes) -> None:
        newline = head.index(b"\n")
        line = maybe_request_line(head, 0, newline)
        if line is None or not line.has_version:
            self._shown += COVER * len(head)
            self._is_lost = True
            return
        _, length = read_head(line.method, line.target, head[newline:])
        # The end of a body of no known length is not looked for: nobody sends one to IMDS.
        self._body = float("inf") if length < 0 else length
        first = head[: newline + 1]
        # The log shows a path in the same way, whose parts may come to a key's length.
        is_method = shown_method(line.method).encode() == line.method
        if not (is_method and _is_harmless(line.target, Look.TEXT) and _is_harmless(line.method)):
            first = COVER * newline + b"\n"
        self._shown += first + b"\n".join(map(_field, head[newline + 1 :].split(b"\n")))


def _field(line: bytes) -> bytes:
    """Return a header line as it may be shown."""
    if line in (b"", b"\r"):
        return line
    match = _FIELD.fullmatch(line)
    if match is None:  # a folded one, or none at all
        return COVER * len(line)
    name, space, value, end = match.groups()
    form = SHOWN.get(name.lower())
    if form is None or not form.fullmatch(value) or not _is_harmless(value):
        value = COVER * len(value)
    if form is None and not _is_harmless(name):  # a secret in the wrong place
        name = COVER * len(name)
    return name + b":" + space + value + end


def _is_harmless(value: bytes, look: Look = Look.STRICT) -> bool:
    text = decode_text(value)
    if mask_text(text, look=look) != text or _USERINFO.search(value) is not None:
        return False
    return look is Look.TEXT or _SECRET_KEY.search(value) is None
