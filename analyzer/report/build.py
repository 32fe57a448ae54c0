"""Builds the report from findings: the diagnosis of each caller, the verdict, the next steps."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from typing import Optional

from analyzer import __version__
from analyzer.clients.table import Clients
from analyzer.report.account.figures import of_hosts
from analyzer.report.account.reasons import reasons
from analyzer.report.account.roster import Joined, joined
from analyzer.report.account.snapshots import Snapshots
from analyzer.report.account.sorting import inventory
from analyzer.report.callers import Group
from analyzer.report.cloudwatch.comparison import compare
from analyzer.report.cloudwatch.figures import CloudWatch
from analyzer.report.diagnosis.mended import with_mended
from analyzer.report.diagnosis.rules import entry_of
from analyzer.report.diagnosis.surroundings import surroundings_of
from analyzer.report.dormant.scanned import NO_SCANS, Scans
from analyzer.report.findings import Findings
from analyzer.report.next_steps.steps import steps
from analyzer.report.result import Acceptance, Report
from analyzer.report.roster.instances import Roster
from analyzer.report.roster.joining import join
from analyzer.report.roster.owners import Owners
from analyzer.report.verdict.case import judged_period
from analyzer.report.verdict.intervals import RARE
from analyzer.report.verdict.judging import judge_hosts
from analyzer.report.verdict.whole import with_reasons


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
    scans: Scans = NO_SCANS,
    snapshots: Optional[Snapshots] = None,
    owners: Optional[Owners] = None,
) -> Report:
    """Return the report on findings, as of ``now``: the end of what was asked for, or the present.

    With ``cloudwatch``, the findings' buckets must be its ``bucket_s``. ``roster`` need not be
    joined with the findings' hosts. ``rare`` is how long a caller must be silent whose rhythm is
    unknown. ``scans`` are joined with the findings' hosts. ``roster`` is that of the
    ``snapshots``, if there are any.
    """
    owners = owners or Owners()
    of_log = _joined(findings, roster, snapshots, owners)
    known = of_log.roster if of_log is not None else None
    ids = {each.host: each.id for each in known.instances} if known is not None else {}
    around = surroundings_of(findings)
    entries = tuple(
        replace(entry_of(each, clients, around, ids), owner=_maybe_owner(each, owners))
        for each in findings.groups
    )
    compared = findings
    if snapshots is not None and cloudwatch is not None and known is not None:
        cloudwatch, compared = of_hosts(cloudwatch, findings, known)
    comparison = (
        compare(cloudwatch, compared, judged_period(findings, period, now)) if cloudwatch else None
    )
    verdict, host_verdicts, groups = judge_hosts(
        findings, period, now, comparison, known, accepted, rare, scans
    )
    found = None
    if snapshots is not None and of_log is not None:
        found = inventory(snapshots, of_log, host_verdicts, owners)
        verdict = with_reasons(verdict, tuple(reasons(found, findings, verdict, comparison)))
    entries = with_mended(entries, host_verdicts)
    return Report(
        generated_at=now,
        analyzer_version=__version__,
        findings=findings,
        entries=entries,
        verdict=verdict,
        host_verdicts=host_verdicts,
        steps=steps(findings, entries, verdict, host_verdicts, comparison, known, found),
        comparison=comparison,
        roster=known,
        groups=groups,
        accepted=tuple(accepted),
        inventory=found,
    )


def _maybe_owner(group: Group, owners: Owners) -> Optional[str]:
    key = group.key
    return owners.maybe_owner_of_caller(key.caller, key.program, key.labels or "")


def _joined(
    findings: Findings, roster: Optional[Roster], snapshots: Optional[Snapshots], owners: Owners
) -> Optional[Joined]:
    if roster is None:
        return None
    if snapshots is None:
        return Joined(join(roster, findings.hosts))
    return joined(snapshots, roster, findings.hosts, owners)
