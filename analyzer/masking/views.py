"""Undoes the escapes of a text, and maps each character to where it came from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, Optional

from analyzer.masking.mask import Span

# An escape of an escape of an escape: more is not seen in practice.
_ROUNDS = 3
# One character each: of URLs, of C, Python and the shell, of HTML.
_ESCAPE = re.compile(
    r"%([0-7][0-9a-fA-F])|\\x([0-7][0-9a-fA-F])|\\u\{?00([0-7][0-9a-fA-F])\}?"
    r"|\\([01][0-7]{2})|&#x([0-7][0-9a-fA-F]);|&#(\d{2,3});"
)
_BASES = (16, 16, 16, 8, 16, 10)
_ESCAPED = ("%", "\\", "&#")
# What lies between two halves of one word: the ends of strings, or of a line.
_JOINT = re.compile(
    r"\\\r?\n[ \t]{0,64}|[\"'](?:\s{0,8}[+.]\s{0,8})?[\"']|(?<=[\w+/=-])[\"'](?=[\w+/=-])", re.ASCII
)


class UnescapedView(NamedTuple):
    """A text, and for each of its characters where that begins and ends in the original."""

    text: str
    origins: list[int]
    ends: list[int]

    def spans(self, begin: int, end: int) -> Iterator[Span]:
        """Yield where a piece of the view stands in the original, without what joins it.

        The piece has at least one character.
        """
        start = begin
        for at in range(begin + 1, end):
            if self.origins[at] != self.ends[at - 1]:
                yield self.origins[start], self.ends[at - 1]
                start = at
        yield self.origins[start], self.ends[end - 1]


def unescaped(text: str) -> Iterator[UnescapedView]:
    """Yield the text without escapes, if it has some, and again without those that are left."""
    if not _has_escapes(text):
        return
    view = _unchanged(text)
    for _ in range(_ROUNDS):
        if not _has_escapes(view.text):
            return
        simpler = _replaced(view, _ESCAPE)
        if simpler.text == view.text:
            return
        view = simpler
        yield view


def _has_escapes(text: str) -> bool:
    return any(sign in text for sign in _ESCAPED)


def joined(text: str) -> Iterator[UnescapedView]:
    """Yield the text with words put together that quotes or a line's end take apart."""
    if "'" in text or '"' in text or "\\\n" in text or "\\\r" in text:
        view = _replaced(_unchanged(text), _JOINT)
        if view.text != text:
            yield view


def _unchanged(text: str) -> UnescapedView:
    return UnescapedView(text, list(range(len(text))), list(range(1, len(text) + 1)))


def _replaced(view: UnescapedView, pattern: re.Pattern[str]) -> UnescapedView:
    parts: list[str] = []
    origins: list[int] = []
    ends: list[int] = []
    done = 0
    for match in pattern.finditer(view.text):
        character = _character(match)
        if character is None:
            continue
        parts += (view.text[done : match.start()], character)
        origins += view.origins[done : match.start()]
        ends += view.ends[done : match.start()]
        if character:
            origins.append(view.origins[match.start()])
            ends.append(view.ends[match.end() - 1])
        done = match.end()
    parts.append(view.text[done:])
    origins += view.origins[done:]
    ends += view.ends[done:]
    return UnescapedView("".join(parts), origins, ends)


def _character(match: re.Match[str]) -> Optional[str]:
    """Return what stands for the match: nothing for a joint; None where it is to stay."""
    if not match.re.groups:
        return ""
    index = match.lastindex or 1
    code = int(match[index], _BASES[index - 1])
    return chr(code) if 32 <= code < 127 or code in (9, 10, 13) else None  # noqa: PLR2004 (ASCII)
