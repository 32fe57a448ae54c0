"""Judges what was found on the disk: whether it would call IMDSv1, and how it is fixed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Optional

from analyzer.clients import cures
from analyzer.clients.table import Clients
from analyzer.scan.findings import LIBRARY, PACKAGE, SCRIPT, Finding
from analyzer.software.found import Found, Library, Package, ScriptLine
from analyzer.software.script_text import CALL


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
    if cure is None or cure.client is None:
        return None
    return Finding(
        LIBRARY,
        cure.state,
        library.name,
        path,
        cure.sentence,
        version=library.version,
        client=cure.client.name,
        needs=cure.client.needs or "",
        required_by=library.required_by,
        sources=cure.client.source,
    )


def _package(package: Package, root: str, clients: Clients) -> Optional[Finding]:
    path = root + package.path
    cure = cures.of_package(clients, package.name, package.version, path)
    if cure is None or cure.client is None:
        return None
    return Finding(
        PACKAGE,
        cure.state,
        package.name,
        path,
        cure.sentence,
        version=package.version,
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
