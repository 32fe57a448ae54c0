"""Joins scans with the hosts of the log, and takes out what did call there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Optional

from analyzer.report.callers import Group
from analyzer.report.dormant.scanned import Dormant, Scanned, Scans
from analyzer.report.findings import Findings
from analyzer.report.roster.instances import Instance, Roster
from analyzer.report.roster.joining import join
from analyzer.text import visible


def join_scans(
    scans: Sequence[Scanned], findings: Findings, *, is_strict: bool
) -> tuple[Scans, tuple[str, ...]]:
    """Return the scans by host, the last of each, and which files fit no host of the log."""
    called = _called(findings)
    by_host: dict[str, Dormant] = {}
    strangers = []
    for scan in sorted(scans, key=lambda one: one.at):
        host = _host(scan, findings)
        if host is None:
            strangers.append(scan.source)
            continue
        by_host[host] = Dormant(
            scan.at,
            scan.is_complete,
            tuple(place for place in scan.places if (host, place.path) not in called),
            scan.left_out,
        )
    return Scans(by_host, is_strict), tuple(strangers)


def _host(scan: Scanned, findings: Findings) -> Optional[str]:
    instance = Instance(id=scan.instance_id, name=scan.host, names=(scan.host,))
    (found,) = join(Roster(scan.source, (instance,)), findings.hosts).instances
    return found.host


def _called(findings: Findings) -> frozenset[tuple[str, str]]:
    """Return host and path of the code that used IMDSv1: it is a caller, with a fix of its own."""
    return frozenset(
        (host, path)
        for group in findings.groups
        if group.count("v1")
        for host, path in _places(group)
    )


def _places(group: Group) -> Iterator[tuple[str, str]]:
    yield from ((host, visible(group.key.program)) for host in group.v1_hosts)
    for evidence in group.evidence:
        code = evidence.code
        paths = [
            place.path for found in (code.libraries, code.packages, code.lines) for place in found
        ]
        if code.entry_point is not None:
            paths.append(code.entry_point.path)
        for host in evidence.hosts:
            yield from ((host, visible(path)) for path in paths if path)
