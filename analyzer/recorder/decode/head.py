"""Parses the head of one HTTP request, and keeps no secret of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple, Optional, Union

from analyzer.masking import MASK, mask_text
from analyzer.recorder.decode.relays import HOST_LINE, RELAYING, maybe_relayed
from analyzer.recorder.records import Hint, Request, Token
from analyzer.text import decode_text

# The longest product list seen at IMDS has 300 bytes; the rest of a longer one tells nothing.
MAX_USER_AGENT_BYTES = 512
# Masked before it is cut: a secret at the cut goes as far as it is kept.
_MASKED_USER_AGENT_BYTES = 2 * MAX_USER_AGENT_BYTES
# The longest method in IANA's registry, UPDATEREDIRECTREF.
MAX_REGISTERED_METHOD = 17
MAX_METHOD_BYTES = 128
_DIGIT = re.compile("[0-9]")  # none of the methods in the registry has one
# A body length of more digits is no length any sender means.
MAX_LENGTH_DIGITS = 18

# In place of a body's length: in chunks; or that servers may differ in where it ends.
CHUNKED = -1
UNCERTAIN = -2
_NO_BODY = 0

_TOKEN = b"x-aws-ec2-metadata-token"
_USER_AGENT = b"user-agent"
_FORWARDED = b"x-forwarded-for"
_CONTENT_LENGTH = b"content-length"
_TRANSFER_ENCODING = b"transfer-encoding"
# Field name -> beginnings of its value (lower case) and the cloud they tell.
_HINTS: dict[bytes, tuple[tuple[bytes, Hint], ...]] = {
    b"metadata-flavor": ((b"google", Hint.GOOGLE), (b"ibm", Hint.IBM)),
    b"metadata": ((b"true", Hint.AZURE),),
    b"authorization": ((b"bearer oracle", Hint.ORACLE),),
    b"metadata-token": ((b"", Hint.LINODE),),
    b"metadata-token-expiry-seconds": ((b"", Hint.LINODE),),
    # Google's libraries before they knew the address; old ones send no Metadata-Flavor.
    b"host": ((b"metadata.google.internal", Hint.GOOGLE_HOST),),
}
_FRAMING = (_CONTENT_LENGTH, _TRANSFER_ENCODING)
# What some servers take for one of these: with a space before the colon, or an underscore.
_NEARLY_FRAMING = b"|".join(name.replace(b"-", b".") for name in _FRAMING)
_FOLDED_FRAMING = re.compile(rb"\n[ \t\r]+(?:%s)" % _NEARLY_FRAMING, re.IGNORECASE)
_NO_HINTS: frozenset[Hint] = frozenset()
_SPACE = b" \t\r"

_TCHAR = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_METHOD = re.compile(_TCHAR + rb"{1,%d}" % MAX_METHOD_BYTES)
# Nearly every request line; the others are taken apart at leisure.
USUAL_LINE = re.compile(rb"([A-Z]{1,%d}) ([!-~]+) HTTP/[0-9]\.[0-9]\r?\n" % MAX_METHOD_BYTES)
_VERSION = re.compile(rb"HTTP/[0-9][0-9.]*", re.IGNORECASE)
_WITHOUT_VERSION = re.compile(rb"/|https?://", re.IGNORECASE)
_FOLD = re.compile(rb"\r?\n[ \t]+")
# A line of nothing but space. To some servers the head ends there, others fold it.
_MAYBE_END = re.compile(rb"\n[ \t\r]+\n")
NOT_HTTP = "not_http"
_TOKEN_LINE = re.compile(rb"\n%s:" % _TOKEN, re.IGNORECASE)
_WANTED = (_USER_AGENT, *_FRAMING, *(each for each in _HINTS if each != b"host"), *RELAYING)


def _by_letter(names: Iterable[bytes]) -> bytes:
    """Return a pattern of names, in which those with another first letter cost one look."""
    rests: dict[bytes, list[bytes]] = {}
    for name in names:
        rests.setdefault(name[:1], []).append(name[1:])
    return b"|".join(b"%s(?:%s)" % (letter, b"|".join(rest)) for letter, rest in rests.items())


# Each line that counts: a token's field by its name, its value left where it is, another field by
# its name and value, and one that is folded. To look first at the letter that a name begins with
# halves the time.
_LINE = re.compile(
    rb"\n(?=[%s \t\r])(?:(%s):|(%s):([^\n]*)|([ \t\r])|(%s))"
    % (
        bytes({each[0] for each in (_TOKEN, b"host", *_WANTED)}),
        _TOKEN,
        _by_letter((*_WANTED, HOST_LINE)),
        _NEARLY_FRAMING,
    ),
    re.IGNORECASE,
)

# What the first bytes must look like to be, or to be able to become, a request line; a lone
# carriage return may become a blank line before it.
BEGINNING = re.compile(rb"\r\Z|" + _TCHAR + rb"{1,%d}(?: |\Z)" % MAX_METHOD_BYTES)
# The same where the stream's structure is not known, and a guess must be a good one: whole names of
# methods, for of the end of one whose beginning is missing another is easily made (a v1 call with
# the method T of PUT). None of these is the end of another.
METHODS = (
    b"GET",
    b"HEAD",
    b"POST",
    b"PUT",
    b"DELETE",
    b"CONNECT",
    b"OPTIONS",
    b"TRACE",
    b"PATCH",
)
# A line that a server may take for a request's, which stands where none should be, and the most
# bytes of it. Some servers let space stand before the method.
_INDENT = 8
MAYBE_REQUEST = re.compile(
    rb"\n[ \t\r\v\f]{0,%d}(?:%s)[ \t\v\f]" % (_INDENT, b"|".join(METHODS)), re.IGNORECASE
)
MAYBE_REQUEST_BYTES = 1 + _INDENT + max(map(len, METHODS)) + 1
_BEGINNINGS = sorted({method[:size] for method in METHODS for size in range(1, len(method) + 1)})
_SAFE_WORD = rb"(?:%s) (?:\Z|[/h*])|(?:%s)\Z" % (b"|".join(METHODS), b"|".join(_BEGINNINGS))
SAFE_WORD = re.compile(_SAFE_WORD)
SAFE_BEGINNING = re.compile(rb"\r\Z|" + _SAFE_WORD)

Buffer = Union[bytes, bytearray]


class RequestLine(NamedTuple):
    """A request line's parts as sent. Without a version it is a whole HTTP/0.9 request."""

    method: bytes
    target: bytes
    has_version: bool


