"""Follows a script's names: variables of the address, of the header and of a client; functions.

A name is followed through assignments, loops and functions that hand their arguments to a client.
"""

from __future__ import annotations

import re

from analyzer.software.script_functions import OPENED, Functions
from analyzer.software.script_languages import SHELL
from analyzer.software.script_lines import Lines

ADDRESS = re.compile(
    r"(?<!\d)169\.254\.169\.254(?!\d|/(?:(?:[12]?\d|3[0-2])(?![\d.-])|computeMetadata|0\.1/meta-data|metadata/|opc/|openstack|hetzner|v1\b))"
    r"|fd00:ec2::254|//instance-data(?:\.ec2\.internal)?\b|\b2852039166\b"
    r"|(?<![\w./-])instance-data(?:\.ec2\.internal)?/(?:latest|1\.0|20\d\d-\d\d-\d\d)\b"
    r"|\b0xa9fea9fe\b|\b0251\.0376\.0251\.0376\b|\b0xa9\.0xfe\.0xa9\.0xfe\b|::ffff:a9fe:a9fe\b"
    # The host is told from elsewhere; no other server has such paths.
    r"|(?:\$\{?\w+\}?|\{\w*\}|%s|%\w+%)/(?:latest|1\.0|20\d\d-\d\d-\d\d)/(?:meta-data|user-data|dynamic)\b",
    re.IGNORECASE,
)
HEADER = re.compile(r"x-aws-ec2-metadata-token(?:-ttl-seconds)?|[/'\"]api/token", re.IGNORECASE)

_HEADER_OF_CALLS = re.compile(r"x-aws-ec2-metadata-token(?!-ttl)", re.IGNORECASE)
_CALL = re.compile(r"\b([A-Za-z_]\w*)\s*\(")

_WORD = re.compile(r"[A-Za-z_]\w*")
_ASSIGNED = re.compile(
    r"(?<![=!<>])(?:\$|@|%)?(?:\b(?:self|this|local|export|readonly|const|let|var|my|our)[\s.]+)?[$@]?"
    r"([A-Za-z_]\w*)\s*(?:(?:::?|\?|\+)?=(?![=~])|:\s|=>)|[\"'](\w+)[\"']\s*(?::|=>)"
)
# `for url in http://...`; `for (const url of [...])`; `for name, url in table`.
_LOOP = re.compile(
    r"\bfor\s+\(?(?:(?:const|let|var|my)\s+)?[\[(]?\$?(\w+(?:\s*,\s*\w+)*)[\])]?\s+(?:in|of)\s+(.*)"
)
_BRACKETS = frozenset({"{", "[", "(", "@{", "@("})
# Other ways to give a name a value: `define('NAME', ...)`, `printf -v NAME ...`, `set $name ...`.
_DEFINED = re.compile(
    r"\bdefine\s*\(\s*[\"'](\w+)[\"']\s*,|\bprintf\s+-v\s+(\w+)|^\s*set\s+(?:-\w+\s+)*\$?(\w+)\s"
    r"|\bset_fact:\s*(\w+)=|#\s*define\s+(\w+)\s"
)
_RETURNED = re.compile(r"\s*(?:return\b|echo\b|printf\b|[\"'])")
# What these make of the address is still the address.
_MAKERS = re.compile(
    r"(?:\.join|\.format|urljoin|\bstr|\bURI|\bURL|quote|sprintf|\.concat|\.r?strip|\.to_s|String)\s*\("
)
_CALLED = re.compile(r"[\w\])]\s*\(")
_CLIENT = re.compile(
    r"\s*[\"'(]*\s*(?:sudo\s+)?(?:(?:[\w./-]*/)?(?:curl|wget)(?=[\s\"')]|$)"
    r"|(?:\$\(|`)\s*(?:command\s+-v|which|type\s+-p)\s+(?:curl|wget)\b)"
)
_EXPANDED = re.compile(r"\$\{?([A-Za-z_]\w*)")
_COMMAND_WORD = re.compile(
    r"(?:^|[|;&(`{]|\b(?:then|do|if|while|until|else|exec|sudo)\s)\s*([A-Za-z_][\w-]*)"
)
_TABLE_MAX = 100
_ROUNDS = 4
# One of these is in each command that has the address or the header itself; in lower case.
ADDRESSES = ("169.254.169.254", "fd00:ec2::254", "instance-data", "2852039166", "0xa9fea9fe",
             "0251.0376.0251.0376", "0xa9.0xfe.0xa9.0xfe", "::ffff:a9fe:a9fe", "/meta-data",
             "/user-data", "/dynamic")  # fmt: skip
LITERALS = (*ADDRESSES, "x-aws-ec2-metadata-token", "api/token")
_CLIENTS = ("curl", "wget")
_CLOSED = frozenset({"}", "]", ")"})
_CLOSED_BY = frozenset("{[(")


def names_given(text: str) -> set[str]:
    """Return the names that stand right before the address in a command, and get it."""
    match = ADDRESS.search(text)
    if match is None:
        return set()
    found: set[str] = set()
    defined = _DEFINED.search(text, 0, match.start())
    if defined is not None:
        found.update(name for name in defined.groups() if name)
    nearest = next(reversed(list(_ASSIGNED.finditer(text, 0, match.start()))), None)
    if nearest is not None and not set(text[nearest.end() : match.start()]) & set(",;("):
        found.add(nearest[1] or nearest[2])
    return found


