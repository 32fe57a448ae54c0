"""Bytes from outside become text in one way only."""

from __future__ import annotations


def decode_text(raw: bytes) -> str:
    r"""Decode UTF-8; a byte that is not becomes a ``\xNN`` escape. Never raises.

    The result has no lone surrogates, so it can always be encoded again.
    """
    return raw.decode("utf-8", "backslashreplace")
