"""Each instance is in one set, and nothing unknown puts it into a better one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from analyzer.account.model import Calls, Failure, InstanceFacts, MetadataOptions, Part
from analyzer.report.account.inventory import Kind
from analyzer.report.result import Judgement, Report
from tests.unit.report.account.samples import (
    HOURS,
    OPTIONAL,
    REQUIRED,
    codes,
    counted,
    facts,
    failure,
    findings,
    host,
    instance_id,
    report,
    snapshot,
    snapshots,
    v1,
)
from tests.unit.report_samples import DAY, HOUR, NOW


def kinds(made: Report) -> dict[str, Kind]:
    """Return the set of each instance; each is in one alone."""
    assert made.inventory is not None
    found: dict[str, Kind] = {}
    for of in made.inventory.sets:
        for each in of.members:
            key = each.instance.id or each.instance.name or ""
            assert key not in found
            found[key] = of.kind
    return found


def kind(instance: InstanceFacts, *, is_watched: bool = False, **log: Any) -> Kind:
    """Return the set of one instance beside a watched one."""
    hosts = [host(1), *([host(7)] if is_watched else [])]
    made = report(snapshots(snapshot(facts(1), instance)), findings(hosts, **log))
    return kinds(made)[instance.id]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Kind.QUIET),
        ({"calls": None}, Kind.UNKNOWN),
        ({"calls": counted(is_partial=True)}, Kind.UNKNOWN),
        ({"calls": counted(hours_counted=HOURS - 6)}, Kind.QUIET),
        ({"calls": counted(hours_counted=HOURS - 7)}, Kind.UNKNOWN),
        ({"calls": counted(hours_counted=5), "launched_at": NOW - 5 * HOUR}, Kind.QUIET),
        ({"calls": counted(hours_counted=0), "launched_at": NOW + HOUR}, Kind.UNKNOWN),
        ({"calls": counted(hours_counted=0), "launched_at": NOW - 5 * HOUR}, Kind.UNKNOWN),
        ({"calls": counted(hours_counted=1), "launched_at": NOW - 5 * HOUR}, Kind.QUIET),
        ({"calls": counted(hours_counted=9), "launched_at": NOW - 5 * HOUR}, Kind.UNKNOWN),
        ({"calls": counted((NOW - DAY, 3))}, Kind.V1_UNWATCHED),
        ({"calls": counted(no_token_rejected=2)}, Kind.V1_UNWATCHED),
        ({"options": REQUIRED}, Kind.REQUIRED),
        ({"options": replace(REQUIRED, state="pending")}, Kind.QUIET),
        ({"options": replace(REQUIRED, state=None)}, Kind.QUIET),
        ({"options": replace(REQUIRED, state="settling")}, Kind.QUIET),
        ({"options": replace(OPTIONAL, http_endpoint="disabled")}, Kind.REQUIRED),
        ({"options": replace(OPTIONAL, http_endpoint="disabled", state=None)}, Kind.QUIET),
        ({"options": REQUIRED, "calls": counted(no_token_rejected=2)}, Kind.V1_UNWATCHED),
        ({"state": "stopped"}, Kind.OFF),
        ({"state": "terminated", "calls": counted((NOW - DAY, 3))}, Kind.OFF),
    ],
)
def test_an_instance_without_a_log(fields: dict[str, Any], expected: Kind) -> None:
    assert kind(facts(7, **fields)) is expected


@pytest.mark.parametrize(
    ("options", "log", "expected"),
    [
        (OPTIONAL, {}, Kind.SAFE),
        (REQUIRED, {}, Kind.REQUIRED),
        (OPTIONAL, {"sightings": [v1(7)]}, Kind.V1_WATCHED),
        (REQUIRED, {"sightings": [v1(7)]}, Kind.V1_WATCHED),
    ],
)
def test_a_watched_instance(options: MetadataOptions, log: dict[str, Any], expected: Kind) -> None:
    assert kind(facts(7, options=options), is_watched=True, **log) is expected


def test_calls_that_nobody_recorded_make_a_watched_instance_one_with_v1() -> None:
    """AWS counted them, whatever the log says."""
    of_aws = facts(7, calls=counted((NOW - DAY, 3)))
    assert kind(of_aws, is_watched=True) is Kind.V1_WATCHED


def test_a_watched_instance_without_enough_evidence() -> None:
    young = host(7, covered=())
    made = report(snapshots(snapshot(facts(1), facts(7))), findings([host(1), young]))
    assert kinds(made)[instance_id(7)] is Kind.UNDECIDED


def test_the_most_calls_come_first_with_their_callers() -> None:
    several = [facts(n, calls=counted((NOW - DAY, n))) for n in (3, 9, 5)]
    made = report(
        snapshots(snapshot(facts(1), facts(2), *several)), findings([host(1), host(2)], [v1(2)])
    )
    assert made.inventory is not None
    counted_ = made.inventory.of(Kind.V1_UNWATCHED)
    assert [each.calls for each in counted_.members] == [9, 5, 3]
    assert counted_.calls == 17
    (watched,) = made.inventory.of(Kind.V1_WATCHED).members
    assert watched.callers == ("/srv/app/worker.py",)
    assert (watched.instance.account, watched.instance.region) == ("111122223333", "eu-west-1")


def test_a_host_that_no_snapshot_has_is_judged_if_it_ran_later() -> None:
    """Else its callers would count for less, because it seems to be gone."""
    taken = NOW - 2 * HOUR
    log = findings([host(1), host(7)], [v1(7)])
    made = report(snapshots(snapshot(facts(1), taken_at=taken)), log)
    assert kinds(made)[instance_id(7)] is Kind.V1_WATCHED
    assert "uncovered_hosts" in codes(made)
    assert made.verdict.judgement is Judgement.NOT_SAFE
    listed = findings([host(1), host(7, last_at=taken - HOUR / 2)], [v1(7, NOW - 3 * HOUR)])
    elsewhere = report(snapshots(snapshot(facts(1), taken_at=taken)), listed)
    assert kinds(elsewhere)[instance_id(7)] is Kind.V1_WATCHED
    ended = findings([host(1), host(7, last_at=taken - HOUR)], [v1(7, NOW - 3 * HOUR)])
    former = report(snapshots(snapshot(facts(1), taken_at=taken)), ended)
    assert instance_id(7) not in kinds(former)


@pytest.mark.parametrize(
    ("fields", "failures", "is_judged"),
    [
        # It ended, and others of the log did not.
        ({"last_at": NOW - 2 * DAY}, (), False),
        # It ran when the logs were collected: nothing says that it ended before the audit.
        ({}, (), True),
        ({"last_at": NOW - 0.9 * HOUR}, (), True),
        ({"last_at": NOW - HOUR}, (), False),
        # What could not be read says nothing of it.
        ({"last_at": NOW - 2 * DAY}, (failure(Part.INSTANCES, region="eu-south-1"),), True),
        ({"last_at": NOW - 2 * DAY}, (failure(Part.ROLE, account="444455556666"),), True),
        ({"last_at": NOW - 2 * DAY}, (failure(Part.IMAGES),), False),
        # Its name is of a Region that nobody read.
        (
            {"last_at": NOW - 2 * DAY, "names": ("ip-10-0-0-1.eu-south-1.compute.internal",)},
            (),
            True,
        ),
        ({"last_at": NOW - 2 * DAY, "names": ("ip-10-0-0-1.ec2.internal",)}, (), True),
        (
            {"last_at": NOW - 2 * DAY, "names": ("ip-10-0-0-1.eu-west-1.compute.internal",)},
            (),
            False,
        ),
    ],
)
def test_a_host_that_no_snapshot_has_is_gone_only_if_its_log_ended(
    fields: dict[str, Any], failures: tuple[Failure, ...], *, is_judged: bool
) -> None:
    """An account or Region that was left out says nothing of its hosts."""
    log = findings([host(1), host(7, **fields)])
    later = snapshot(facts(1), taken_at=NOW + 20 * HOUR, failures=failures)
    made = report(snapshots(later), log)
    assert (instance_id(7) in kinds(made)) is is_judged
    assert ("uncovered_hosts" in codes(made)) is is_judged
    (said,) = [each.text for each in made.verdict.reasons if each.code == "gone"] or [""]
    assert ("in no list of instances" in said) is not is_judged


def test_a_stopped_instance_that_has_lines_since_runs() -> None:
    stopped = snapshot(facts(1), facts(7, state="stopped"), taken_at=NOW - HOUR)
    made = report(snapshots(stopped), findings([host(1), host(7)]))
    assert kinds(made)[instance_id(7)] is Kind.SAFE


def test_no_figures_at_all() -> None:
    """As of an audit without CloudWatch: nothing is known of what has no log."""
    bare = snapshot(facts(1, calls=None), facts(7, calls=None), metrics=None)
    made = report(snapshots(bare))
    assert made.comparison is None
    assert kinds(made)[instance_id(7)] is Kind.UNKNOWN
    assert Calls() == counted(hours_counted=0)
