"""Finds what has to be changed for a diagnosed caller: its targets, the first match wins.

Its code, as far as it was read, names them best. A caller counts for the first of its targets;
the others name it as one that needs them, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Callable, Optional

from analyzer.clients.entry import Client
from analyzer.clients.table import Recognition
from analyzer.logline.deployed import in_words
from analyzer.logline.named_caller import short
from analyzer.logline.runs import stable_path
from analyzer.report.callers import Group
from analyzer.report.diagnosis.code import CodeFix
from analyzer.report.diagnosis.origins import Origin
from analyzer.report.diagnosis.scene import Scene
from analyzer.report.diagnosis.suspicions import server_of
from analyzer.report.diagnosis.tokens import HOP_LIMIT, worst
from analyzer.report.result import Cause, Diagnosis
from analyzer.report.targets import Act, Seen, Target

_HOST = "host"
# What comes behind the name of an image: its tag, its digest.
_TAG = re.compile(r"(?::[^/:@]*)?(?:@.*)?\Z", re.DOTALL)
# Their libraries are part of the program's own file.
_COMPILED_IN = frozenset({"go", "cargo"})


@dataclass(frozen=True)
class Case:
    """A caller with its diagnosis, and what that was made of."""

    group: Group
    scene: Scene
    origin: Optional[Origin]
    found: Optional[Recognition]
    diagnosis: Diagnosis
    in_code: tuple[CodeFix, ...] = ()

    @property
    def client(self) -> Optional[Client]:
        """The program or SDK that it is; of an SDK in a known program, that program."""
        if self.found is None or self.found.client.kind not in ("program", "sdk"):
            return None
        return self.found.host or self.found.client

    @property
    def is_program(self) -> bool:
        """True if it is a program that its vendor upgrades as a whole."""
        return self.client is not None and self.client.kind == "program"

    @property
    def image(self) -> str:
        """Its container's image without the tag, else what deployed it; "" on a host."""
        key = self.group.key
        if key.place == _HOST:
            return ""
        if key.image:
            return f"image {_TAG.sub('', key.image)}"
        return in_words(key.deployed) if key.deployed else ""

    @property
    def file(self) -> str:
        """The script or executable that runs, "" if unknown."""
        own = self.scene.own
        return self.scene.script or (own.image.executable if own else "")

    @property
    def where(self) -> str:
        """The image, or else the program's file without versions."""
        return self.image or stable_path(self.file)


def targets_of(case: Case) -> tuple[Target, ...]:
    """Return what has to be changed for a caller, the first of it first; empty for nothing."""
    cause = case.diagnosis.cause
    if cause is Cause.FORGERY:
        return (_caller(case, Act.RESPOND),)
    if case.in_code:
        return _merged(_of_code(case, each) for each in case.in_code)
    for matches, target in _TABLE:
        if matches(case):
            return (target(case),)
    return (_caller(case, Act.LOOK),)


def _caller(case: Case, act: Act) -> Target:
    return Target(act, case.group.key.caller, seen=_at(case.file or case.group.key.program))


def _is(*causes: Cause) -> Callable[[Case], bool]:
    return lambda case: case.diagnosis.cause in causes


def _at(place: str) -> tuple[Seen, ...]:
    return (Seen(place),) if place else ()


def _program(case: Case) -> Target:
    client = case.client
    if client is None:
        raise ValueError("nobody was recognised")
    versions = _versions(case, client)
    return Target(
        # An entry without a source is a product's, of which nobody says what it needs.
        Act.REPLACE if client.needs is None and client.source else Act.UPGRADE_PROGRAM,
        client.name,
        case.image,
        _needed(client),
        tuple(Seen(case.file, each) for each in versions) or _at(case.file),
    )


def _sdk(case: Case) -> Target:
    found = _program(case)
    act = Act.REPLACE if found.act is Act.REPLACE else Act.UPGRADE_LIBRARY
    return replace(found, act=act, where=case.where)


def _setting(case: Case) -> Target:
    client = case.client
    if client is not None:
        return replace(_program(case), act=Act.CONFIGURE, where=case.where, needed=None)
    what = short(case.file or case.group.key.program)
    return Target(Act.CONFIGURE, what, case.where, seen=_at(case.file))


def _script(case: Case) -> Target:
    if case.origin is not None:
        seen = _at(case.scene.script)
        return Target(Act.EDIT_SOURCE, case.origin.whose, case.image, seen=seen)
    if case.scene.script:
        what = stable_path(case.scene.script)
        return Target(Act.EDIT_SCRIPT, what, case.image, seen=_at(case.scene.script))
    return _caller(case, Act.LOOK)


