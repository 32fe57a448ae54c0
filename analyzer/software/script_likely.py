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
from analyzer.software.script_names import ADDRESS, ADDRESSES, HEADER, Names, names_given
from analyzer.software.script_use import CALL, Use, use_at
from analyzer.software.script_values import maybe_literal, mentions

# A path of EC2's metadata, in one text with the address or in another one.
_PATHS = re.compile(
    r"(?:latest|1\.0|20\d\d-\d\d-\d\d)(?:[\"'`]|/(?:meta-data|user-data|dynamic|[\"'`$#{]))|\bmeta-data/"
    r"|\bmeta-data\b|instance-identity/document|security-credentials"
)
# Signs of requests in any language; URLs themselves are none.
_REQUESTS = re.compile(
    r"http(?!s?://)|fetch|request|client|download|curl|wget|socket|connect|slurp|\bLWP\b|\bgot\b"
    r"|axios|needle|\.get\b|\bget\s+[\"'$]"
    r"|(?<!def )(?<!func )(?<!function )(?<!sub )"
    r"(?:get|open|read|load|query|metadata|url)\w{0,40}\s?\(",
    re.IGNORECASE,
)
# Files that attack, or test that attacks fail: no program of EC2 has one of these in its code.
_ATTACKS = re.compile(r"ssrf|pentest|\bCVE-\d|\bCWE-\d|mitre|nuclei|burp", re.IGNORECASE)
_TESTS = re.compile(
    r"^\s*(?:import|from)\s+(?:pytest|unittest)\b|from\s+[\"'](?:vitest|@jest/globals|bun:test|node:test)[\"']"
    r"|require\([\"'](?:chai|node:test|nock)[\"']\)|\bdescribe\(\s*[\"'`]|^\s*@Test\b|^\s*\[(?:Fact|Theory|Test)\b"
    r"|\*testing\.[TB]\b|PHPUnit|\bRSpec\.|extends\s+\w*TestCase",
    re.MULTILINE,
)
# The first word of a command of a shell that gets the address, or a name of it, as an argument.
_SHELL_COMMAND = re.compile(
    r"(?:^|[;|&({`]|\$\(|\b(?:then|do|else|if|while|until|elif|!)\s)\s*(?:sudo\s+)?"
    r"([\w./-]{1,80})\s+([^;|&`)]*)"
)
# What helpers are named that ask a URL, or that repeat the command they are told.
_ASKS = re.compile(
    r"(?!(?:.*/)?(?:curl|wget)$)(?:.*[/_-])?(?:\w*(?:get|fetch|http|meta|imds|request|url|download|query|ec2)\w*|retry\w*)",
    re.IGNORECASE,
)
_CONSTANT = re.compile(
    r"\s*(?:#\s*define|(?:export\s+|public\s+|internal\s+|static\s+|inline\s+)*(?:const\w*|final|val)\b|[A-Z][A-Z0-9_]+\s*=)"
)
# What follows in a file of Rust are its tests.
_TESTS_BEGIN = "#[cfg(test)]"


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
    if not lines.has(_PATHS) or not lines.has(_REQUESTS) or _is_aside(lines):
        return []
    found = _with_locators(commands, lines, language)
    return [each for each in found if not _is_for_others(each, lines)]


def _is_for_others(command: Command, lines: Lines) -> bool:
    """Tell whether a command defines a constant that its file does not use."""
    names = names_given(command.text)
    if not names or _CONSTANT.match(command.text) is None:
        return False
    return len(lines.with_names(names)) <= 1


def likely_commands(commands: Sequence[Command], lines: Lines, names: Names) -> list[Command]:
    """Return the commands of a shell that hand the address to a helper from elsewhere."""
    if not lines.has(_PATHS) or _is_aside(lines):
        return []
    numbers = sorted(names.of_interest())
    return [commands[number] for number in numbers if _hands_over(commands[number], names)]


def _hands_over(command: Command, names: Names) -> bool:
    if command.read.is_printed or command.read.language is not None:
        return False
    return any(
        names.has_address(found[2]) and _ASKS.fullmatch(found[1]) and not names.defines(found[1])
        for found in _SHELL_COMMAND.finditer(command.text)
    )


def _is_aside(lines: Lines) -> bool:
    return lines.has(_ATTACKS) or _TESTS.search(lines.whole) is not None


def _with_locators(commands: Sequence[Command], lines: Lines, whole: Language) -> Iterator[Command]:
    """Yield the commands of programs, not of shells, that have the address as a whole text."""
    tests = min(lines.with_texts((_TESTS_BEGIN,)), default=len(commands))
    for number in sorted(lines.with_texts(ADDRESSES)):
        command = commands[number]
        language = command.read.language or whole
        if number > tests:
            return
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
    """Signs of requests in a text, which may use names of another file."""

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
