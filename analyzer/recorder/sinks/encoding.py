"""Writes JSON that every reader accepts: one line, UTF-8, no terminal controls."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
# Valid in JSON, but: C1 controls act on terminals, some readers end lines at U+0085, U+2028
# and U+2029, and a lone surrogate cannot be written as UTF-8. What turns the direction of writing,
# or is not to be seen, makes another text of a line to whoever reads it as it is.
_INVISIBLE = "\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
_BEYOND = "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f"
_UNSAFE = re.compile(f"[\x7f-\x9f\u2028\u2029\ud800-\udfff{_INVISIBLE}{_BEYOND}]+")
_SURROGATES = range(0xD800, 0xE000)
_STAND_INS = range(0xDC80, 0xDD00)  # Python's, for bytes 0x80 to 0xff that are not UTF-8
_BMP_MAX = 0xFFFF  # above it, JSON escapes a pair


def encode(value: object) -> bytes:
    """Return a value as it stands in a line."""
    text = _encode(value)
    if not text.isascii() or "\x7f" in text:
        text = _UNSAFE.sub(_escape, text)
    return text.encode()


def members(fields: Mapping[str, object]) -> bytes:
    """Return the members of an object that go on in a line: ``"name":value,...,``."""
    return encode(fields)[1:-1] + b"," if fields else b""


def present(fields: Mapping[str, object]) -> dict[str, Any]:
    """Leave out what is None or empty, at any depth of dictionaries."""
    kept: dict[str, Any] = {}
    for key, value in fields.items():
        plain = present(value) if isinstance(value, dict) else value
        if plain is not None and plain not in ("", {}):
            kept[key] = plain
    return kept


class _Escapes(dict[int, str]):
    """Escapes of unsafe characters, by code: a caller may repeat one 4,000 times."""

    def __missing__(self, code: int) -> str:
        self[code] = escaped = _escaped(code)
        return escaped


_ESCAPES = _Escapes()


def _escape(match: re.Match[str]) -> str:
    return match[0].translate(_ESCAPES)


def _escaped(code: int) -> str:
    if code in _STAND_INS:
        return rf"\\x{code - _STAND_INS.start + 0x80:02x}"  # as analyzer.text writes it
    if code > _BMP_MAX:
        return json.dumps(chr(code))[1:-1]
    # Half a surrogate pair becomes text: escaped, it would be half a pair to the reader again.
    return rf"\\u{code:04x}" if code in _SURROGATES else rf"\u{code:04x}"
