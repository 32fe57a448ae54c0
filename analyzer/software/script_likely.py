"""Finds the address where the way from it to a request is not plain.

A program that has a URL of EC2's metadata, neither lists nor refuses it, and makes requests, is
there to make this one. The name of such a URL may be all that a file has: another file asks it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from analyzer.software.script_commands import Command, commands_of
from analyzer.software.script_languages import Language
from analyzer.software.script_lines import Lines
from analyzer.software.script_mentions import is_mention
from analyzer.software.script_names import ADDRESS, ADDRESSES, HEADER, names_given
from analyzer.software.script_use import CALL, Use, use_at
from analyzer.software.script_values import maybe_literal, mentions

# A path of EC2's metadata, in one text with the address or in another one.
_PATHS = re.compile(
    r"(?:latest|1\.0|20\d\d-\d\d-\d\d)(?:[\"'`]|/(?:meta-data|user-data|dynamic|[\"'`$#{]))|\bmeta-data/"
    r"|\bmeta-data\b|instance-identity/document|security-credentials"
)
# Signs of requests in any language; URLs themselves are none.
_REQUESTS = re.compile(
    r"http(?!s?://)|fetch|request|client|download|urlopen|\bopen\w*\s*\(|curl|wget|socket"
    r"|(?<!def )(?<!func )(?<!function )\bget\w*\s*\(|connect|\bread\w*\s*\(|\bload\w*\s*\(|slurp",
    re.IGNORECASE,
)


def without_mentions(commands: Sequence[Command], language: Language) -> list[Command]:
    """Return the commands; those that only mention the address are without it."""
    lines = Lines([each.text for each in commands])
    chosen = list(commands)
    for number in mentions(lines, lines.with_texts(ADDRESSES), language):
        text = ADDRESS.sub("*", chosen[number].text)
        chosen[number] = chosen[number]._replace(text=text)
    return chosen


def likely(commands: Sequence[Command], lines: Lines, language: Language) -> list[Command]:
    """Return the commands with the address as a whole text, if the file makes requests."""
    if not lines.has(_PATHS) or not lines.has(_REQUESTS):
        return []
    return list(_with_locators(commands, lines, language))


def _with_locators(commands: Sequence[Command], lines: Lines, whole: Language) -> Iterator[Command]:
    """Yield the commands of programs, not of shells, that have the address as a whole text."""
    for number in sorted(lines.with_texts(ADDRESSES)):
        command = commands[number]
        language = command.read.language or whole
        match = ADDRESS.search(command.text)
        if match is None or language.is_shell or is_mention(command.text, language):
            continue
        literal = maybe_literal(command.text, match.start(), match.end())
        if literal is not None and literal.is_locator:
            yield command


def constants(text: str, language: Language) -> dict[str, Use]:
    """Return the names that a file without requests gives the address, for others to use."""
    if language.is_shell:
        return {}
    commands = without_mentions(list(commands_of(text, language)), language)
    lines = Lines([each.text for each in commands])
    if lines.has(HEADER):
        return {}
    return {
        name: use_at(command, ADDRESS, CALL)
        for command in _with_locators(commands, lines, language)
        for name in names_given(command.text)
    }


class Asking(NamedTuple):
    """What a text says of the requests that it makes, maybe with names of another file."""

    has_requests: bool
    has_paths: bool
    has_tokens: bool


def asking(text: str) -> Asking:
    """Return which signs of requests a text has."""
    return Asking(
        _REQUESTS.search(text) is not None,
        _PATHS.search(text) is not None,
        HEADER.search(text) is not None,
    )
