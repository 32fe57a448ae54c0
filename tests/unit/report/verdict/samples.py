"""Builds the callers, hosts and rosters that the rules of the verdict are tested with."""

from __future__ import annotations

import dataclasses
import datetime
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Optional

from analyzer.report.callers import Group, Sighting
from analyzer.report.cloudwatch.differences import Comparison, Difference
from analyzer.report.dormant.scanned import NO_SCANS, Scans
from analyzer.report.findings import Findings
from analyzer.report.hosts import Boot, Host, Span
from analyzer.report.result import Acceptance, CallerStanding, Judgement, Standing, Verdict
from analyzer.report.roster.instances import Instance, Roster
from analyzer.report.verdict.intervals import RARE
from analyzer.report.verdict.judging import Verdicts, judge_hosts
from tests.unit.report_samples import DAY, HOST, HOUR, NOW, WEEK, findings, host, v2_only

SAFE, NOT_SAFE = Judgement.SAFE, Judgement.NOT_SAFE
NOT_ENOUGH = Judgement.NOT_ENOUGH_EVIDENCE
MINUTE = datetime.timedelta(minutes=1)
START = NOW - WEEK
CALLER = "uid=0;program=/srv/app/worker.py"
# A log that is longer than any silence that is asked for.
LONG = 100 * DAY


def ago(days: float) -> datetime.datetime:
    return NOW - days * DAY


def moments(*days_ago: float, lasting: datetime.timedelta = datetime.timedelta(0)) -> list[Span]:
    """Return a call, or calls for a time, so many days ago."""
    return [Span(ago(each), ago(each) + lasting) for each in sorted(days_ago, reverse=True)]


def every(days: float, first: float, last: float) -> list[Span]:
    """Return a call every so many days, from the first to the last."""
    count = int((first - last) / days + 1e-9)
    return moments(*(first - n * days for n in range(count + 1)))


def sighting(
    v1: Sequence[Span], *, v2: Sequence[Span] = (), caller: str = CALLER, on: str = HOST, **kw: Any
) -> Sighting:
    return Sighting(caller, on, tuple(v1), tuple(v2), **{"all_v1": len(v1), **kw})


def long_host(name: str = HOST, **fields: Any) -> Host:
    """Return a host that was watched for months, with a boot four days ago."""
    first = fields.pop("first_at", NOW - LONG)
    odd = {key: fields.pop(key) for key in ("overlap", "odd", "shortfalls") if key in fields}
    defaults = {"first_at": first, "boots": (first, NOW - 4 * DAY)}
    return dataclasses.replace(host(name, **{**defaults, **fields}), **odd)


def of_hosts(hosts: Sequence[Host], callers: Sequence[Sighting] = (), **fields: Any) -> Findings:
    """Return findings; the hosts' own numbers are those of the callers."""
    of_host: dict[str, list[Sighting]] = defaultdict(list)
    for caller in callers:
        of_host[caller.host].append(caller)
    known = []
    for each in hosts:
        own = of_host[each.key]
        if own:
            last = max(caller.last_v1_at for caller in own)
            v1 = sum(caller.all_v1 for caller in own)
            requests = {**each.requests, "v1": v1}
            each = dataclasses.replace(each, last_v1_at=last, requests=requests)  # noqa: PLW2901
        known.append(each)
    whole = findings((v2_only(),), known)
    return dataclasses.replace(whole, sightings=tuple(callers), **fields)


def log(*callers: Sighting, groups: Sequence[Group] = (), **fields: Any) -> Findings:
    """Return findings of one host that was watched for months."""
    of = of_hosts((long_host(**fields),), callers)
    return dataclasses.replace(of, groups=(*groups, *of.groups))


def judge(
    of: Findings,
    *,
    period: datetime.timedelta = WEEK,
    now: datetime.datetime = NOW,
    comparison: Optional[Comparison] = None,
    roster: Optional[Roster] = None,
    accepted: Sequence[Acceptance] = (),
    rare: datetime.timedelta = RARE,
    scans: Scans = NO_SCANS,
) -> Verdicts:
    return judge_hosts(of, period, now, comparison, roster, accepted, rare, scans)


def judged(of: Findings, **options: Any) -> Verdict:
    return judge(of, **options)[0]


def codes(verdict: Verdict) -> set[str]:
    return {each.code for each in verdict.reasons}


def text(verdict: Verdict, code: str) -> str:
    return next(each.text for each in verdict.reasons if each.code == code)


def only(verdict: Verdict) -> CallerStanding:
    """Return the only caller."""
    (caller,) = verdict.callers
    return caller


def standing_of(*callers: Sighting, **options: Any) -> Standing:
    return only(judged(log(*callers), **options)).standing


def instance(n: int, host_key: Optional[str], state: str = "running", **fields: Any) -> Instance:
    defaults = {"group": "web-asg", "owner": "team-web"}
    return Instance(f"i-{n:017x}", f"web-{n}", state, **{**defaults, **fields}, host=host_key)


def roster(*instances: Instance) -> Roster:
    return Roster("instances.json", instances)


def launch(at: datetime.datetime, attached_s: Optional[float] = 5.0) -> Boot:
    return Boot(f"boot at {at}", at, at, booted_at=at, attached_s=attached_s)


def difference(start: datetime.datetime, counted: int = 5, **fields: Any) -> Difference:
    defaults = {"recorded": 0, "unanswered": 0, "is_covered": True}
    span = Span(start, start + HOUR)
    return Difference("MetadataNoToken", span, counted, **{**defaults, **fields})
