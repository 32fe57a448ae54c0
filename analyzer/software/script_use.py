"""Defines the lines that a script's text yields: calls without a token, with one, and programs."""

from __future__ import annotations

import re
from typing import NamedTuple

from analyzer.software.script_commands import Command

# A call without a token in sight, a call or request with one, a program that calls.
CALL, TOKEN, TOOL = "call", "token", "tool"


class Use(NamedTuple):
    """A line that calls: its number from 1, its text without margins, CALL, TOKEN or TOOL.

    ``is_likely`` means that the way from the address to a request is not plain.
    """

    line: int
    text: str
    kind: str
    is_likely: bool = False


def use_at(command: Command, pattern: re.Pattern[str], kind: str) -> Use:
    """Return the physical line that has the pattern, else the command's first."""
    chosen = next((each for each in command.lines if pattern.search(each[1])), command.lines[0])
    return Use(chosen[0], chosen[1].strip(), kind)
