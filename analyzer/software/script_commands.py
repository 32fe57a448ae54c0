"""Splits a script into commands: without comments, continued lines joined, with their readers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from analyzer.software.heredocs import Read, readers
from analyzer.software.script_languages import Language

# Longer lines are data: minified code, base64.
_LINE_MAX = 4096
# Lines that one command may go on over, with a backslash at their ends.
_CONTINUED_MAX = 40

# Hosts that are reached without a proxy, in any language; the rest of the line may call.
_NO_PROXY = re.compile(
    r"no_?proxy[\"']?\]?\s*(?:=>?|:|,)\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"';)]*)", re.IGNORECASE
)
# The address in parts: `"169.254." + "169.254"`, `net.IPv4(169, 254, 169, 254)`.
_APART = r"(?=[^\w]*[.,+&])[\"'\s.,+&<>~]{1,9}"
_PARTS = re.compile(rf"(?<![\d.])169{_APART}254{_APART}169{_APART}254(?!\d)")
# How a line ends whose text may go on, and how the next one begins then.
_JOINED = ("'", '"', "' +", '" +', "' .", '" .', "' ..", '" ..', "' <>", '" <>')
_JOINS = ("'", '"', "+ '", '+ "', ". '", '. "', ".. '", '.. "', 'f"', "f'", '<> "')


class Command(NamedTuple):
    """A command with the lines that it goes on over, joined; ``lines`` have (number, text).

    ``read`` says who reads its first line.
    """

    text: str
    lines: tuple[tuple[int, str], ...]
    read: Read


def commands_of(text: str, language: Language) -> Iterator[Command]:
    """Yield commands without comments, continued lines joined."""
    parts: list[str] = []
    reads: list[Read] = []
    is_open = False
    code = _code(text, language)
    for read in readers(code) if language.is_shell else (Read(*each) for each in code):
        bare = _without_comment(read.line, language)
        if parts and is_open and not bare.lstrip().startswith(_JOINS):
            yield _command(parts, reads)
            parts, reads = [], []
        stripped, has_room = bare.rstrip(), len(reads) < _CONTINUED_MAX
        goes_on = has_room and stripped.endswith("\\")
        # A text that goes on in the next line: `'curl -s '` and below it `'http://...'`.
        is_open = has_room and not goes_on and not language.is_shell and stripped.endswith(_JOINED)
        parts.append(stripped.rstrip("\\") if goes_on else bare)
        reads.append(read)
        if not goes_on and not is_open:
            yield _command(parts, reads)
            parts, reads = [], []
    if reads:
        yield _command(parts, reads)


def _command(parts: Sequence[str], reads: Sequence[Read]) -> Command:
    lines = tuple((each.number, each.line) for each in reads)
    text = " ".join(parts)
    if "proxy" in text.lower():
        text = _NO_PROXY.sub(" ", text)
    if "169" in text:
        text = _PARTS.sub("169.254.169.254", text)
    return Command(text, lines, reads[0])


def _code(text: str, language: Language) -> Iterator[tuple[int, str]]:
    """Yield numbered lines outside of block comments and of a language's docstrings."""
    end = ""
    signs = tuple(sign for sign, _ in language.block)
    blank = " \trR" if language.name == "python" else None
    for number, whole in enumerate(text.splitlines(), 1):
        line = whole[:_LINE_MAX]
        if end:
            end = "" if end in line else end
            continue
        bare = line.lstrip(blank)
        start = None
        if bare.startswith(signs):  # few lines do: one look for all signs
            start = next((each for each in language.block if _begins(bare, line, each[0])), None)
        if start is None:
            yield number, line
        elif start[1] not in bare[len(start[0]) :]:
            end = start[1]


def _begins(bare: str, line: str, sign: str) -> bool:
    # Perl's and Ruby's stand in the first column, before a word.
    if sign.startswith("="):
        return line.startswith(sign) and line[1:2].isalpha()
    return bare.startswith(sign)


def _without_comment(line: str, language: Language) -> str:
    """Return a line up to its comment; signs within quotes are no comment."""
    first = min((at for at in map(line.find, language.comment) if at >= 0), default=-1)
    if first < 0:
        return line
    before = line[:first]
    if not before.strip():  # the line begins with it
        return before
    quote = ""
    for index, sign in enumerate(line):
        if quote:
            quote = "" if sign == quote and line[index - 1] != "\\" else quote
        elif sign in "\"'" and (index == 0 or line[index - 1] != "\\"):
            quote = sign
        elif (index == 0 or line[index - 1].isspace()) and line.startswith(language.comment, index):
            return line[:index]
    return line
