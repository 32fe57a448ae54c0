"""Finds the lines of a script that call IMDS, and tells calls from mere mentions.

A line counts as a call if it hands the address to something that makes HTTP calls. Comments,
proxy exceptions, firewall rules, messages and comparisons are mentions. The text is judged by
patterns in linear time; nothing is executed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

from analyzer.software.script_languages import Language

# A call without a token in sight, a call or request with one, a program that calls.
CALL, TOKEN, TOOL = "call", "token", "tool"

# Longer lines are data: minified code, base64.
_LINE_MAX = 4096
# Lines that one command may go on over, with a backslash at their ends.
_CONTINUED_MAX = 40

ADDRESS = re.compile(
    r"169\.254\.169\.254(?!/(?:computeMetadata|0\.1/meta-data|metadata/|opc/|openstack|hetzner|v1[/.]))"
    r"|fd00:ec2::254|//instance-data(?:\.ec2\.internal)?\b|\b2852039166\b"
    r"|\b0xa9fea9fe\b",
    re.IGNORECASE,
)
# Google's metadata server has the same address.
_GOOGLE = re.compile(r"metadata-flavor|computeMetadata|metadata\.google", re.IGNORECASE)
_AWS = re.compile(r"meta-data|/latest|dynamic/instance-identity|user-data")
_HEADER = re.compile(r"x-aws-ec2-metadata-token(?:-ttl-seconds)?|[/'\"]api/token", re.IGNORECASE)
_TOOLS = re.compile(
    r"(?:^|[\s;|&(`=\"'])(?:[\w./-]*/)?(?:ec2metadata|ec2-metadata)(?=$|[\s;|&)`\"'])"
)
_MENTION = re.compile(
    r"\bno_?proxy\b|\bip6?tables\b|\bnft\b|\bufw\b|\bfirewall|\bip\s+(?:-\d\s+)?(?:route|rule|addr)"
    r"|\broute\s+(?:add|del)|\bping6?\b|\btraceroute|\bgrep\b|\b(?:block|deny|reject|drop|ban)\w*\b"
    r"|\bassert|\braise\b|\bthrow\b|\bre\.(?:match|search|compile)|\bstartswith\b"
    r"|\b(?:logger|logging|log|console)\.\w+\s*\(|IPAddressDeny|\bip_address\(|\bip_network\("
    r"|[!=]=|=~|!~|\bnot\s+in\b|\s-(?:eq|ne)\s",
    re.IGNORECASE,
)
_PRINTED = re.compile(
    r"\s*(?:echo|printf|print|puts|p|say|warn|die|log|logger|Write-\w+)\b", re.IGNORECASE
)
_PIPED = re.compile(r"\$\(|`|\||<\(")
_ASSIGNED = re.compile(
    r"(?<![=!<>])(?:\$|@|%)?(?:\b(?:self|this|local|export|readonly|const|let|var|my|our)[\s.]+)?[$@]?"
    r"([A-Za-z_]\w*)\s*(?:\+?=(?![=~])|:\s|=>)|[\"'](\w+)[\"']\s*(?::|=>)"
)
_CALLED = re.compile(r"\b([A-Za-z_][\w.]*)\s*\(\s*[frbu]?[\"'`](?:https?://)?\[?$")


# One of these is in every text that names IMDS; bytes are searched much quicker than patterns.
_SIGNS = tuple(
    sign
    for text in ("169.254.169.254", "fd00:ec2::254", "instance-data", "2852039166", "0xa9fea9fe",
                 "ec2metadata", "ec2-metadata")
    for sign in {text.encode(), text.upper().encode()}
)  # fmt: skip


def may_name_imds(raw: bytes) -> bool:
    """Tell at a glance whether a file may have lines of interest."""
    return any(sign in raw for sign in _SIGNS)


class Use(NamedTuple):
    """A line that calls: its number from 1, its text without margins, CALL, TOKEN or TOOL."""

    line: int
    text: str
    kind: str


class _Command(NamedTuple):
    """A command with the lines that it goes on over, joined; ``lines`` have (number, text)."""

    text: str
    lines: tuple[tuple[int, str], ...]


def uses(text: str, language: Language) -> list[Use]:
    """Return the lines that call IMDS, in their order."""
    if ADDRESS.search(text) is None and _TOOLS.search(text) is None:
        return []
    if _GOOGLE.search(text) is not None and _AWS.search(text) is None:
        return []
    commands = list(_commands(text, language))
    names = _Names(commands)
    is_aware = not language.is_shell and any(_HEADER.search(each.text) for each in commands)
    calls = any(language.call.search(each.text) for each in commands)
    found = (_use(each, names, language, is_aware=is_aware, calls=calls) for each in commands)
    return [each for each in found if each is not None]


class _Names:
    """Variables that hold the address, and those that hold the header with the token."""

    def __init__(self, commands: Sequence[_Command]) -> None:
        self._address: set[str] = set()
        self._header: set[str] = set()
        for _ in range(2):  # a variable may be made of another one
            for command in commands:
                self._learn(command.text)

    def has_address(self, text: str) -> bool:
        return ADDRESS.search(text) is not None or self._has(text, self._address)

    def has_header(self, text: str) -> bool:
        return _HEADER.search(text) is not None or self._has(text, self._header)

    def _learn(self, text: str) -> None:
        match = _ASSIGNED.search(text)
        if match is None:
            return
        name, value = match[1] or match[2], text[match.end() :]
        # What a call returns is not the address that it was told.
        if re.match(r"\s*\"?(?:\$\(|`)", value):
            return
        # Nor is that of a variable; `BASE + path` and "$BASE/path" are.
        is_made = "(" not in value or value.lstrip().startswith("(")
        if ADDRESS.search(value) or (is_made and self.has_address(value)):
            self._address.add(name)
        if self.has_header(value):
            self._header.add(name)

    @staticmethod
    def _has(text: str, names: set[str]) -> bool:
        return bool(names) and not names.isdisjoint(re.findall(r"[A-Za-z_]\w*", text))


def _use(
    command: _Command, names: _Names, language: Language, *, is_aware: bool, calls: bool
) -> Optional[Use]:
    text = command.text
    if _TOOLS.search(text) is not None and language.is_shell and not _is_printed(text):
        return _at(command, _TOOLS, TOOL)
    if not names.has_address(text) or _is_mention(text, language):
        return None
    if not _is_call(text, language, calls=calls):
        return None
    kind = TOKEN if is_aware or names.has_header(text) else CALL
    return _at(command, ADDRESS, kind)


def _is_call(text: str, language: Language, *, calls: bool) -> bool:
    if language.call.search(text) is not None:
        return True
    if language.is_shell or not calls:
        return False
    # A function of its own is told the address, and the file makes calls somewhere.
    match = ADDRESS.search(text)
    return match is not None and _CALLED.search(text[: match.start()]) is not None


def _is_mention(text: str, language: Language) -> bool:
    if language.is_shell and _is_printed(text):
        return True
    outside = _MENTION.search(text)
    if outside is None:
        return not language.is_shell and _is_printed(text) and language.call.search(text) is None
    # `[ "$(curl ...)" == x ]` and `curl ... | grep` call all the same.
    call = language.call.search(text)
    is_first = call is not None and call.start() < outside.start()
    return not (is_first or (language.is_shell and call is not None and "$(" in text))


def _is_printed(text: str) -> bool:
    """Tell whether a command only prints; one that prints what another returns does more."""
    return _PRINTED.match(text) is not None and _PIPED.search(text) is None


def _at(command: _Command, pattern: re.Pattern[str], kind: str) -> Use:
    """Return the physical line that has the pattern, else the command's first."""
    chosen = next((each for each in command.lines if pattern.search(each[1])), command.lines[0])
    return Use(chosen[0], chosen[1].strip(), kind)


