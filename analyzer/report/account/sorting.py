"""Sorts each instance of snapshots into one set. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional

from analyzer.account.model import InstanceFacts, Period
from analyzer.report.account.figures import is_whole_of
from analyzer.report.account.inventory import InstanceSet, Inventory, Kind, Member
from analyzer.report.account.launch_sources import launch_sources
from analyzer.report.account.roster import Joined
from analyzer.report.account.snapshots import Snapshots
from analyzer.report.result import CLEARED, Judgement, Verdict
from analyzer.report.roster.instances import Instance
from analyzer.report.roster.owners import Owners

# Verdicts' reasons that say that AWS counted calls which nobody recorded.
_COUNTED = frozenset({"unaccounted_calls", "unwatched_calls"})


def inventory(
    snapshots: Snapshots, joined: Joined, verdicts: Iterable[Verdict], owners: Owners
) -> Inventory:
    """Return the sets; every instance of the joined roster is in exactly one."""
    facts = {of.id: (of, snapshot.metrics) for snapshot, _, of in snapshots.instances()}
    judged = {each.host: each for each in verdicts if each.host is not None}
    found: dict[Kind, list[Member]] = {kind: [] for kind in Kind}
    for instance in joined.roster.instances:
        of, period = facts.get(instance.id or "", (None, None))
        member = _member(instance, of, judged.get(instance.host or ""))
        kind = _kind(member, of, period, judged.get(instance.host or ""))
        found[kind].append(member)
    metrics = {each.metrics for each in snapshots.snapshots}
    return Inventory(
        sources=snapshots.sources,
        taken_at=snapshots.taken_at,
        metrics=metrics.pop() if len(metrics) == 1 else None,
        accounts=len({region.account for _, region in snapshots.regions()}),
        regions=len({region.region for _, region in snapshots.regions()}),
        sets=tuple(InstanceSet(kind, tuple(sorted(found[kind], key=_order))) for kind in Kind),
        launches=tuple(launch_sources(snapshots, owners)),
        failures=snapshots.failures,
        later=joined.later,
        names=snapshots.names,
    )


def _order(member: Member) -> tuple[int, str, str, str]:
    instance = member.instance
    return (-member.tokenless, instance.account or "", instance.region or "", instance.id or "")


def _member(
    instance: Instance, facts: Optional[InstanceFacts], verdict: Optional[Verdict]
) -> Member:
    callers = () if verdict is None else tuple(dict.fromkeys(
        each.caller for each in verdict.callers if each.standing not in CLEARED
    ))  # fmt: skip
    calls = facts.calls if facts is not None else None
    at = [] if calls is None else [calls.last_no_token_at, calls.last_rejected_at]
    return Member(
        instance=instance,
        calls=None if calls is None else calls.no_token,
        rejected=None if calls is None else calls.no_token_rejected,
        last_at=max((each for each in at if each is not None), default=None),
        callers=callers,
        is_managed=facts.is_managed_by_ssm if facts is not None else None,
        platform=facts.platform if facts is not None else None,
    )


def _kind(
    member: Member,
    facts: Optional[InstanceFacts],
    period: Optional[Period],
    verdict: Optional[Verdict],
) -> Kind:
    """Return the set. Nothing that is unknown puts an instance into a better one."""
    instance = member.instance
    if not instance.is_running:
        return Kind.OFF
    if instance.host is not None and verdict is not None:
        return _watched(member, verdict)
    if member.tokenless:
        return Kind.V1_UNWATCHED
    if instance.is_switched:
        return Kind.REQUIRED
    is_whole = facts is not None and period is not None and is_whole_of(facts, period)
    return Kind.QUIET if is_whole else Kind.UNKNOWN


def _watched(member: Member, verdict: Verdict) -> Kind:
    is_counted = any(each.code in _COUNTED for each in verdict.reasons)
    if member.callers or is_counted or verdict.judgement is Judgement.NOT_SAFE:
        return Kind.V1_WATCHED
    if member.instance.is_switched:
        return Kind.REQUIRED
    return Kind.SAFE if verdict.judgement is Judgement.SAFE else Kind.UNDECIDED
