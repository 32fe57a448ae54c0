"""Tells the literals that code uses as an address from those that it lists, refuses or explains.

What a literal is shows in its own text, in its neighbours between the same brackets, and in the
names of what holds it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple, Optional

from analyzer.software.script_holders import REFUSED, STRING, Asked, is_listed, is_named_mention
from analyzer.software.script_languages import Language
from analyzer.software.script_lines import Lines
from analyzer.software.script_names import ADDRESS

# Of these, all that is below them is text; steps and examples may be commands.
_EXPLAINING_ALL = re.compile(
    r"desc(?:ription)?$|summary|message|annotations?$|documentation|^notes?$|release_?notes",
    re.IGNORECASE,
)
_IN_QUERY = re.compile(r"[?&][\w.%\[\]-]+=[^\s\"'`&]*$")
# Words of commands and of raw requests, which have blanks between.
_COMMAND = re.compile(
    r"\b(?:curl|wget|nc|ncat|GET|HEAD|PUT|telnet|fetch|lynx|http|iwr|irm|lwp-request|socat)\s|Host:|Invoke-|/dev/tcp",
)
_OPENS_FUNCTION = re.compile(
    r"\s*(?:async\s+)?(?:def|class|function|sub|func|fn|module)\s+([\w.:]+)"
)
_UP_MAX = 80
# Commands with the address that are looked at closely. Files with more of them are lists.
_JUDGED_MAX = 200
_QUERY_MAX = 400

_PATH = re.compile(r"/(?:latest|\d{4}-\d\d-\d\d)\b")


class Literal(NamedTuple):
    """The text between the quotes around an address, and where the address is in it."""

    text: str
    at: int

    @property
    def is_locator(self) -> bool:
        """True if it is an address or a URL as a whole, maybe with names to fill in."""
        before = self.text[: self.at]
        return (
            re.fullmatch(r"(?:https?:(?://)?)?\[?", before) is not None
            and " " not in self.text.strip()
        )


def maybe_literal(text: str, start: int, end: int) -> Optional[Literal]:
    """Return the quoted text around a position of a line; None if there are no quotes."""
    for match in STRING.finditer(text):
        if match.start() < start and end < match.end():
            return Literal(match[0][1:-1], start - match.start() - 1)
    return None


def mentions(lines: Lines, numbers: Collection[int], language: Language) -> Iterator[int]:
    """Yield which of the numbered commands have the address in literals that nobody asks."""
    for number in sorted(numbers)[:_JUDGED_MAX]:
        text = lines.commands[number]
        found = list(ADDRESS.finditer(text))
        if found and all(_is_mention(lines, number, match, language) for match in found):
            yield number


def _is_mention(lines: Lines, number: int, match: re.Match[str], language: Language) -> bool:
    text = lines.commands[number]
    before = text[: match.start()]
    if _IN_QUERY.search(before[-_QUERY_MAX:]):
        return True
    literal = maybe_literal(text, match.start(), match.end())
    if literal is not None and not language.is_shell:
        is_spaced = " " in literal.text.strip()
        if is_spaced and _COMMAND.search(literal.text) is None:
            return True
    outside = before[: len(before) - literal.at - 1] if literal is not None else before
    if is_named_mention(outside):
        return True
    # The name of a function says nothing of what it calls by itself: `validate() { curl ...`.
    is_asked = language.call.search(before) is not None
    is_told = literal is not None and " " in literal.text.strip() and not language.is_shell
    has_path = _PATH.match(text, match.end()) is not None
    if is_listed(lines, number, match, Asked(has_path, is_asked, is_told)):
        return True
    return _is_in_mention(lines, number, is_asked=is_asked)


def _is_in_mention(lines: Lines, number: int, *, is_asked: bool) -> bool:
    """Tell whether a function, a class or a key around a command, by margins, says so."""
    margin = _margin(lines.commands[number])
    for at in range(number - 1, max(-1, number - _UP_MAX), -1):
        text = lines.commands[at]
        if not text.strip() or _margin(text) >= margin:
            continue
        margin = _margin(text)
        opened = _OPENS_FUNCTION.match(text)
        key = re.match(r"\s*(?:-\s+)?[\"']?([\w.-]+)[\"']?\s*:\s*[|>\[{-]*$", text)
        if opened is not None and not is_asked and REFUSED.search(opened[1]) is not None:
            return True
        if key is not None and (REFUSED.search(key[1]) or _EXPLAINING_ALL.search(key[1])):
            return True
        if not margin:
            return False
    return False


def _margin(text: str) -> int:
    return len(text) - len(text.lstrip())
