"""Reads who stands around a group's example: its process, its ancestors, its unit and container.

The one recogniser names the programs, so that the report and the log agree. All text is hostile,
and any of it may be missing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Optional

from analyzer.logline.caller import PERSON, Identity, identify
from analyzer.logline.interpreters import CODE, interpreter, target
from analyzer.logline.keys import Place
from analyzer.logline.launchers import LOGINS, TOOLS
from analyzer.logline.line import text_at, value_at
from analyzer.logline.recognition import PROGRAM, Image, Program, Role, recognise
from analyzer.report.callers import Group

# A line has fewer; forged ones may have any number.
_ANCESTORS_MAX = 64
_INSTANCE = re.compile(r"m?i-[0-9a-f]{8,17}", re.ASCII)


class Link(NamedTuple):
    """One process; ``user`` is "" where nobody tells."""

    image: Image
    program: Program
    user: str

    @property
    def script(self) -> str:
        """The path of the script that it runs, "" if the script is no file of its own."""
        subject = self.program.subject
        is_named = "/" in subject and self.program.kind != PROGRAM
        return subject if is_named else ""

    @property
    def is_tool(self) -> bool:
        """True if it asks for whoever runs it, as curl does."""
        return TOOLS.fullmatch(self.program.file) is not None or (
            TOOLS.fullmatch(self.program.name) is not None
        )

    @property
    def is_bare(self) -> bool:
        """True if it is an interpreter that does not say which script it runs."""
        is_interpreter = interpreter(self.program.file) is not None
        return is_interpreter and self.program.kind == PROGRAM

    @property
    def is_inline(self) -> bool:
        """True if it is an interpreter with code on its command line."""
        told = interpreter(self.program.file)
        found = target(told, self.image.args) if told is not None else None
        return found is not None and found.kind == CODE


@dataclass(frozen=True)
class Scene:
    """The processes, nearest first, and where they run; "" for what the line does not tell."""

    links: tuple[Link, ...] = ()
    unit: str = ""
    container: str = ""
    container_name: str = ""
    runtime: str = ""
    instance: str = ""
    started: str = ""

    @functools.cached_property
    def identity(self) -> Optional[Identity]:
        """The caller as the recorder names it, None where no process is known."""
        if not self.links:
            return None
        own, *above = (link.image for link in self.links)
        return identify(own, above, Place(self.unit))

    @property
    def own(self) -> Optional[Link]:
        """The caller itself."""
        return self.links[0] if self.links else None

    @property
    def actors(self) -> Iterator[Link]:
        """The processes above the caller that act for themselves, nearest first."""
        return (link for link in self.links[1:] if link.program.role is Role.ACTOR)

    @property
    def script(self) -> str:
        """The path of the script that called, itself or by a tool; "" for none."""
        own = self.own
        if own is None or own.script or not (own.is_tool or own.is_bare):
            return "" if own is None else own.script
        nearest = next(self.actors, None)
        return "" if nearest is None else nearest.script

    @property
    def login(self) -> Optional[Link]:
        """The program that let a person in; None where nobody typed or sent the command.

        A script that was sent is a script: its file can be changed.
        """
        nearest, own = next(self.actors, None), self.own
        is_sent = own is not None and (own.is_tool or own.is_inline)
        if is_sent and nearest is not None and LOGINS.fullmatch(nearest.program.file):
            return nearest
        if self.identity is None or self.identity.kind != PERSON:
            return None
        return next((each for each in self.actors if LOGINS.fullmatch(each.program.file)), None)


def scene_of(group: Group) -> Scene:
    """Return what the example of a group tells."""
    line = group.example
    process = value_at(line, "process")
    found = value_at(process, "ancestors")
    ancestors = found[:_ANCESTORS_MAX] if isinstance(found, list) else []
    links = tuple(_link(each) for each in (process, *ancestors)) if process else ()
    instance = text_at(line, "cloud", "instance", "id")
    return Scene(
        links=links,
        unit=text_at(line, "service", "name"),
        container=text_at(line, "container", "id"),
        container_name=text_at(line, "container", "name"),
        runtime=text_at(line, "container", "runtime"),
        instance=instance if _INSTANCE.fullmatch(instance) else "",
        started=text_at(process, "start"),
    )


def _link(process: object) -> Link:
    args = value_at(process, "args")
    words = [each for each in args if isinstance(each, str)] if isinstance(args, list) else []
    image = Image(
        _number(value_at(process, "pid")),
        _number(text_at(process, "user", "id")),
        text_at(process, "name"),
        text_at(process, "executable"),
        tuple(words),
    )
    user = text_at(process, "user", "name") or text_at(process, "user", "id")
    return Link(image, recognise(image), user)


def _number(value: object) -> int:
    """Return a whole number; -1 for what is none."""
    if type(value) is int:
        return value
    is_digits = isinstance(value, str) and re.fullmatch("[0-9]{1,10}", value) is not None
    return int(str(value)) if is_digits else -1
