"""Decodes bytes from outside, and formats times, in one way only."""

from __future__ import annotations

import functools
import time


def decode_text(raw: bytes) -> str:
    r"""Decode UTF-8; a byte that is not becomes a ``\xNN`` escape. Never raises.

    The result has no lone surrogates, so it can always be encoded again.
    """
    return raw.decode("utf-8", "backslashreplace")


def visible(text: str) -> str:
    r"""Return ``text`` with everything escaped that acts on a terminal or is not to be seen.

    That is control characters of any kind (``\x1b``, C1), line ends, what turns the direction
    of writing, zero-width and unassigned characters, and lone surrogates. The result is one
    line and can always be encoded as UTF-8.
    """
    if text.isprintable():
        return text
    escapes = {
        ord(each): each.encode("unicode_escape").decode("ascii")
        for each in set(text)
        if not each.isprintable()
    }
    return text.translate(escapes)


def timestamp(at_ns: int) -> str:
    """Write nanoseconds since the Unix epoch as UTC with microseconds, cut, not rounded."""
    seconds, rest_ns = divmod(at_ns, 1_000_000_000)
    return f"{_second(seconds)}.{rest_ns // 1000:06d}Z"


@functools.lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