def maybe_request_line(buffer: Buffer, start: int, newline: int) -> Optional[RequestLine]:
    """Read the line from ``start`` up to the line feed at ``newline``; None if it is no request.

    Spaces in the target are the sender's mistake and are kept. A line without a
    version counts only if its target is a path or an http URL.
    """
    usual = USUAL_LINE.match(buffer, start)
    if usual is not None:
        return RequestLine(usual[1], usual[2], has_version=True)
    method, _, rest = bytes(buffer[start:newline]).rstrip(_SPACE).partition(b" ")
    if _METHOD.fullmatch(method) is None:
        return None
    target, _, version = rest.rpartition(b" ")
    has_version = bool(target) and _VERSION.fullmatch(version) is not None
    target = (target if has_version else rest).strip(b" \t")
    if not target or not (has_version or _WITHOUT_VERSION.match(target)):
        return None
    return RequestLine(method, target, has_version)


def read_head(method: bytes, target: bytes, fields: bytes) -> tuple[Request, int]:
    """Make a request of its line's parts and its header fields; also return its body's length.

    ``fields`` holds the line feed of the request line, and behind it the whole lines of the
    header block. The length is ``CHUNKED`` for a chunked body. It is ``UNCERTAIN`` where servers
    may differ in it. Then the following bytes are read as a request, so that a wrong length hides
    nothing. They are not believed, because they may be a body.
    """
    token = Token.ABSENT
    values: dict[bytes, list[bytes]] = {}
    is_uncertain = False
    for token_name, name, value, fold, nearly in _LINE.findall(fields):
        if token_name:
            token = Token.PRESENT
        elif fold:  # it belongs to the value before it
            return _read_folded_head(method, target, fields)
        elif nearly:
            is_uncertain = True
        else:
            values.setdefault(name.lower(), []).append(value.strip(_SPACE))
    agents = values.pop(_USER_AGENT, None)
    agent = _agent(agents[0]) if agents else None
    verb, path = shown_method(method), _text(target)
    if not values:
        request = Request(verb, path, token, agent, False, _NO_HINTS, None)
        return request, UNCERTAIN if is_uncertain else _NO_BODY
    forwarded = _FORWARDED in values
    request = Request(
        verb, path, token, agent, forwarded, _hints(values), None, maybe_relayed(values)
    )
    if is_uncertain:
        return request, UNCERTAIN
    return request, _NO_BODY if values.keys().isdisjoint(_FRAMING) else _body_length(values)