class Names:
    """The names of a script, by what they hold."""

    def __init__(self, lines: Lines, *, is_shell: bool, call: re.Pattern[str] = SHELL.call) -> None:
        """``lines`` are without comments, continued ones joined; ``call`` finds a request."""
        self._address: set[str] = set()
        self._header: set[str] = set()
        self._clients: set[str] = set()
        self._lines = lines
        self._is_shell = is_shell
        self._functions = Functions(lines, is_shell=is_shell, call=call)
        literal = lines.with_texts(LITERALS)
        self._learn_all(literal, literal | lines.with_texts(_CLIENTS))
        for number in sorted(literal):
            self._learn_function(number)

    def _learn_all(self, literal: set[int], numbers: set[int]) -> None:
        """Learn from the numbered commands, then from those that have the learnt names."""
        if any(text.rstrip()[-1:] in _CLOSED_BY for text in self._lines.commands):
            for number in sorted(literal):
                self._learn_table(number)
        seen: set[int] = set()
        for _ in range(_ROUNDS):  # a variable may be made of another one
            seen |= numbers
            for number in sorted(seen):
                self._learn(self._lines.commands[number])
            numbers = self._lines.with_names(self._address | self._header)
            if numbers <= seen:
                return

    def of_interest(self) -> set[int]:
        """Return the numbers of the commands that have the address."""
        return self._lines.with_texts(LITERALS) | self._lines.with_names(self._address)

    def has_address(self, text: str) -> bool:
        """Tell whether a text has the address, or a variable of it."""
        return ADDRESS.search(text) is not None or self._has(text, self._address)

    def has_header(self, text: str) -> bool:
        """Tell whether a text has a token's header, or a name that brings it."""
        if HEADER.search(text) is not None or self._has(text, self._header):
            return True
        return self._is_shell and any(map(self._brings_header, _COMMAND_WORD.findall(text)))

    def has_client(self, text: str) -> bool:
        """Tell whether a command of a shell runs a client by a variable or a function."""
        words = _COMMAND_WORD.findall(text)
        if not self._clients.isdisjoint((*_EXPANDED.findall(text), *words)):
            return True
        return any(map(self._functions.is_requesting, words))

    def defines(self, name: str) -> bool:
        """Tell whether the script has a function of a name."""
        return self._functions.has(name)

    def hands_over(self, text: str) -> bool:
        """Tell whether a function of the script that makes a request is told the address."""
        opened = OPENED.match(text)  # that a function is defined is no call of it
        for match in _CALL.finditer(text, opened.end() if opened else 0):
            if self._functions.is_requesting(match[1]) and self.has_address(text[match.end() :]):
                return True
        return False

    def _learn(self, text: str) -> None:
        loop = _LOOP.search(text) if "for" in text else None
        if loop is not None and self.has_address(loop[2]):
            self._address.update(_WORD.findall(loop[1]))
        self._learn_nearest(text)
        match = _ASSIGNED.search(text)
        if match is None:
            return
        if OPENED.match(text) is not None:
            self._learn_defaults(text)
            return
        name, value = match[1] or match[2], text[match.end() :]
        if _CLIENT.match(value) is not None:
            self._clients.add(name)
        # What a call returns is not the address that it was told.
        if re.match(r"\s*\"?(?:\$\(|`)", value):
            return
        # Nor is that of a variable; `BASE + path`, "$BASE/path" and "/".join(BASE, path) are.
        is_made = value.lstrip().startswith("(") or _CALLED.search(_MAKERS.sub("", value)) is None
        if ADDRESS.search(value) or (is_made and self.has_address(value)):
            self._address.add(name)
        if self.has_header(value):
            self._header.add(name)

    def _learn_nearest(self, text: str) -> None:
        """Learn the name that stands right before the address: a key, a default, a definition."""
        self._address.update(names_given(text))

    def _learn_defaults(self, text: str) -> None:
        """Learn the parameters whose default is the address."""
        for match in _ASSIGNED.finditer(text):
            if self.has_address(text[match.end() :].partition(",")[0]):
                self._address.add(match[1] or match[2])

    def _learn_table(self, number: int) -> None:
        """Learn that the table over several lines around a command has the address or header."""
        commands = self._lines.commands
        for text in reversed(commands[max(0, number - _TABLE_MAX) : number]):
            if text.lstrip()[:1] in _CLOSED:
                return
            match = _ASSIGNED.search(text) if text.rstrip()[-1:] in _CLOSED_BY else None
            if match is not None and text[match.end() :].strip() in _BRACKETS:
                name = match[1] or match[2]
                if ADDRESS.search(commands[number]) is not None:
                    self._address.add(name)
                if HEADER.search(commands[number]) is not None:
                    self._header.add(name)
                return

    def _brings_header(self, name: str) -> bool:
        """Tell whether a function of a shell script calls with the header."""
        if not self._functions.is_requesting(name):
            return False
        body = "\n".join(self._functions.body(name))
        return HEADER.search(body) is not None or self._has(body, self._header)

    def _learn_function(self, number: int) -> None:
        """Learn what the function around a command returns or prints: the address, the header."""
        around = self._functions.maybe_around(number)
        if around is None:
            return
        name, at = around
        body = self._functions.body(name)
        text = self._lines.commands[number]
        if number - at >= len(body) or (number == at and text == body[0]):
            return
        returned = body[0] if number == at else text
        if _RETURNED.match(returned.lstrip("{ ")) is None:
            return
        if ADDRESS.search(returned) and not self._functions.calls(body):
            self._address.add(name)
        if _HEADER_OF_CALLS.search(returned):
            self._header.add(name)

    @staticmethod
    def _has(text: str, names: set[str]) -> bool:
        return bool(names) and not names.isdisjoint(_WORD.findall(text))
