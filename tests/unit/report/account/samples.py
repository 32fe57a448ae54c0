"""Snapshots of few instances, and reports over them; what a test is about, it passes."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Optional

from analyzer.account.model import (
    Calls,
    Defaults,
    Failure,
    Hour,
    InstanceFacts,
    MetadataOptions,
    Period,
    RegionFacts,
    Snapshot,
)
from analyzer.clients.reading import load_clients
from analyzer.report.account.figures import maybe_figures
from analyzer.report.account.roster import roster
from analyzer.report.account.snapshots import Snapshots
from analyzer.report.build import judge
from analyzer.report.callers import Group, Sighting
from analyzer.report.findings import Findings
from analyzer.report.hosts import Host, Span
from analyzer.report.result import Report
from analyzer.report.roster.owners import Owners
from tests.unit import report_samples as samples
from tests.unit.report_samples import DAY, HOUR, NOW, WEEK

CLIENTS = load_clients()
ACCOUNT = "111122223333"
REGION = "eu-west-1"
OPTIONAL = MetadataOptions("optional", "enabled", 1, state="applied")
REQUIRED = MetadataOptions("required", "enabled", 1, state="applied")
METRICS = Period(NOW - 14 * DAY, NOW)
HOURS = 14 * 24
CALLER = "/srv/app/worker.py"


def instance_id(number: int) -> str:
    """Return an instance's id."""
    return f"i-{number:017x}"


def counted(*calls: tuple[datetime.datetime, int], **fields: Any) -> Calls:
    """Return figures that are whole, with so many calls in each hour."""
    hours = tuple(Hour(at, number) for at, number in sorted(calls))
    values: dict[str, Any] = {
        "no_token": sum(each.calls for each in hours),
        "last_no_token_at": hours[-1].at if hours else None,
        "hours": hours,
        "hours_counted": HOURS,
    }
    return Calls(**{**values, **fields})


def facts(number: int, **fields: Any) -> InstanceFacts:
    """Return an instance that runs, allows v1, and of which no call was counted."""
    values: dict[str, Any] = {
        "id": instance_id(number),
        "state": "running",
        "options": OPTIONAL,
        "launched_at": NOW - 100 * DAY,
        "calls": counted(),
        "tags": {"Name": f"web-{number}"},
    }
    return InstanceFacts(**{**values, **fields})


def snapshot(*instances: InstanceFacts, **fields: Any) -> Snapshot:
    """Return a snapshot of one account and Region, taken at the log's end."""
    enforced = Defaults(MetadataOptions("required"), "disabled", "account")
    regions = (RegionFacts(ACCOUNT, REGION, enforced, instances=instances),)
    values: dict[str, Any] = {"taken_at": NOW, "version": "1", "metrics": METRICS}
    return Snapshot(**{**values, "regions": regions, **fields})


def snapshots(*several: Snapshot) -> Snapshots:
    """Return snapshots as they are read."""
    return Snapshots(tuple(f"{n}.json" for n in range(len(several))), several)


def failure(part: Any, **fields: Any) -> Failure:
    """Return what could not be read."""
    values: dict[str, Any] = {"code": "AccessDenied", "text": "ask for it", "account": ACCOUNT}
    return Failure(part, **{**values, **fields})


def host(number: int, **fields: Any) -> Host:
    """Return a watched host of an instance."""
    made = samples.host(f"web-{number}", instance_id=instance_id(number))
    return replace(made, **{"key": instance_id(number), **fields})


def v1(number: int, at: datetime.datetime = NOW - HOUR, calls: int = 1, **fields: Any) -> Sighting:
    """Return v1 calls of a caller on a host."""
    return Sighting(CALLER, instance_id(number), (Span(at, at),), (), calls, **fields)


def findings(hosts: Sequence[Host], sightings: Sequence[Sighting] = ()) -> Findings:
    """Return a log of these hosts."""
    groups: tuple[Group, ...] = ()
    if sightings:
        keys = tuple(dict.fromkeys(each.host for each in sightings))
        groups = (samples.old_botocore(hosts=keys, v1_hosts=keys, host_count=len(keys)),)
    return replace(samples.findings(groups, tuple(hosts)), sightings=tuple(sightings))


def report(
    of: Snapshots, log: Optional[Findings] = None, owners: Optional[Owners] = None
) -> Report:
    """Return the report over snapshots and a log, as the command makes it."""
    owners = owners or Owners()
    log = log if log is not None else findings([host(1)])
    return judge(
        replace(log, bucket_s=3600),
        clients=CLIENTS,
        period=WEEK,
        now=NOW,
        cloudwatch=maybe_figures(of),
        roster=roster(of, owners),
        snapshots=of,
        owners=owners,
    )


def codes(made: Report) -> set[str]:
    """Return the codes of the reasons of the whole."""
    return {each.code for each in made.verdict.reasons}
