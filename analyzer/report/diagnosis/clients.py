"""Recognises the client that a group of requests is from."""

from __future__ import annotations

from typing import Optional

from analyzer.clients.table import Clients, Recognition
from analyzer.logline.line import text_at, value_at
from analyzer.logline.named_caller import short
from analyzer.report.callers import Group


def maybe_recognise(clients: Clients, group: Group) -> Optional[Recognition]:
    """Return who a group is, None where nobody known."""
    args = _args(group.example.get("process"))
    return clients.maybe_recognise(_names(group), args, group.key.user_agent)


def _names(group: Group) -> tuple[str, ...]:
    """Return what a group's program and its launcher are called, and the program's executable.

    The recorder names most programs without a path. Patterns have one: it is looked for in the
    example.
    """
    process = group.example.get("process")
    named = [name for name in (group.key.program, group.key.launcher) if name is not None]
    last_parts = {short(name) for name in named}
    found = value_at(process, "ancestors")
    ancestors = found if isinstance(found, list) else []
    paths = [
        text
        for each in (process, *ancestors)
        for text in (text_at(each, "executable"), *_args(each))
        if text.startswith("/") and short(text) in last_parts
    ]
    rootless = [f"/{name}" for name in last_parts if not name.startswith("/")]
    return (*named, text_at(process, "executable"), *paths, *sorted(rootless))


def _args(process: object) -> tuple[str, ...]:
    args = value_at(process, "args")
    return tuple(each for each in args if isinstance(each, str)) if isinstance(args, list) else ()
