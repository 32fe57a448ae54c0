"""Answers "what program is this, and who started it" for a request: the field ``imds.caller``.

The recorder answers when it writes the line, and everything that reads lines believes it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from analyzer.logline.keys import Actor, Place, key_of
from analyzer.logline.launchers import CRONS, LOGINS
from analyzer.logline.recognition import Image, Program, Role, recognise
from analyzer.logline.runs import stable_code
from analyzer.text import visible

# Of a name for people; a file's name has 255 bytes at most, and hardly any has 60.
NAME_BYTES = 120

# Characters of a command of cron's that tell it from others: what the kernel copies of arguments
# has room for them, so that it does not matter whether /proc told the rest.
COMMAND_MAX = 512

PERSON, BOOT = "person", "boot"
_SESSION = re.compile(r"session-[^/]*\.scope|user@\d+\.service")


class Identity(NamedTuple):
    """A caller as the log names it.

    ``launcher`` is "" where nobody but wrappers, shells and init started the program. ``kind`` is
    ``person`` where somebody typed it, ``boot`` for init itself, else what the program is:
    ``program``, ``script`` or ``package``. ``key`` is the same in every run of a job.
    """

    program: str
    launcher: str
    kind: str
    key: str


class _Link(NamedTuple):
    image: Image
    program: Program


def identify(process: Image, ancestors: Sequence[Image], place: Place) -> Identity:
    """Return who called; ``ancestors`` stand nearest first."""
    own = recognise(process)
    chain = [_Link(image, recognise(image)) for image in ancestors]
    launcher = next((link for link in chain if _is_launcher(link, own, place, chain)), None)
    is_typed = launcher is not None and launcher.program.role is Role.SHELL
    is_typed = is_typed or _is_persons(_Link(process, own), place, chain)
    kind = PERSON if is_typed else BOOT if process.pid == 1 else own.kind
    return Identity(
        program=bounded(own.name, NAME_BYTES),
        launcher="" if launcher is None else bounded(launcher.program.name, NAME_BYTES),
        kind=kind,
        key=key_of(
            place,
            kind,
            Actor(process.uid, own),
            [Actor(link.image.uid, link.program) for link in chain if _is_actor(link)],
            _cron_entry([_Link(process, own), *chain]),
        ),
    )


def bounded(text: str, most: int) -> str:
    """Return a text that is seen as it is, in at most so many bytes."""
    return visible(text).encode()[:most].decode(errors="ignore")


def _is_actor(link: _Link) -> bool:
    return link.program.role is Role.ACTOR


def _is_launcher(link: _Link, own: Program, place: Place, chain: Sequence[_Link]) -> bool:
    if link.program.role is Role.ACTOR:
        # A server's children are the server.
        return (link.program.name, link.program.subject) != (own.name, own.subject)
    return _is_persons(link, place, chain)


def _is_persons(link: _Link, place: Place, chain: Sequence[_Link]) -> bool:
    """Tell whether a process is a shell at which somebody types."""
    image, program = link
    if program.role is not Role.SHELL or program.code or len(image.args) != 1 + _options(image):
        return False
    if image.args[0].startswith("-") or _SESSION.fullmatch(place.unit):
        return True
    return any(LOGINS.fullmatch(other.program.file) for other in chain)


def _options(image: Image) -> int:
    """Count the options behind a shell's name that leave it with its terminal."""
    words = image.args[1:]
    return len([word for word in words if re.fullmatch(r"-[il]+|--login|--norc|--noprofile", word)])


def _cron_entry(chain: Sequence[_Link]) -> str:
    """Return the command that a table of cron's has, "" where no cron started it."""
    if any(link.program.file == "run-parts" for link in chain):
        return ""  # of a directory of jobs, all with the same command
    for link, parent in zip(chain, chain[1:]):
        if CRONS.fullmatch(parent.program.file) and not CRONS.fullmatch(link.program.file):
            if link.program.role is Role.SHELL:  # told as it stands in the table
                return link.program.code[:COMMAND_MAX]
            return stable_code(" ".join(link.image.args))
    return ""
