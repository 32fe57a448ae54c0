"""Finds where a script comes from, and so where it has to be fixed: tables, the first match wins.

An agent that runs what it is told is not the author of it. A file that was generated is fixed in
what it was generated from: the next run overwrites the file.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from analyzer.logline.recognition import PROGRAM, Role
from analyzer.report.diagnosis.commands import quoted
from analyzer.report.diagnosis.places import FILES, RUNNERS, Row
from analyzer.report.diagnosis.scene import Link, Scene

_INSTANCE = "INSTANCE_ID"
# Longer paths are no script's; what is hostile costs nothing.
_TEXT_MAX = 512


@dataclass(frozen=True)
class Origin:
    """The source of a script: ``whose`` it is, the ``cure`` as a sentence, commands that show it.

    ``is_user_data`` tells that an instance gets the fix at its next launch only.
    """

    whose: str
    cure: str
    commands: tuple[str, ...] = ()
    is_user_data: bool = False


def origin_of(scene: Scene) -> Optional[Origin]:
    """Return where the nearest script of a scene comes from.

    None if it is a plain file, which is fixed where it is, or if no script called.
    """
    for number, link in enumerate(scene.links):
        is_own = number == 0
        if link.program.role is not Role.ACTOR or _is_carried(link, is_own=is_own):
            continue
        found = _of_file(link, scene)
        if found is None and not is_own:
            found = _matched(RUNNERS, link.program.name, scene)
        return found
    return _of_container(scene) or _of_unit(scene)


def _is_carried(link: Link, *, is_own: bool) -> bool:
    """Tell whether a process has its orders from further up: a tool, or code without a file."""
    if link.program.kind == PROGRAM and (link.is_inline or link.is_bare):
        return True
    return is_own and link.is_tool


def _of_file(link: Link, scene: Scene) -> Optional[Origin]:
    return _matched(FILES, link.script or link.image.executable, scene)


def _of_container(scene: Scene) -> Optional[Origin]:
    """Explain a shell in a container whose starter, such as GitLab's runner, is outside of it."""
    return _matched(_CONTAINERS, scene.container_name, scene) if scene.container_name else None


_CONTAINERS: tuple[Row, ...] = (
    Row(
        r"/?runner-[0-9a-zA-Z_-]+-project-[0-9]+-concurrent-.*",
        "a job of GitLab CI",
        "Change .gitlab-ci.yml: the runner makes the script from it.",
    ),
)


def _of_unit(scene: Scene) -> Optional[Origin]:
    """Return a unit's own file as the origin, if the command is written there."""
    own, unit = scene.own, scene.unit
    roles = [link.program.role for link in scene.links[1:]]
    is_started = Role.INIT in roles and not scene.container and unit.endswith(".service")
    if own is None or not is_started or own.script or not (own.is_tool or own.is_inline):
        return None
    is_of_person = scene.login is not None or unit.startswith("user@")
    if is_of_person or not unit.isprintable():
        return None
    return Origin(
        f"the unit {unit}",
        "Change the command in the unit's file (ExecStart= and the like).",
        (f"systemctl cat -- {quoted(unit)}",),
    )


def _matched(rows: tuple[Row, ...], text: str, scene: Scene) -> Optional[Origin]:
    text = text[:_TEXT_MAX]
    for row in rows:
        match = _compiled(row.pattern).fullmatch(text)
        if match is not None:
            return _filled(row, match.groupdict(), scene)
    return None


@functools.lru_cache(maxsize=256)  # the tables have fewer rows
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


def _filled(row: Row, parts: Mapping[str, Optional[str]], scene: Scene) -> Origin:
    values = {name: part or "" for name, part in parts.items()}
    shown = {name: part if part.isprintable() else "" for name, part in values.items()}
    safe = {name: quoted(part) for name, part in values.items()}
    commands = (each.format(**safe) for each in row.commands)
    return Origin(
        whose=row.whose.format(**shown),
        cure=row.cure.format(**shown),
        commands=tuple(each.replace(_INSTANCE, scene.instance or _INSTANCE) for each in commands),
        is_user_data=row.is_user_data,
    )
