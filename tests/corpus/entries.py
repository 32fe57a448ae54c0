"""Defines an entry of the corpus, and reads entries from text.

The labels say what a file would do on an EC2 instance, not what the recogniser makes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
_MARK = "%% "


class Entry(NamedTuple):
    """A file with its label. ``path`` is as the host names it, ``why`` gives the label's reason."""

    path: str
    is_v1: bool
    why: str
    content: bytes


def written(name: str, *, is_v1: bool) -> Iterator[Entry]:
    """Yield the entries of a text file: a line ``%% PATH | WHY``, then the content."""
    text = FOLDER.joinpath(name).read_text(encoding="utf-8")
    for part in ("\n" + text).split("\n" + _MARK)[1:]:
        head, _, content = part.partition("\n")
        path, _, why = head.partition(" | ")
        raw = content.rstrip("\n").encode() + b"\n"
        yield Entry(path, is_v1, why, raw)
