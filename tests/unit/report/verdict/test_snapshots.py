"""Reasons that snapshots of accounts give: none of them makes a verdict better."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from analyzer.account.model import Part
from analyzer.report.findings import Tokenless
from analyzer.report.result import Judgement
from tests.unit.report.account.samples import (
    codes,
    counted,
    facts,
    failure,
    findings,
    host,
    report,
    snapshot,
    snapshots,
    v1,
)
from tests.unit.report_samples import DAY, HOUR, NOW


def test_all_watched_and_whole_is_safe() -> None:
    made = report(snapshots(snapshot(facts(1))))
    assert made.verdict.judgement is Judgement.SAFE
    assert codes(made).isdisjoint({"snapshot_before_end", "incomplete_facts", "only_logged"})


def test_calls_that_aws_counted_where_nobody_watches_are_not_safe() -> None:
    made = report(snapshots(snapshot(facts(1), facts(7, calls=counted((NOW - DAY, 1204))))))
    assert made.verdict.judgement is Judgement.NOT_SAFE
    (said,) = (each.text for each in made.verdict.reasons if each.code == "counted_unwatched")
    assert "AWS counted 1204 calls without a token on 1 instance that has no log" in said
    before = report(snapshots(snapshot(facts(1), facts(7, calls=counted((NOW - 9 * DAY, 1))))))
    assert before.verdict.judgement is Judgement.NOT_ENOUGH_EVIDENCE


def test_calls_counted_in_the_hour_in_which_the_window_begins_may_be_in_it() -> None:
    """The figure of an hour has its beginning."""
    log = findings([host(1, last_at=NOW - HOUR / 2)])
    begin = NOW - 7 * DAY
    for at, is_counted in ((begin - HOUR, True), (begin - 2 * HOUR, False)):
        made = report(snapshots(snapshot(facts(1), facts(7, calls=counted((at, 3))))), log)
        assert made.verdict.window is not None
        assert made.verdict.window.start == begin - HOUR / 2
        assert ("counted_unwatched" in codes(made)) is is_counted


def test_calls_of_a_stopped_instance_without_a_log_may_come_again() -> None:
    calls = counted((NOW - 9 * DAY, 30))
    made = report(snapshots(snapshot(facts(1), facts(7, state="stopped", calls=calls))))
    assert made.verdict.judgement is Judgement.NOT_ENOUGH_EVIDENCE
    assert "counted_stopped" in codes(made)
    for harmless in (
        facts(7, state="stopped"),
        facts(7, state="terminated", calls=calls),
        facts(7, state="stopped", calls=None),
    ):
        other = report(snapshots(snapshot(facts(1), harmless)))
        assert "counted_stopped" not in codes(other)
        assert other.verdict.judgement is Judgement.SAFE


@pytest.mark.parametrize(
    ("first_at", "code", "judgement"),
    [
        (NOW - 8 * DAY, "uncovered_hosts", Judgement.NOT_ENOUGH_EVIDENCE),
        (NOW - 7.9 * DAY, "later_instances", Judgement.NOT_ENOUGH_EVIDENCE),
    ],
)
def test_a_host_that_was_there_and_is_in_no_snapshot_is_of_a_place_that_was_not_audited(
    first_at: datetime.datetime, code: str, judgement: Judgement
) -> None:
    """Its instances without a log are not known."""
    of = snapshots(snapshot(facts(1), taken_at=NOW - 7.95 * DAY))
    made = report(of, findings([host(1), host(7, first_at=first_at)]))
    assert codes(made) & {"uncovered_hosts", "later_instances"} == {code}
    assert made.verdict.judgement is judgement
    now = report(snapshots(snapshot(facts(1))), findings([host(1), host(7, first_at=first_at)]))
    assert "uncovered_hosts" in codes(now)
    assert now.verdict.judgement is Judgement.NOT_ENOUGH_EVIDENCE
    both = report(snapshots(snapshot(facts(1), facts(7))), findings([host(1), host(7)]))
    assert both.verdict.judgement is Judgement.SAFE


@pytest.mark.parametrize(("recorded", "is_said"), [(0, True), (29, True), (30, False)])
def test_a_log_of_a_stopped_instance_accounts_for_its_own_calls_alone(
    recorded: int, *, is_said: bool
) -> None:
    at = NOW - 2 * DAY
    stopped = facts(7, state="stopped", calls=counted((at, 30)))
    log = findings([host(1), host(7, last_at=NOW - 3 * HOUR)])
    calls = (Tokenless(at, success=recorded),) if recorded else ()
    made = report(
        snapshots(snapshot(facts(1), stopped)), replace(log, tokenless={host(7).key: calls})
    )
    assert ("counted_stopped" in codes(made)) is is_said


@pytest.mark.parametrize("part", [Part.INSTANCES, Part.REGIONS, Part.ACCOUNTS, Part.ROLE])
def test_a_region_that_failed_is_not_enough_evidence(part: Part) -> None:
    lacking = snapshot(facts(1), failures=(failure(part, region="eu-south-1"),))
    made = report(snapshots(lacking))
    assert made.verdict.judgement is Judgement.NOT_ENOUGH_EVIDENCE
    assert made.verdict.safe_on is None
    (said,) = (each.text for each in made.verdict.reasons if each.code == "incomplete_account")
    assert f"{part.value} of 111122223333 in eu-south-1 (AccessDenied)" in said


def test_facts_that_are_missing_are_said() -> None:
    made = report(snapshots(snapshot(facts(1), failures=(failure(Part.IMAGES),))))
    assert made.verdict.judgement is Judgement.SAFE
    assert "incomplete_facts" in codes(made)


@pytest.mark.parametrize(
    ("age", "code", "judgement"),
    [
        (HOUR / 2, None, Judgement.SAFE),
        (2 * HOUR, "snapshot_before_end", Judgement.SAFE),
        (2 * DAY, "old_snapshot", Judgement.NOT_ENOUGH_EVIDENCE),
        (-DAY, None, Judgement.SAFE),
        (-DAY - HOUR, "later_snapshot", Judgement.NOT_ENOUGH_EVIDENCE),
    ],
)
def test_a_snapshot_from_before_the_logs_end_is_said(
    age: object, code: str, judgement: Judgement
) -> None:
    made = report(snapshots(snapshot(facts(1), taken_at=NOW - age)))  # type: ignore[operator]
    assert made.verdict.judgement is judgement
    assert codes(made) & {"snapshot_before_end", "old_snapshot", "later_snapshot"} == (
        {code} if code else set()
    )


def test_a_snapshot_from_before_enforcement_is_said() -> None:
    """The log has refusals since, though the snapshot says that v1 is answered."""
    log = findings([host(1)], [v1(1, v1_rejected=1)])
    made = report(snapshots(snapshot(facts(1), taken_at=NOW - 2 * HOUR)), log)
    assert "before_enforcement" in codes(made)
    answered = report(snapshots(snapshot(facts(1), taken_at=NOW - 2 * HOUR)),
                      findings([host(1)], [v1(1)]))  # fmt: skip
    assert "before_enforcement" not in codes(answered)
