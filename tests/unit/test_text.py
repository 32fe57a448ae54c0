"""Bytes from outside as text."""

from __future__ import annotations

import pytest

from analyzer.text import decode_text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", ""),
        (b"/latest/", "/latest/"),
        ("/caf\u00e9".encode(), "/caf\u00e9"),
        (b"/\xff\xfe", "/\\xff\\xfe"),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),  # a lone surrogate
        (b"\xc3", "\\xc3"),  # cut inside a character
        (b"a\x00b\nc", "a\x00b\nc"),
    ],
)
def test_bytes_that_are_not_utf8_become_escapes(raw: bytes, text: str) -> None:
    """Valid UTF-8 stays as it is, and any other byte becomes a backslash escape."""
    assert decode_text(raw) == text


def test_every_byte_gives_text_that_can_be_encoded() -> None:
    """No input leaves a lone surrogate behind, which a JSON file could not hold."""
    text = decode_text(bytes(range(256)))
    assert text.encode("utf-8").startswith(bytes(range(128)))
