"""Draws the process tree of an example line, from the oldest ancestor to the caller.

The line is used as it was recorded, perhaps by hand or in malice: what has not the type that it
should have is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

# The recorder itself keeps fewer ancestors and shorter arguments; this bounds forged lines.
ANCESTORS_MAX = 64
COMMAND_CHARACTERS_MAX = 2048


@dataclass(frozen=True)
class TreeProcess:
    """One process: its command line, else its executable, else its name."""

    pid: Optional[int]
    command: str
    user: Optional[str]


@dataclass(frozen=True)
class Tree:
    """The oldest ancestor first, the caller last. ``is_cut`` where older ones are not known."""

    processes: tuple[TreeProcess, ...]
    is_cut: bool


def tree(example: Mapping[str, Any]) -> Tree:
    """Return the processes of one line of the log."""
    caller = _mapping(example.get("process"))
    raw = caller.get("ancestors")
    ancestors = [_mapping(each) for each in raw] if isinstance(raw, list) else []
    known = [_process(each) for each in [caller, *ancestors[:ANCESTORS_MAX]] if each]
    is_cut = caller.get("ancestors_truncated") is True or len(ancestors) > ANCESTORS_MAX
    return Tree(tuple(reversed(known)), is_cut)


def _process(raw: Mapping[str, Any]) -> TreeProcess:
    user = _mapping(raw.get("user"))
    pid = raw.get("pid")
    return TreeProcess(
        pid if isinstance(pid, int) and not isinstance(pid, bool) else None,
        _command(raw),
        _text(user.get("name")) or _text(user.get("id")),
    )


def _command(raw: Mapping[str, Any]) -> str:
    args = raw.get("args")
    words = [_text(each) for each in args] if isinstance(args, list) else []
    line = " ".join(each for each in words if each)
    command = line or _text(raw.get("executable")) or _text(raw.get("name")) or "(not known)"
    if len(command) <= COMMAND_CHARACTERS_MAX:
        return command
    return command[:COMMAND_CHARACTERS_MAX] + "…"


def _mapping(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}


def _text(raw: object) -> Optional[str]:
    return raw if isinstance(raw, str) and raw else None
