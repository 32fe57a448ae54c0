"""A log that only a name joins with an instance makes no verdict better."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any, Optional

import pytest

from analyzer.report.account.inventory import Kind
from analyzer.report.hosts import Boot, Host, Span
from analyzer.report.result import Judgement, Report
from tests.unit.report.account.samples import (
    codes,
    facts,
    findings,
    host,
    report,
    snapshot,
    snapshots,
)
from tests.unit.report_samples import DAY, HOUR, NOW

STARTED = NOW - 20 * DAY
MINUTE = HOUR / 60


def booted(at: datetime.datetime) -> Boot:
    return Boot("b", at, NOW, booted_at=at, attached_s=30.0)


def named(*boots: Boot, **fields: Any) -> Host:
    """Return a log without an instance id."""
    made = host(1, key="web-1", name="web-1", names=("web-1",), boots=boots, **fields)
    return replace(made, instance_id=None)


def made_of(*hosts: Host, launched_at: Optional[datetime.datetime] = STARTED) -> Report:
    return report(snapshots(snapshot(facts(1, launched_at=launched_at))), findings(hosts))


@pytest.mark.parametrize(
    ("boot", "launched_at", "is_safe"),
    [
        (STARTED + MINUTE, STARTED, True),
        (STARTED - 4 * MINUTE, STARTED, True),  # clocks differ
        (STARTED + 10 * MINUTE, STARTED, True),
        (STARTED + 11 * MINUTE, STARTED, False),  # a reboot, or another instance
        (STARTED - 6 * MINUTE, STARTED, False),
        (STARTED, None, False),
    ],
)
def test_a_boot_at_the_time_of_the_start_is_the_instances(
    boot: datetime.datetime, launched_at: Optional[datetime.datetime], *, is_safe: bool
) -> None:
    made = made_of(named(booted(boot)), launched_at=launched_at)
    assert (made.verdict.judgement is Judgement.SAFE) is is_safe
    assert ("found_by_name" in codes(made)) is not is_safe


def test_a_log_with_the_id_needs_no_boot() -> None:
    assert made_of(host(1)).verdict.judgement is Judgement.SAFE


def test_time_before_the_start_is_of_whoever_had_the_name() -> None:
    """A former instance's log goes on in the one of its successor."""
    for launched_at, is_safe in ((NOW - 8 * DAY, True), (NOW - DAY, False)):
        log = named(booted(NOW - 30 * DAY), booted(launched_at), covered=(Span(STARTED, NOW),))
        made = made_of(log, launched_at=launched_at)
        assert (made.verdict.judgement is Judgement.SAFE) is is_safe
        assert "found_by_name" not in codes(made)
        (own,) = made.host_verdicts
        assert own.covered_s <= (NOW - launched_at + 5 * MINUTE).total_seconds()


def test_a_name_of_an_instance_that_does_not_run_leaves_no_log_out() -> None:
    """A log that goes on is of another instance of this name."""
    log = named(booted(STARTED))
    for state in ("stopped", "terminated"):
        for last_at, is_judged in ((NOW, True), (NOW - 2 * HOUR, False)):
            of = snapshots(snapshot(facts(1, state=state), facts(7)))
            made = report(of, findings([replace(log, last_at=last_at), host(7)]))
            (own,) = [each for each in made.host_verdicts if each.host == "web-1"]
            assert ("gone" not in {each.code for each in own.reasons}) is is_judged


def test_a_name_that_the_log_of_another_instance_has_joins_nothing() -> None:
    """The log without an id may be the older part of the other one's."""
    for other, is_joined in (("web-1", False), ("web-2", True)):
        beside = host(7, names=(other,), name=other, last_at=NOW - 3 * DAY)
        made = made_of(named(booted(STARTED)), beside)
        assert made.inventory is not None
        (own,) = [
            each
            for of in made.inventory.sets
            for each in of.members
            if each.instance.id == facts(1).id
        ]
        assert (own.instance.host is not None) is is_joined
        assert bool(made.inventory.of(Kind.QUIET).members) is not is_joined
