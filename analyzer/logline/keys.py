"""Makes a caller's key: a coarse name that every run of a job has, and no other job.

It says first what the kernel told (unit, user), so that a name which a program made up stays
among its own user's. What differs from run to run is left out (analyzer.logline.runs).
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from typing import NamedTuple

from analyzer.logline.interpreters import base, interpreter
from analyzer.logline.launchers import TOOLS
from analyzer.logline.recognition import PROGRAM, Program
from analyzer.logline.runs import is_telling, stable_code, stable_path, stable_unit
from analyzer.text import visible

# Of a key; program and launcher share what unit and container leave.
KEY_BYTES = 256
_UNIT_BYTES = 56
_CONTAINER_BYTES = 96
# systemd gives a service with DynamicUser= one of these anew with each start, and user namespaces
# get theirs from here on; see https://systemd.io/UIDS-GIDS/.
_DYNAMIC_UIDS = range(61184, 65520)
_MAPPED_UIDS_FROM = 524_288
_UIDS_OF_NAMESPACE = 65_536


class Place(NamedTuple):
    """The place of a process; "" for what is not known.

    ``container`` is what stays of a container when it is made anew: its workload and image, its
    name where people gave it one, else its runtime. ``unit`` is a systemd unit.
    """

    unit: str = ""
    container: str = ""
    is_unit_chosen: bool = False  # by the user whose process it is


class Actor(NamedTuple):
    """A program and the user that runs it."""

    uid: int
    program: Program


def key_of(place: Place, kind: str, own: Actor, launchers: Sequence[Actor], cron_entry: str) -> str:
    """Return the key; ``launchers`` stand nearest first."""
    subject = _subject(own.program)
    fixed = [
        ("container", _part(place.container, _CONTAINER_BYTES)),
        ("unit", _part(stable_unit(place.unit), _UNIT_BYTES)),
        ("uid", _stable_uid(own.uid, place)),
    ]
    told = [(kind, subject)]
    if cron_entry:
        told.append(("cron", cron_entry))
    elif kind != "person" and not _tells(own.program, subject):
        told.append(("by", _launcher(own, launchers)))
    head = ";".join(f"{name}={text}" for name, text in fixed if text)
    told = [(name, text) for name, text in told if text]
    room = (KEY_BYTES - len(head.encode())) // max(1, len(told))
    parts = [f"{name}={_part(text, room - len(name) - len(';='))}" for name, text in told]
    return ";".join([head, *parts])


def _launcher(own: Actor, launchers: Sequence[Actor]) -> str:
    """Return the nearest that tells which job it is, else the nearest."""
    told = [
        (each, _subject(each.program))
        for each in launchers
        if each.program.subject != own.program.subject
    ]
    chosen = next((each for each in told if _tells(each[0].program, each[1])), None)
    if chosen is None and told:
        chosen = told[0]
    if chosen is None:
        return ""
    actor, subject = chosen
    # Whoever may make another user call must not choose the name of that user's job.
    return subject if actor.uid == own.uid else f"{actor.uid}:{subject}"


def _subject(program: Program) -> str:
    path = stable_path(program.subject)
    return f"{path} {stable_code(program.code)}" if program.code else path


def _tells(program: Program, subject: str) -> bool:
    """Tell whether a program says by itself which job it is."""
    is_bare = program.kind == PROGRAM and interpreter(program.file) is not None
    is_tool = TOOLS.fullmatch(program.file) or TOOLS.fullmatch(base(subject))
    return not (is_bare or is_tool) and is_telling(subject)


def _stable_uid(uid: int, place: Place) -> str:
    if uid in _DYNAMIC_UIDS and place.unit and not place.is_unit_chosen:
        return "dynamic"
    if uid >= _MAPPED_UIDS_FROM and place.container:
        return f"mapped-{uid % _UIDS_OF_NAMESPACE}"
    return str(uid)


def _part(text: str, most: int) -> str:
    """Return a text without the key's own marks; what is too long ends in a digest of all of it."""
    plain = visible(text).replace("%", "%25").replace(";", "%3B").replace("\\", "%5C")
    plain = plain.replace('"', "%22")
    raw = plain.encode()
    if len(raw) <= most:
        return plain
    digest = f"{binascii.crc32(raw):08x}"
    room = most - len(digest) - 1
    # The end of a path says more than its beginning.
    return "~" + digest + raw[-room:].decode(errors="ignore")
