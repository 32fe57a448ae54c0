"""Decodes base64 within a file that hides a script: user data of templates, PowerShell commands."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple, Optional

_RUN = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
_ADDRESS = b"169.254.169.254"
_RUNS_MAX = 20


class Encoded(NamedTuple):
    """A decoded text, and the line from 1 where it begins in the file."""

    line: int
    text: str


def _fragments() -> Iterator[bytes]:
    """Yield what base64 makes of the address at each of the three alignments."""
    for text in (_ADDRESS, _ADDRESS.decode().encode("utf-16-le")):
        for before in range(3):
            whole = base64.b64encode(b"\0" * before + text)
            first = -(-before * 8 // 6) if before else 0
            last = (before + len(text)) * 8 // 6
            yield whole[first:last]


# One of these is in each base64 text that has the address in ASCII or UTF-16.
SIGNS = tuple(_fragments())


def encoded(text: str) -> Iterator[Encoded]:
    """Yield the decoded texts of a file that have the address."""
    signs = tuple(sign.decode() for sign in SIGNS)
    if not any(sign in text for sign in signs):
        return
    for match in [*_RUN.finditer(text)][:_RUNS_MAX]:
        if any(sign in match[0] for sign in signs):
            raw = _maybe_decoded(match[0])
            if raw is not None:
                encoding = "utf-16-le" if raw[1:2] == b"\0" else "utf-8"
                yield Encoded(
                    text.count("\n", 0, match.start()) + 1, raw.decode(encoding, "replace")
                )


def _maybe_decoded(run: str) -> Optional[bytes]:
    try:
        return base64.b64decode(run + "=" * (-len(run) % 4))
    except (binascii.Error, ValueError):
        return None
