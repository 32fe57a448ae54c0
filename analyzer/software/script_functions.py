"""Finds the functions of a script, in any of its languages, and tells which of them call."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Optional

from analyzer.software.script_languages import SHELL
from analyzer.software.script_lines import Lines

# A line that opens a function: its parameters have defaults, and are no assignments of a table.
OPENED = re.compile(
    r"\s*(?:(?:pub|public|private|static|async|export|default|local)\s+)*"
    r"(?:(?:def|function|sub|func|fn)\s+(?:self\.)?([A-Za-z_]\w*)"
    r"|(?:const|let|var)\s+([A-Za-z_]\w*)\s*=\s*(?:async\s*)?(?:function\b|\(?[\w\s,={}$]*\)?\s*=>))"
)
_FUNCTION = re.compile(r"\s*(?:function\s+([\w-]+)\s*(?:\(\s*\))?|([\w-]+)\s*\(\s*\))\s*\{?")
_ARGUMENTS = re.compile(r"\$(?:[@*1-9]|\{[@*1-9])")
_BODY_MAX = 40
_SHELL_OPENS = ("()", "( )", "function")
_OPENS = ("def ", "function", "sub ", "func ", "fn ", "=>")


class Functions:
    """The functions of a script. What they do is looked up when it is asked for."""

    def __init__(self, lines: Lines, *, is_shell: bool, call: re.Pattern[str] = SHELL.call) -> None:
        """``call`` finds a request."""
        self._lines = lines
        self._is_shell = is_shell
        self._call = call
        self._requests: dict[str, bool] = {}
        self._places = self._opened()

    def has(self, name: str) -> bool:
        """Tell whether the script has a function of a name."""
        return name in self._places

    def maybe_around(self, number: int) -> Optional[tuple[str, int]]:
        """Return the last function that is opened at a command or before it, and where."""
        before = [(at, name) for name, at in self._places.items() if at <= number]
        if not before:
            return None
        at, name = max(before)
        return name, at

    def calls(self, body: Iterable[str]) -> bool:
        """Tell whether one of the commands makes a request."""
        return any(map(self._call.search, body))

    def _opened(self) -> dict[str, int]:
        """Return the functions, with the number of the command that opens each."""
        words, pattern = (_SHELL_OPENS, _FUNCTION) if self._is_shell else (_OPENS, OPENED)
        found: dict[str, int] = {}
        for number in sorted(self._lines.with_texts(words)):
            match = pattern.match(self._lines.commands[number])
            if match is not None:
                found[match[1] or match[2]] = number
        return found

    def body(self, name: str) -> Sequence[str]:
        """Return the commands of a function, without what opens it."""
        number = self._places[name]
        commands = self._lines.commands[number : number + _BODY_MAX]
        pattern = _FUNCTION if self._is_shell else OPENED
        match = pattern.match(commands[0])
        return list(_body(commands, match.end() if match else 0, pattern))

    def is_requesting(self, name: str) -> bool:
        """Tell whether a function of the script makes a request with its arguments."""
        if name not in self._places:
            return False
        if name not in self._requests:
            body = self.body(name)
            is_told = not self._is_shell or any(map(_ARGUMENTS.search, body))
            self._requests[name] = is_told and self.calls(body)
        return self._requests[name]


def _body(commands: Sequence[str], start: int, pattern: re.Pattern[str]) -> Iterable[str]:
    """Yield the commands of a function, whose first one opens it."""
    first = commands[0][start:]
    yield first
    if first.rstrip().endswith("}"):
        return
    margin = _margin(commands[0])
    for text in commands[1:]:
        if text.startswith("}") or pattern.match(text) is not None:
            return
        # Other languages than a shell's are written with margins.
        if pattern is OPENED and text.strip() and _margin(text) <= margin and text[0] != "{":
            return
        yield text


def _margin(text: str) -> int:
    return len(text) - len(text.lstrip())