def _person(case: Case) -> Target:
    user = ", ".join(case.group.users) or "unknown"
    return Target(Act.TELL_PERSON, user, seen=_at(case.file))


def _hop_limit(case: Case) -> Target:
    return Target(Act.RAISE_HOP_LIMIT, "hop limit", seen=_at(case.file))


def _tokens(case: Case) -> Target:
    failures = dict(case.group.token_failures) or {
        str(each.outcome): each.requests
        for each in case.group.tallies
        if each.operation == "token" and each.outcome not in (None, "success")
    }
    where = case.group.key.place
    return Target(Act.LET_TOKENS_THROUGH, worst(failures), where, seen=_at(case.file))


def _proxy(case: Case) -> Target:
    server = server_of(case.group)
    what = server.name if server else short(case.group.key.program)
    return Target(Act.SET_NO_PROXY, what, case.image, seen=_at(case.file))


def _proxy_of_pods(case: Case) -> Target:
    found = case.found
    if found is None:
        raise ValueError("nobody was recognised")
    client = found.client
    act = Act.UPGRADE_PROGRAM if client.needs else Act.REPLACE
    return Target(act, client.name, "", client.needs, _at(case.file))


_IS_EMPTY = "sends an empty token header"
# What a diagnosis is -> what has to be changed. analyzer.report.targets.ACTS says why.
_TABLE: tuple[tuple[Callable[[Case], bool], Callable[[Case], Target]], ...] = (
    (
        lambda case: (
            case.diagnosis.cause is Cause.PROXY
            and case.found is not None
            and case.found.client.kind == "proxy"
        ),
        _proxy_of_pods,
    ),
    (_is(Cause.PROXY), _proxy),
    (lambda case: case.scene.login is not None or case.group.key.kind == "person", _person),
    (lambda case: HOP_LIMIT in case.diagnosis.commands, _hop_limit),
    # Nothing tells that a token request failed: the script itself has to be looked at.
    (
        lambda case: case.diagnosis.cause is Cause.FALLBACK and _IS_EMPTY in case.diagnosis.summary,
        _script,
    ),
    (_is(Cause.FALLBACK), _tokens),
    (_is(Cause.SCRIPT), _script),
    (
        # Of an SDK in a known program, the program is what is upgraded.
        lambda case: (
            case.diagnosis.cause is Cause.CONFIGURED_V1
            and (case.found is None or case.found.host is None)
        ),
        _setting,
    ),
    (lambda case: case.is_program, _program),
    (lambda case: case.client is not None, _sdk),
)


def _of_code(case: Case, fix: CodeFix) -> Target:
    client = fix.cure.client
    if fix.line is not None:
        path, line = fix.line
        seen = (Seen(path, line=line, hosts=fix.hosts),)
        return Target(Act.EDIT_SCRIPT, stable_path(path), case.image, seen=seen)
    seen = (Seen(fix.path, fix.version, hosts=fix.hosts),)
    needed = _needed(client) if client else None
    is_program = client is not None and client.kind == "program"
    act = Act.UPGRADE_LIBRARY
    where = case.image
    if is_program or fix.is_package:
        act = Act.UPGRADE_PROGRAM if is_program else Act.UPGRADE_PACKAGE
    else:
        where = where or stable_path(_home(fix))
    name = client.name if client is not None and is_program else fix.name
    return Target(Act.REPLACE if needed is None else act, name, where, needed, seen)


def _home(fix: CodeFix) -> str:
    """Return what is built or installed as a whole: the outer archive, the program, the folder."""
    archive, mark, _ = fix.path.partition("!")
    if mark or fix.ecosystem in _COMPILED_IN:
        return archive
    return fix.path.rpartition("/")[0] or fix.path


def _merged(targets: Iterable[Target]) -> tuple[Target, ...]:
    """Return each target once, with all that was seen of it."""
    found: dict[Target, Target] = {}
    for each in targets:
        former = found.get(each)
        found[each] = (
            each
            if former is None
            else replace(former, seen=tuple(dict.fromkeys((*former.seen, *each.seen))))
        )
    return tuple(found.values())


def _versions(case: Case, client: Client) -> tuple[str, ...]:
    """Return the versions of a client that a caller's user agents tell, the recognised one first.

    The version of an SDK in a known program is not that program's.
    """
    own = case.found.version if case.found and case.found.client is client else None
    told = (client.maybe_version(each) for each in case.group.user_agents)
    return tuple(dict.fromkeys(each for each in (own, *told) if each))


def _needed(client: Client) -> Optional[str]:
    return client.needs if client.needs != "0" else None
