"""Holds all that a verdict is made from, prepared for looking up."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from analyzer.report.callers import Sighting
from analyzer.report.cloudwatch.differences import Comparison
from analyzer.report.dormant.scanned import NO_SCANS, Scans
from analyzer.report.findings import Findings
from analyzer.report.hosts import Span
from analyzer.report.result import Acceptance
from analyzer.report.roster.instances import Roster
from analyzer.report.verdict.groups import Places, places
from analyzer.report.verdict.names import labels, programs


@dataclass(frozen=True)
class Case:
    """Input of a verdict. ``end`` is the last line's time, or the present if that is before it."""

    findings: Findings
    period: datetime.timedelta
    now: datetime.datetime
    last_at: datetime.datetime
    comparison: Optional[Comparison]
    accepted: tuple[Acceptance, ...]
    rare: datetime.timedelta
    places: Places
    callers: Mapping[str, Sequence[Sighting]]
    successors: Mapping[str, Sequence[Sighting]]
    labels: Mapping[str, str]
    programs: Mapping[str, str]
    scans: Scans = NO_SCANS

    @property
    def end(self) -> datetime.datetime:
        """The end of the judged time."""
        return end_of(self.last_at, self.now)


def end_of(last_at: datetime.datetime, now: datetime.datetime) -> datetime.datetime:
    """Return when what is judged ends: with the log, but not in the future."""
    return min(last_at, now)


def judged_period(
    findings: Findings, period: datetime.timedelta, now: datetime.datetime
) -> Optional[Span]:
    """Return the period that the verdict judges; None without a line."""
    if findings.last_at is None:
        return None
    end = end_of(findings.last_at, now)
    return Span(end - period, end)


def case_of(
    findings: Findings,
    period: datetime.timedelta,
    now: datetime.datetime,
    comparison: Optional[Comparison],
    roster: Optional[Roster],
    accepted: Sequence[Acceptance],
    rare: datetime.timedelta,
    scans: Scans = NO_SCANS,
) -> Optional[Case]:
    """Return the case; None if the log has no host."""
    last_at = findings.last_at
    if last_at is None:
        return None
    callers: dict[str, list[Sighting]] = {}
    for sighting in findings.sightings:
        if sighting.v1:
            callers.setdefault(sighting.host, []).append(sighting)
    successors: dict[str, list[Sighting]] = {}
    for sighting in findings.successors:
        successors.setdefault(sighting.host, []).append(sighting)
    return Case(
        findings=findings,
        period=period,
        now=now,
        last_at=last_at,
        comparison=comparison,
        accepted=tuple(accepted),
        rare=rare,
        places=places(roster, findings),
        callers=callers,
        successors=successors,
        labels=labels(findings.groups),
        programs=programs(findings.groups),
        scans=scans,
    )
