"""Says what snapshots mean for the verdict on the whole. None of it makes a verdict better."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import Optional

from analyzer.account.model import Failure
from analyzer.report.account.figures import HOUR
from analyzer.report.account.inventory import InstanceSet, Inventory, Kind, Member
from analyzer.report.account.snapshots import OF_INSTANCES
from analyzer.report.cloudwatch.differences import Comparison
from analyzer.report.cloudwatch.question import NO_TOKEN
from analyzer.report.findings import Findings
from analyzer.report.formats.wording import at, listed, number
from analyzer.report.result import Reason, Verdict

# Minutes pass between an audit and the last line in any case.
AGE_SAID = datetime.timedelta(hours=1)
AGE_MAX = datetime.timedelta(days=1)


def reasons(
    inventory: Inventory,
    findings: Findings,
    verdict: Verdict,
    comparison: Optional[Comparison] = None,
) -> Iterator[Reason]:
    """Yield the reasons. ``verdict`` is that on the whole, whose window counts for each part."""
    counted = _counted(inventory.of(Kind.V1_UNWATCHED), verdict)
    if counted:
        calls = sum(each.calls or 0 for each in counted)
        names = [each.instance.id or each.instance.name or "?" for each in counted]
        yield Reason(
            "counted_unwatched",
            f"AWS counted {number(calls, 'call')} without a token on"
            f" {number(len(counted), 'instance')} that {_have(len(counted))} no log:"
            f" {listed(names)}. Install the analyzer there to see who it is",
        )
    stopped = {
        each.instance.id or each.instance.name or "?": calls
        for each in inventory.of(Kind.OFF).members
        if not each.instance.is_gone and (calls := _unlogged(each, comparison))
    }
    if stopped:
        yield Reason(
            "counted_stopped",
            f"AWS counted {number(sum(stopped.values()), 'call')} without a token that no log has"
            f" on {number(len(stopped), 'stopped instance')}, which may call again once started:"
            f" {listed(list(stopped))}. Start with the analyzer, or terminate",
        )
    missing = [each for each in inventory.failures if each.part in OF_INSTANCES]
    if missing:
        yield Reason(
            "incomplete_account",
            f"the snapshot lacks instances: {listed([_failure(each) for each in missing])}."
            " Audit again once this is mended",
        )
    others = [each for each in inventory.failures if each.part not in OF_INSTANCES]
    if others:
        yield Reason(
            "incomplete_facts",
            f"the snapshot lacks facts: {listed([_failure(each) for each in others])}",
        )
    if findings.last_at is not None:
        yield from _age(inventory, findings.last_at)
    yield from _strangers(inventory, findings)
    refused = list(_refused_since(inventory, findings))
    if refused:
        yield Reason(
            "before_enforcement",
            f"IMDS refuses calls without a token on {number(len(refused), 'instance')} of which"
            f" the snapshot says `optional`: it is from before tokens were required there"
            f" ({listed(refused)}). Its counts are the baseline: later ones are 0 by themselves",
        )


def _strangers(inventory: Inventory, findings: Findings) -> Iterator[Reason]:
    """Say which hosts are in no snapshot: those launched after it, and those that were there."""
    first = {each.key: each.first_at for each in findings.hosts}
    there = [each for each in inventory.later if first[each] < inventory.taken_at]
    after = [each for each in inventory.later if each not in there]
    if there:
        yield Reason(
            "uncovered_hosts",
            f"{number(len(there), 'host')} with a log {_is(len(there))} in no snapshot, and"
            f" began before it: {listed(there)}. An account or Region was not audited, and its"
            " instances without a log are not known: audit all, within an hour of the logs' end",
        )
    if after:
        yield Reason(
            "later_instances",
            f"{number(len(after), 'host')} with a log {_is(len(after))} in no snapshot,"
            f" and judged as running: {listed(after)}",
        )


def _unlogged(of: Member, comparison: Optional[Comparison]) -> int:
    """Return how many answered calls AWS counted that the log does not have."""
    host = of.instance.host
    if host is None or comparison is None:
        return of.calls or 0
    return sum(
        each.missing
        for each in comparison.of_host(host)
        if each.host == host and each.metric == NO_TOKEN
    )


def _counted(of: InstanceSet, verdict: Verdict) -> Sequence[Member]:
    """Return the instances with answered calls in the verdict's window.

    The last call was in the hour that begins at ``last_at``.
    """
    window = verdict.window
    return [
        each
        for each in of.members
        if each.calls
        and (window is None or each.last_at is None or each.last_at + HOUR > window.start)
    ]


def _age(inventory: Inventory, last_at: datetime.datetime) -> Iterator[Reason]:
    age = last_at - inventory.taken_at
    if age < -AGE_MAX:
        yield Reason(
            "later_snapshot",
            f"the snapshot of {at(inventory.taken_at)} is newer than the log's end ({at(last_at)}):"
            " what ended or was changed between is not in it. Collect the logs again, or give a"
            " snapshot of that time",
        )
    if age <= AGE_SAID:
        return
    text = (
        f"the snapshot of {at(inventory.taken_at)} is older than the log's end ({at(last_at)}):"
        " instances that were launched since are not in it, unless they have a log"
    )
    if age > AGE_MAX:
        yield Reason("old_snapshot", f"{text}. Audit again")
    else:
        yield Reason("snapshot_before_end", text)


def _refused_since(inventory: Inventory, findings: Findings) -> Iterator[str]:
    refused = {
        each.host
        for each in findings.sightings
        if each.v1_rejected and each.last_v1_at > inventory.taken_at
    }
    for of in inventory.sets:
        for each in of.members:
            if each.instance.http_tokens == "optional" and each.instance.host in refused:
                yield each.instance.id or each.instance.name or "?"


def _failure(failure: Failure) -> str:
    where = " in ".join(each for each in (failure.account, failure.region) if each)
    return f"{failure.part.value}{f' of {where}' if where else ''} ({failure.code})"


def _is(many: int) -> str:
    return "is" if many == 1 else "are"


def _have(many: int) -> str:
    return "has" if many == 1 else "have"
