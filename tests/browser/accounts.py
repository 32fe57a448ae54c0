"""Makes a report over a snapshot of two accounts, with instances in each set."""

from __future__ import annotations

from dataclasses import replace

from analyzer.report.result import Report
from tests.fleet.account import Size
from tests.fleet.account import snapshot as of_fleet
from tests.unit.report.account.samples import findings, host, report, snapshots, v1

WATCHED = 12


def account(team: str = "payments") -> Report:
    """Return a report over 60 instances, a fifth of them watched; every third has a caller."""
    log = findings([host(n) for n in range(WATCHED)], [v1(n) for n in range(0, WATCHED, 3)])
    hosts = tuple(replace(each, covered=()) if n == 1 else each for n, each in enumerate(log.hosts))
    made = of_fleet(Size(days=9, hosts=WATCHED, instances=60))
    first, *others = made.regions
    names = {"Name": team, "Team": team}
    named = tuple(replace(each, tags=names) for each in first.instances)
    made = replace(made, regions=(replace(first, instances=named), *others))
    return report(snapshots(made), replace(log, hosts=hosts))
