"""Replaces secrets by the mask."""

from __future__ import annotations

from collections.abc import Iterable

MASK = "[redacted]"

# Where a secret begins and ends.
Span = tuple[int, int]


def cover(text: str, spans: Iterable[Span]) -> str:
    """Return the text with one mask in place of each span; those that touch are one."""
    parts: list[str] = []
    done = 0
    for begin, end in merged(spans):
        parts += (text[done:begin], MASK)
        done = end
    parts.append(text[done:])
    return "".join(parts)


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order, those that touch as one; empty ones are left out."""
    found: list[Span] = []
    for begin, end in sorted(spans):
        if begin >= end:
            continue
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return found
