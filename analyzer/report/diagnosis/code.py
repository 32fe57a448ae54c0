"""States fixes out of what the recorder read of a caller's code: which library, which line.

A library that lies in a program's reach is no proof that it made the call. So it explains a caller
of which nothing better is known, and makes the fix of a known one exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, Optional

from analyzer.clients import cures
from analyzer.clients.table import Clients
from analyzer.report.callers import Group
from analyzer.report.result import Cause, Diagnosis
from analyzer.software import wording
from analyzer.software.recorded import Code
from analyzer.software.script_use import CALL

# Fixes of one caller that are printed; the evidence itself has all.
_FIXES_MAX = 5
# Causes whose fix is in the code. A fallback, a proxy or an incident is fixed elsewhere.
_IN_CODE = frozenset({Cause.OLD_SDK, Cause.SCRIPT, Cause.UNKNOWN, Cause.CONFIGURED_V1})


class CodeFix(NamedTuple):
    """A fix, and what it is of: a library or package at ``path``, or the ``line`` of a script.

    ``hosts`` are where it was read.
    """

    cure: cures.Cure
    name: str = ""
    version: str = ""
    path: str = ""
    ecosystem: str = ""
    is_package: bool = False
    line: Optional[tuple[str, int]] = None
    hosts: tuple[str, ...] = ()


def fixes_in_code(group: Group, clients: Clients, diagnosis: Diagnosis) -> tuple[CodeFix, ...]:
    """Return all fixes that a caller's code needs, the first to be done first."""
    if diagnosis.cause not in _IN_CODE:
        return ()
    hosts: dict[CodeFix, set[str]] = {}
    for evidence in group.evidence:
        for fix in _fixes(evidence.code, clients, diagnosis.cause):
            hosts.setdefault(fix, set()).update(evidence.hosts)
    fitting = _of_client(list(hosts), diagnosis.client)
    # A line that calls is what called; a library may only lie there.
    ordered = sorted(fitting, key=lambda each: each.line is None)
    return tuple(each._replace(hosts=tuple(sorted(hosts[each]))) for each in ordered)


def with_code(group: Group, diagnosis: Diagnosis, fixes: Sequence[CodeFix]) -> Diagnosis:
    """Return a diagnosis that names library, version, file and line, as far as they were read.

    ``fixes`` are those of ``fixes_in_code`` for this diagnosis.
    """
    if diagnosis.cause not in _IN_CODE or not group.evidence:
        return diagnosis
    chosen = fixes[:_FIXES_MAX]
    said = [_sentence(group, fix) for fix in chosen]
    origins = _origins(group) if diagnosis.cause is Cause.SCRIPT or _has_line(chosen) else []
    if not said and not origins:
        return diagnosis
    told = replace(diagnosis, advice=(*said, *origins, *diagnosis.advice))
    return _explained(told, chosen) if diagnosis.cause is Cause.UNKNOWN else told


def _fixes(code: Code, clients: Clients, cause: Cause) -> Iterator[CodeFix]:
    if cause in (Cause.SCRIPT, Cause.UNKNOWN):
        for line in code.lines:
            if line.use == CALL:
                yield CodeFix(cures.of_line(line.path, line.line), line=(line.path, line.line))
    if cause is Cause.SCRIPT:
        return
    for each in code.libraries:
        cure = cures.of_library(
            clients, each.ecosystem, each.name, each.version, each.path, each.required_by
        )
        if cure is not None and cure.state == cures.OLD:
            yield CodeFix(cure, each.name, each.version, each.path, each.ecosystem)
    for package in code.packages:
        cure = cures.of_package(clients, package.name, package.version, package.path)
        if cure is not None and cure.state == cures.OLD:
            yield CodeFix(cure, package.name, package.version, package.path, is_package=True)


def _of_client(fixes: Sequence[CodeFix], client: Optional[str]) -> Sequence[CodeFix]:
    """Return the fixes of the library that the user agent names, if one of them is."""
    own = [each for each in fixes if each.cure.client and each.cure.client.name == client]
    return own or fixes


def _sentence(group: Group, fix: CodeFix) -> str:
    hosts = len(fix.hosts)
    if group.host_count < 2 or not hosts:  # noqa: PLR2004 (one host needs no count)
        return fix.cure.sentence
    return f"{fix.cure.sentence} Read on {hosts} of {group.host_count} hosts."


def _origins(group: Group) -> list[str]:
    found = dict.fromkeys(wording.origin(each) for e in group.evidence for each in e.code.origins)
    return [f"Started by {each}." for each in list(found)[:_FIXES_MAX]]


def _has_line(fixes: Sequence[CodeFix]) -> bool:
    return any(each.line is not None for each in fixes)


def _explained(diagnosis: Diagnosis, fixes: Sequence[CodeFix]) -> Diagnosis:
    """Return the cause of a caller that nobody knows, if its code has one."""
    if _has_line(fixes):
        return replace(
            diagnosis, cause=Cause.SCRIPT, summary="a line of its script calls without a token"
        )
    first = next((each for each in fixes if each.name), None)
    if first is None:
        return diagnosis
    name, version, client = first.name, first.version, first.cure.client
    return replace(
        diagnosis,
        cause=Cause.OLD_SDK,
        summary=f"runs with `{name}` {version}, which cannot send tokens",
        client=client.name if client else None,
        version=version,
        needed=client.needs if client else None,
        sources=client.source if client else (),
    )