def _read_folded_head(method: bytes, target: bytes, fields: bytes) -> tuple[Request, int]:
    # What begins with a carriage return is no field of any name, and no fold.
    folded = _FOLD.sub(b" ", fields).replace(b"\n\r", b"\n?")
    request, length = read_head(method, target, folded)
    if _is_behind_end(fields):
        request = request._replace(token=Token.ABSENT, reason=NOT_HTTP)
        length = UNCERTAIN
    elif _FOLDED_FRAMING.search(fields) is not None or count_behind_end(fields):
        length = UNCERTAIN
    return request, length


def _is_behind_end(fields: bytes) -> bool:
    """Tell whether all there is of a token stands where the head may have ended already."""
    end = _MAYBE_END.search(fields)
    return (
        end is not None
        and _TOKEN_LINE.search(fields, 0, end.start() + 1) is None
        and _TOKEN_LINE.search(fields, end.start() + 1) is not None
    )


def count_behind_end(fields: bytes) -> int:
    """Count the lines that begin like a request where the head may have ended already."""
    end = _MAYBE_END.search(fields)
    return 0 if end is None else sum(1 for _ in MAYBE_REQUEST.finditer(fields, end.end() - 1))


def read_cut_head(line: RequestLine, fields: bytes, reason: str) -> Request:
    """Make a request of a head whose end is missing, for ``reason``.

    Of the last, cut line only the name is believed: its value may go on.
    """
    whole, _, cut = fields.rpartition(b"\n")
    request, _ = read_head(line.method, line.target, whole)
    name, colon, _ = cut.partition(b":")
    if colon and name.lower() == _TOKEN and not _is_behind_end(fields):
        request = request._replace(token=Token.PRESENT)
    return request._replace(reason=reason)


def unread(reason: str) -> Request:
    """Make the request of which nothing could be read, for ``reason``."""
    return Request(None, None, Token.ABSENT, None, False, _NO_HINTS, reason)


def shown_method(raw: bytes) -> str:
    """Return the method as it may be shown.

    A token is a valid one to HTTP, and some write a secret into the wrong place.
    """
    method = raw.decode("ascii")
    if len(method) > MAX_REGISTERED_METHOD:
        return mask_text(method)
    return method if method.isalpha() or _DIGIT.search(method) is None else MASK


def _text(raw: bytes) -> str:
    return mask_text(decode_text(raw))


def _agent(raw: bytes) -> Optional[str]:
    is_cut = len(raw) > _MASKED_USER_AGENT_BYTES
    text = decode_text(raw[:_MASKED_USER_AGENT_BYTES])
    return mask_text(text, is_cut=is_cut)[:MAX_USER_AGENT_BYTES] or None


def _hints(values: dict[bytes, list[bytes]]) -> frozenset[Hint]:
    if values.keys().isdisjoint(_HINTS):
        return _NO_HINTS
    return frozenset(
        hint
        for name, rules in _HINTS.items()
        for value in values.get(name, ())
        for beginning, hint in rules
        if value.lower().startswith(beginning)
    )


def _body_length(values: dict[bytes, list[bytes]]) -> int:
    if _TRANSFER_ENCODING in values:
        codings = b",".join(values[_TRANSFER_ENCODING])
        is_chunked = codings.rpartition(b",")[2].strip(_SPACE).lower() == b"chunked"
        # With a length beside it servers differ in which of the two they believe.
        return CHUNKED if is_chunked and _CONTENT_LENGTH not in values else UNCERTAIN
    lengths = b",".join(values[_CONTENT_LENGTH]).split(b",")
    distinct = {length.strip(_SPACE) for length in lengths}
    digits = distinct.pop()
    if distinct or not digits.isdigit() or len(digits) > MAX_LENGTH_DIGITS:
        return UNCERTAIN
    return int(digits)
