"""Judges whether IMDSv1 may be switched off, for each host, each group and the whole.

The period is the last seven days (``--period``) of the log. Where a caller was silent for longer,
and must have been, the window that has to be watched is longer, too.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Optional

from analyzer.report.cloudwatch.differences import Comparison
from analyzer.report.dormant.scanned import NO_SCANS, Scans
from analyzer.report.findings import Findings
from analyzer.report.hosts import Host
from analyzer.report.result import (
    CLEARED,
    Acceptance,
    CallerStanding,
    GroupVerdict,
    Judgement,
    Reason,
    Verdict,
)
from analyzer.report.roster.instances import Roster
from analyzer.report.verdict.case import Case, case_of
from analyzer.report.verdict.dates import latest, safe_on
from analyzer.report.verdict.evidence import Evidence
from analyzer.report.verdict.gathering import (
    evidence_of,
    own_callers,
    together,
    window_of_gone,
)
from analyzer.report.verdict.groups import Pool, Together
from analyzer.report.verdict.intervals import RARE, Rhythm
from analyzer.report.verdict.named import own_time
from analyzer.report.verdict.names import named
from analyzer.report.verdict.rules import ORDER, against, judgement, reasons
from analyzer.report.verdict.spans import total_s
from analyzer.report.verdict.whole import Gone, whole, without_lines


@dataclass(frozen=True)
class Part:
    """The hosts of an owner, and the owner's instances."""

    hosts: frozenset[str]
    roster: Optional[Roster]

    def has(self, pool: Pool) -> bool:
        """Tell whether a host of a group is in the part."""
        return any(each.key in self.hosts for each in pool.hosts)

    def of(self, pool: Pool) -> Pool:
        """Return what of a group is in the part."""
        own = () if self.roster is None else self.roster.instances
        keys = {(each.id, each.host) for each in own}
        return replace(
            pool,
            instances=tuple(each for each in pool.instances if (each.id, each.host) in keys),
            hosts=tuple(each for each in pool.hosts if each.key in self.hosts),
            running=pool.running & self.hosts,
        )


Verdicts = tuple[Verdict, tuple[Verdict, ...], tuple[GroupVerdict, ...]]


def judge_hosts(
    findings: Findings,
    period: datetime.timedelta,
    now: datetime.datetime,
    comparison: Optional[Comparison] = None,
    roster: Optional[Roster] = None,
    accepted: Sequence[Acceptance] = (),
    rare: datetime.timedelta = RARE,
    scans: Scans = NO_SCANS,
    part: Optional[Part] = None,
) -> Verdicts:
    """Return the verdict on the whole, on each host in the order of the findings, on each group.

    With ``part``, only its hosts are judged, each as in the whole: by all that is known of its
    group, and up to the end of the whole log.
    """
    findings = own_time(findings, roster)
    case = case_of(findings, period, now, comparison, roster, accepted, rare, scans)
    if case is None:
        return without_lines(findings, roster), (), ()
    alike = Counter(host.name for host in findings.hosts)
    found: dict[str, Verdict] = {}
    evidence: list[Evidence] = []
    gone: list[Gone] = []
    pools = [pool for pool in case.places.pools if part is None or part.has(pool)]
    groups = {pool.key: together(case, pool) for pool in pools}
    for host in findings.hosts:
        if part is not None and host.key not in part.hosts:
            continue
        shown = host.name if alike[host.name] == 1 else f"{host.name} [{host.key}]"
        pool = case.places.pool_of.get(host.key)
        group = None if pool is None else groups[pool.key]
        if case.places.is_judged(host.key):
            of = evidence_of(case, host, shown, group)
            evidence.append(of)
            found[host.key] = _verdict(of)
        else:
            left = _gone(case, host, shown, group)
            gone.append(left)
            found[host.key] = left.verdict
    if part is not None:
        groups = {key: replace(of, pool=part.of(of.pool)) for key, of in groups.items()}
        case = replace(case, places=replace(case.places, roster=part.roster))
    judged_groups = tuple(_group(group, found) for group in groups.values())
    return whole(case, evidence, gone, found), tuple(found.values()), judged_groups


def _verdict(of: Evidence) -> Verdict:
    said = reasons(of)
    return Verdict(
        host=of.host.key,
        judgement=judgement(said),
        reasons=said,
        window=of.window,
        covered_s=of.covered_s,
        name=of.host.name,
        callers=of.callers,
        safe_on=safe_on(of, against(said)),
        group=None if of.group is None else of.group.pool.name,
    )


def _gone(case: Case, host: Host, shown: str, group: Optional[Together]) -> Gone:
    """Return the verdict on an instance that does not run: only its callers can matter."""
    pool = None if group is None else group.pool
    may_return = case.places.may_return(host.key)
    callers = tuple(
        replace(each, safe_on=_forgotten_at(case, each, may_return=may_return))
        if each.standing not in CLEARED
        else each
        for each in own_callers(case, host, group)
    )
    in_the_way = [
        each
        for each in callers
        if each.standing not in CLEARED and (each.safe_on is None or each.safe_on > case.end)
    ]
    has_successors = pool is not None and bool(pool.running)
    # A group that has no instance now, such as one that is scaled to none, launches more.
    counts = not has_successors
    said = [Reason("gone", _whereabouts(case, host, pool))]
    if in_the_way and counts:
        said.insert(0, Reason("gone_callers", named(in_the_way, case.labels)))
    span = window_of_gone(case, host)
    verdict = Verdict(
        host=host.key,
        judgement=judgement(said),
        reasons=tuple(said),
        window=span,
        covered_s=min(span.seconds, total_s(host.covered)),
        name=host.name,
        callers=callers,
        safe_on=latest(each.safe_on for each in in_the_way) if counts else None,
        group=None if pool is None else pool.name,
    )
    return Gone(shown, verdict)


def _forgotten_at(
    case: Case, caller: CallerStanding, *, may_return: bool
) -> Optional[datetime.datetime]:
    """Return when a caller of an instance that is gone no longer counts.

    The host's own log tells nothing of the time since. A stopped instance calls as it did before
    once somebody starts it, however long that takes.
    """
    if may_return:
        return None
    return caller.last_v1_at + max(case.period, Rhythm(caller.interval).silence(case.rare))


def _whereabouts(case: Case, host: Host, pool: Optional[Pool]) -> str:
    instance = case.places.instances.get(host.key)
    if instance is None:
        return "it is not in the list of instances, so it is not judged"
    state = f"it is {instance.state}, so it is not judged"
    if pool is None or not pool.running:
        return state
    return f"{state}; its callers count for the {pool.kind} {pool.name}"


def _group(group: Together, found: Mapping[str, Verdict]) -> GroupVerdict:
    """Return the verdict on a group: that on the worst of its running instances."""
    pool = group.pool
    running = [each for each in pool.instances if each.is_running]
    unwatched = [each for each in running if each.host is None]
    judgements = [found[key].judgement for key in pool.running]
    if unwatched:
        judgements.append(Judgement.NOT_ENOUGH_EVIDENCE)
    if not running:
        is_clear = all(each.standing in CLEARED for each in group.former)
        if not (is_clear and group.is_watched):
            judgements.append(Judgement.NOT_ENOUGH_EVIDENCE)
    return GroupVerdict(
        name=pool.name,
        kind=pool.kind,
        judgement=max(judgements, key=ORDER.index, default=Judgement.SAFE),
        hosts=tuple(host.key for host in pool.hosts),
        running=len(running),
        unwatched=len(unwatched),
        launches=group.watched_launches,
        watched_s=group.watched_s,
    )
