"""Builds the report from findings: the diagnosis of each caller, the verdict, the next steps."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Optional

from analyzer import __version__
from analyzer.report.cloudwatch.comparison import compare
from analyzer.report.cloudwatch.figures import CloudWatch
from analyzer.report.diagnosis.clients import Clients
from analyzer.report.diagnosis.rules import diagnose
from analyzer.report.findings import Findings
from analyzer.report.next_steps.steps import steps
from analyzer.report.result import Acceptance, Entry, Report, Roster
from analyzer.report.verdict.intervals import RARE
from analyzer.report.verdict.judging import judge_hosts


def judge(
    findings: Findings,
    *,
    clients: Clients,
    period: datetime.timedelta,
    now: datetime.datetime,
    cloudwatch: Optional[CloudWatch] = None,
    roster: Optional[Roster] = None,
    accepted: Sequence[Acceptance] = (),
    rare: datetime.timedelta = RARE,
) -> Report:
    """Return the report on findings, as of ``now``: the end of what was asked for, or the present.

    With ``cloudwatch``, the findings' buckets must be its ``bucket_s``.
    """
    entries = tuple(Entry(each, diagnose(each, clients)) for each in findings.groups)
    comparison = compare(cloudwatch, findings) if cloudwatch else None
    verdict, host_verdicts, groups = judge_hosts(
        findings, period, now, comparison, roster, accepted, rare
    )
    return Report(
        generated_at=now,
        analyzer_version=__version__,
        findings=findings,
        entries=entries,
        verdict=verdict,
        host_verdicts=host_verdicts,
        steps=steps(findings, entries, verdict, host_verdicts, comparison),
        comparison=comparison,
        roster=roster,
        groups=groups,
        accepted=tuple(accepted),
    )
