"""Writes a plan: a line per step, its words separated by tabs.

install.sh splits a line at its tabs and looks at nothing else, so no word needs quotes. A word
that would be read as two, or not at all, is refused.
"""

from __future__ import annotations

from collections.abc import Iterable

from analyzer.errors import AnalyzerError

Line = tuple[str, ...]

SEPARATOR = "\t"
# What a disk does to any command that writes.
DISK = "see its output; is the disk full, or read-only?"
OUTPUT = "see its output"


class Unwritable(AnalyzerError):
    """A word of the plan cannot be written so that install.sh reads the same."""


def written(lines: Iterable[Line]) -> str:
    """Return the plan's text; raises Unwritable."""
    return "\n".join(SEPARATOR.join(map(_checked, line)) for line in lines)


def _checked(word: str) -> str:
    if not word or any(each in word for each in "\t\n\0"):
        raise Unwritable(f"{word!r} is empty, or has a tab or a line end: use another path")
    return word
