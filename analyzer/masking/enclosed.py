"""Finds the end of a secret that is a list, an object, or adjacent strings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from analyzer.masking.mask import Span

# What a shell takes together with a word in quotes.
_GLUED = re.compile(
    r"([\w!#%*+./@^~-]+)|\"([^\"\s,:;(){}\[\]\\]*)\"|'([^'\s,:;(){}\[\]\\]*)'", re.ASCII
)
# Of a list or an object: its strings, which may hold brackets, and its brackets.
_BRACKETS = re.compile(
    r"(?<!\\)\"(?:\\.|[^\"\\])*\"|(?<!\\)'(?:\\.|[^'\\])*'|([\[{])|([\]}])", re.DOTALL
)


def end_of_brackets(text: str, begin: int) -> int:
    """Return where the list or object ends that begins before ``begin``, or the text's end."""
    depth = 1
    for match in _BRACKETS.finditer(text, begin):
        if match.lastindex is not None:
            depth += 1 if match.lastindex == 1 else -1
            if not depth:
                return match.start()
    return len(text)


def glued(text: str, begin: int, end: int) -> Iterator[Span]:
    """Yield what a shell takes together with a secret that a quote ends: 'a''b', a"b"."""
    if text[end : end + 1] not in ("'", '"'):
        return
    at = end + (begin > 0 and text[begin - 1] == text[end])
    while True:
        piece = _GLUED.match(text, at)
        if piece is None:
            return
        inside = piece.span(piece.lastindex or 1)
        if inside[0] < inside[1]:
            yield inside
        at = piece.end()
