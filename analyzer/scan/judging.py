"""Judges what was found on the disk: whether it would call IMDSv1, and how it is fixed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Optional, Union

from analyzer.clients import cures
from analyzer.clients.table import Clients
from analyzer.scan.findings import LIBRARY, PACKAGE, SCRIPT, Finding
from analyzer.software.found import Found, Library, Package, ScriptLine
from analyzer.software.script_use import CALL


def findings_of(found: Iterable[Found], root: str, clients: Clients) -> Iterator[Finding]:
    """Yield the findings of one file. ``root`` stands before the paths that it names."""
    lines: list[ScriptLine] = []
    for each in found:
        finding: Optional[Finding] = None
        if isinstance(each, Library):
            finding = _library(each, root, clients)
        elif isinstance(each, Package):
            finding = _package(each, root, clients)
        elif isinstance(each, ScriptLine) and each.use == CALL:
            lines.append(each)
        if finding is not None:
            yield finding
    for _, same in groupby(lines, key=lambda each: each.path):
        yield _script(tuple(same), root)


def _library(library: Library, root: str, clients: Clients) -> Optional[Finding]:
    path = root + library.path
    cure = cures.of_library(
        clients, library.ecosystem, library.name, library.version, path, library.required_by
    )
    found = _of_cure(LIBRARY, library, path, cure)
    return None if found is None else replace(found, required_by=library.required_by)


def _package(package: Package, root: str, clients: Clients) -> Optional[Finding]:
    path = root + package.path
    cure = cures.of_package(clients, package.name, package.version, path)
    return _of_cure(PACKAGE, package, path, cure)


def _of_cure(
    kind: str, found: Union[Library, Package], path: str, cure: Optional[cures.Cure]
) -> Optional[Finding]:
    """Return the finding of what needs a cure; None for what needs none."""
    if cure is None or cure.client is None:
        return None
    return Finding(
        kind,
        cure.state,
        found.name,
        path,
        cure.sentence,
        version=found.version,
        client=cure.client.name,
        needs=cure.client.needs or "",
        sources=cure.client.source,
    )


def _script(lines: tuple[ScriptLine, ...], root: str) -> Finding:
    first = min(lines, key=lambda each: each.line)
    path = root + first.path
    cure = cures.of_line(path, first.line)
    return Finding(
        SCRIPT,
        cure.state,
        first.path.rpartition("/")[2],
        path,
        cure.sentence,
        line=first.line,
        text=first.text,
        lines=tuple(sorted(each.line for each in lines)),
    )
