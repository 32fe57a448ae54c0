"""Makes a report over a snapshot of two accounts, with instances in each set."""

from __future__ import annotations

from dataclasses import replace

from analyzer.report.result import Report
from tests.fleet.account import Size
from tests.fleet.account import snapshot as of_fleet
from tests.unit.report.account.samples import findings, host, report, snapshots, v1

WATCHED = 12


def account() -> Report:
    """Return a report over 60 instances, a fifth of which are watched; every third has a caller."""
    log = findings([host(n) for n in range(WATCHED)], [v1(n) for n in range(0, WATCHED, 3)])
    bare = replace(host(1), covered=())
    log = replace(log, hosts=(*(each for each in log.hosts if each.key != bare.key), bare))
    return report(snapshots(of_fleet(Size(days=9, hosts=WATCHED, instances=60))), log)
