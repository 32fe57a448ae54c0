"""Defines what has to be changed for a caller: callers with one target need one change.

The table ``ACTS`` says what makes two changes the same, and why.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Optional


class Act(enum.Enum):
    """Kind of action. Formats for programs print the value."""

    RESPOND = "respond_to_incident"
    UPGRADE_LIBRARY = "upgrade_library"
    UPGRADE_PROGRAM = "upgrade_program"
    UPGRADE_PACKAGE = "upgrade_package"
    REPLACE = "replace"  # no version is known that uses tokens
    EDIT_SCRIPT = "edit_script"
    EDIT_SOURCE = "edit_source"  # of a script that is generated or sent
    CONFIGURE = "configure"
    RAISE_HOP_LIMIT = "raise_hop_limit"
    LET_TOKENS_THROUGH = "let_tokens_through"
    SET_NO_PROXY = "set_no_proxy"
    TELL_PERSON = "tell_person"
    LOOK = "look"  # nothing known says what to change


class SameIf(NamedTuple):
    """Key of a change: two are one if ``what``, ``where`` and ``why`` are the same."""

    what: str
    where: str
    why: str


_IN_CONTAINER = "the container's image or workload"
ACTS: Mapping[Act, SameIf] = {
    Act.RESPOND: SameIf(
        "caller", "", "each has its own access log to search and its own secrets to change"
    ),
    Act.UPGRADE_LIBRARY: SameIf(
        "library and needed version",
        f"its archive or folder, versions left out; else the program's file; {_IN_CONTAINER}",
        "one build of the application, or one environment, has it",
    ),
    Act.UPGRADE_PROGRAM: SameIf(
        "program and needed version",
        f"anywhere on hosts; {_IN_CONTAINER}",
        "its vendor's next version is the same wherever it is installed",
    ),
    Act.UPGRADE_PACKAGE: SameIf(
        "package and needed version",
        f"anywhere on hosts; {_IN_CONTAINER}",
        "the package manager upgrades it wherever it is",
    ),
    Act.REPLACE: SameIf(
        "library or program",
        f"of a library as for an upgrade; anywhere on hosts; {_IN_CONTAINER}",
        "one decision on what takes its place does for all",
    ),
    Act.EDIT_SCRIPT: SameIf(
        "script's path, numbers of runs and versions left out",
        _IN_CONTAINER,
        "all lines of one file are edited at once, and it is deployed as a whole",
    ),
    Act.EDIT_SOURCE: SameIf(
        "what the script is made from", _IN_CONTAINER, "the next run overwrites the script itself"
    ),
    Act.CONFIGURE: SameIf(
        "program or SDK", f"the program's file; {_IN_CONTAINER}", "a setting is of one program"
    ),
    Act.RAISE_HOP_LIMIT: SameIf(
        "hop limit", "", "one option of an instance lets tokens reach all of its containers"
    ),
    Act.LET_TOKENS_THROUGH: SameIf(
        "what becomes of its token requests",
        "on hosts, or in one kind of container",
        "what keeps tokens away stands between IMDS and all programs there",
    ),
    Act.SET_NO_PROXY: SameIf(
        "proxy", _IN_CONTAINER, "the environment of all of its clients gets the same line"
    ),
    Act.TELL_PERSON: SameIf("user", "", "a person is told once"),
    Act.LOOK: SameIf("caller", "", "nothing tells that another caller needs the same"),
}


class Seen(NamedTuple):
    """A target as it was seen: at a ``place`` as it is, with a version, in a script's ``line``.

    ``hosts`` (Host.key) are where it was read; none of them: on all of the caller's.
    """

    place: str = ""
    version: str = ""
    line: int = 0
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """The thing to change, and its place. Two are equal if one change does for both.

    ``where`` is a path without versions, an image or a workload, "" for anywhere. ``needed`` is
    the first version that needs no v1.
    """

    act: Act
    what: str
    where: str = ""
    needed: Optional[str] = None
    seen: tuple[Seen, ...] = field(default=(), compare=False)