def _commands(text: str, language: Language) -> Iterator[_Command]:
    """Yield commands without comments, continued lines joined."""
    parts: list[str] = []
    lines: list[tuple[int, str]] = []
    for number, line in _code(text, language):
        bare = _without_comment(line, language)
        goes_on = bare.rstrip().endswith("\\") and len(lines) < _CONTINUED_MAX
        parts.append(bare.rstrip().rstrip("\\") if goes_on else bare)
        lines.append((number, line))
        if not goes_on:
            yield _Command(" ".join(parts), tuple(lines))
            parts, lines = [], []
    if lines:
        yield _Command(" ".join(parts), tuple(lines))


def _code(text: str, language: Language) -> Iterator[tuple[int, str]]:
    """Yield numbered lines outside of block comments and of a language's docstrings."""
    end = ""
    for number, whole in enumerate(text.splitlines(), 1):
        line = whole[:_LINE_MAX]
        if end:
            end = "" if end in line else end
            continue
        bare = line.lstrip(" \trR") if language.name == "python" else line.lstrip()
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
    quote = ""
    for index, sign in enumerate(line):
        if quote:
            quote = "" if sign == quote and line[index - 1] != "\\" else quote
        elif sign in "\"'" and (index == 0 or line[index - 1] != "\\"):
            quote = sign
        elif (index == 0 or line[index - 1].isspace()) and line.startswith(language.comment, index):
            return line[:index]
    return line
