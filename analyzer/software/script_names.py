"""Follows a script's names: variables of the address, of the header and of a client; functions.

A name is followed through assignments, loops and functions that hand their arguments to a client.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from analyzer.software.script_languages import SHELL

ADDRESS = re.compile(
    r"169\.254\.169\.254(?!/(?:computeMetadata|0\.1/meta-data|metadata/|opc/|openstack|hetzner|v1[/.]))"
    r"|fd00:ec2::254|//instance-data(?:\.ec2\.internal)?\b|\b2852039166\b"
    r"|\b0xa9fea9fe\b",
    re.IGNORECASE,
)
HEADER = re.compile(r"x-aws-ec2-metadata-token(?:-ttl-seconds)?|[/'\"]api/token", re.IGNORECASE)

_WORD = re.compile(r"[A-Za-z_]\w*")
_ASSIGNED = re.compile(
    r"(?<![=!<>])(?:\$|@|%)?(?:\b(?:self|this|local|export|readonly|const|let|var|my|our)[\s.]+)?[$@]?"
    r"([A-Za-z_]\w*)\s*(?:(?:::?|\?|\+)?=(?![=~])|:\s|=>)|[\"'](\w+)[\"']\s*(?::|=>)"
)
# `for url in http://...`; `for (const url of [...])`; `for name, url in table`.
_LOOP = re.compile(
    r"\bfor\s+\(?(?:(?:const|let|var|my)\s+)?[\[(]?\$?(\w+(?:\s*,\s*\w+)*)[\])]?\s+(?:in|of)\s+(.*)"
)
_BRACKETS = frozenset("{[(")
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
_FUNCTION = re.compile(r"\s*(?:function\s+([\w-]+)\s*(?:\(\s*\))?|([\w-]+)\s*\(\s*\))\s*\{?")
_ARGUMENTS = re.compile(r"\$(?:[@*1-9]|\{[@*1-9])")
# Longer functions do more than call.
_BODY_MAX = 40


class Names:
    """The names of a script, by what they hold."""

    def __init__(self, commands: Sequence[str], *, is_shell: bool) -> None:
        """``commands`` are without comments, continued lines joined."""
        self._address: set[str] = set()
        self._header: set[str] = set()
        self._clients: set[str] = set()
        self._wrappers: set[str] = set()
        self._table = ""  # the table whose lines are read
        for _ in range(2):  # a variable may be made of another one
            for text in commands:
                self._learn(text)
        if is_shell:
            self._learn_wrappers(commands)

    def has_address(self, text: str) -> bool:
        """Tell whether a text has the address, or a variable of it."""
        return ADDRESS.search(text) is not None or self._has(text, self._address)

    def has_header(self, text: str) -> bool:
        """Tell whether a text has a token's header, or a name that brings it."""
        return HEADER.search(text) is not None or self._has(text, self._header)

    def has_client(self, text: str) -> bool:
        """Tell whether a command of a shell runs a client by a variable or a function."""
        return not (
            self._clients.isdisjoint(_EXPANDED.findall(text))
            and self._wrappers.isdisjoint(_COMMAND_WORD.findall(text))
        )

    def _learn(self, text: str) -> None:
        loop = _LOOP.search(text) if "for" in text else None
        if loop is not None and self.has_address(loop[2]):
            self._address.update(_WORD.findall(loop[1]))
        self._learn_table(text)
        match = _ASSIGNED.search(text)
        if match is None:
            return
        name, value = match[1] or match[2], text[match.end() :]
        if value.strip() in _BRACKETS:
            self._table = name
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

    def _learn_table(self, text: str) -> None:
        """Learn that a table over several lines has the address in it."""
        if text.lstrip()[:1] in {"}", "]", ")"}:
            self._table = ""
        elif self._table and ADDRESS.search(text) is not None:
            self._address.add(self._table)

    def _learn_wrappers(self, commands: Sequence[str]) -> None:
        for index, text in enumerate(commands):
            match = _FUNCTION.match(text) if "(" in text or "function" in text else None
            if match is None:
                continue
            body = "\n".join(_body(commands[index : index + _BODY_MAX], match.end()))
            if SHELL.call.search(body) is None or _ARGUMENTS.search(body) is None:
                continue
            self._wrappers.add(match[1] or match[2])
            if self.has_header(body):
                self._header.add(match[1] or match[2])

    @staticmethod
    def _has(text: str, names: set[str]) -> bool:
        return bool(names) and not names.isdisjoint(_WORD.findall(text))


def _body(commands: Sequence[str], start: int) -> Iterable[str]:
    """Yield the lines of a function, whose first command opens it."""
    first = commands[0][start:]
    yield first
    if first.rstrip().endswith("}"):
        return
    for text in commands[1:]:
        if text.startswith("}") or _FUNCTION.match(text) is not None:
            return
        yield text
