"""A snapshot's hours are the figures of the comparison, and never more than they say."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from analyzer.account.model import InstanceFacts, Period
from analyzer.report.account.figures import maybe_figures
from analyzer.report.account.inventory import Kind
from analyzer.report.cloudwatch.question import NO_TOKEN, REJECTED
from analyzer.report.findings import Tokenless
from analyzer.report.hosts import Span
from analyzer.report.result import Judgement, Report
from tests.unit.report.account.samples import (
    HOURS,
    METRICS,
    codes,
    counted,
    facts,
    findings,
    host,
    instance_id,
    report,
    snapshot,
    snapshots,
    v1,
)
from tests.unit.report_samples import DAY, HOUR, NOW


def made_of(instance: InstanceFacts, *calls: Tokenless) -> Report:
    log = findings([host(1)], [v1(1, calls[0].start)] if calls else [])
    return report(snapshots(snapshot(instance)), replace(log, tokenless={instance_id(1): calls}))


def test_hours_that_are_all_counted_have_no_call_where_none_is_named() -> None:
    figures = maybe_figures(snapshots(snapshot(facts(1, calls=counted((NOW - DAY, 3))))))
    assert figures is not None
    (series,) = figures.series
    assert (series.metric, series.is_certain, len(series.counts)) == (NO_TOKEN, True, HOURS - 1)
    assert sum(series.counts.values()) == 3
    assert (figures.period_s, figures.bucket_s) == (3600, 3600)


@pytest.mark.parametrize(("minutes", "hours"), [(5, 2), (14, 2), (15, 1), (59, 1)])
def test_hours_that_went_on_after_the_snapshot_prove_nothing(minutes: int, hours: int) -> None:
    """Nor does one of which figures may still come."""
    metrics = Period(METRICS.start, NOW + HOUR)
    taken_at = NOW + datetime.timedelta(minutes=minutes)
    late = snapshot(facts(1), taken_at=taken_at, metrics=metrics)
    figures = maybe_figures(snapshots(late))
    assert figures is not None
    (series,) = figures.series
    assert max(series.counts) == NOW + HOUR - hours * HOUR - HOUR


def test_hours_that_are_not_all_counted_prove_nothing() -> None:
    for calls in (counted(hours_counted=HOURS - 7), counted(is_partial=True)):
        figures = maybe_figures(snapshots(snapshot(facts(1, calls=calls))))
        assert figures is not None
        (series,) = figures.series
        assert not series.is_certain
        assert len(series.counts) == 1
        assert "partial_figures" in codes(made_of(facts(1, calls=calls)))


def test_instances_without_a_call_share_their_hours() -> None:
    """They are many: 5,000 of 336 hours."""
    figures = maybe_figures(snapshots(snapshot(*(facts(n) for n in range(1, 4)))))
    assert figures is not None
    assert len({id(each.counts) for each in figures.series}) == 1


def test_what_aws_counted_and_the_log_has_is_accounted_for() -> None:
    at = NOW - DAY
    made = made_of(facts(1, calls=counted((at, 3))), Tokenless(at, success=3))
    assert "accounted" in codes(made)
    assert made.comparison is not None
    assert (made.comparison.counted, made.comparison.recorded) == (3, 3)


def test_what_the_log_lacks_is_not_safe() -> None:
    made = made_of(facts(1, calls=counted((NOW - DAY, 3))))
    assert "unaccounted_calls" in codes(made)
    assert made.verdict.judgement is Judgement.NOT_SAFE


def test_refused_calls_are_compared_over_the_whole_time() -> None:
    """No hour is known but that of the last one."""
    last = NOW - DAY
    refused = facts(1, calls=counted(no_token_rejected=5, last_rejected_at=last))
    figures = maybe_figures(snapshots(snapshot(refused)))
    assert figures is not None
    (total,) = figures.totals
    assert (total.metric, total.count) == (REJECTED, 5)
    assert total.span == Span(METRICS.start, last + HOUR)
    assert codes(made_of(refused)) & {"unaccounted_calls", "unwatched_calls"}
    found = made_of(refused, Tokenless(last, rejected=5))
    assert not codes(found) & {"unaccounted_calls", "unwatched_calls"}


def test_refused_calls_leave_no_gap_closed_before_their_last() -> None:
    last = NOW - DAY
    refused = facts(1, calls=counted(no_token_rejected=5, last_rejected_at=last))
    made = made_of(refused)
    assert made.comparison is not None
    assert made.comparison.silent == {instance_id(1): (Span(last + HOUR, NOW - HOUR),)}
    silent = made_of(facts(1)).comparison
    assert silent is not None
    assert silent.silent == {instance_id(1): (Span(METRICS.start, NOW - HOUR),)}


def test_a_host_that_the_roster_finds_by_name_has_its_figures() -> None:
    """And figures of instances without a log are no other host's."""
    named = replace(host(1), instance_id=None, key="web-1", name="web-1", names=("web-1",))
    counts = facts(7, calls=counted((NOW - DAY, 30)))
    made = report(snapshots(snapshot(facts(1), counts)), findings([named]))
    assert made.comparison is not None
    assert list(made.comparison.accounts) == ["web-1"]
    assert "unaccounted_calls" not in codes(made)
    assert made.inventory is not None
    assert made.inventory.of(Kind.V1_UNWATCHED).calls == 30


def test_a_snapshot_without_metrics_has_no_figures() -> None:
    assert maybe_figures(snapshots(snapshot(facts(1), metrics=None))) is None
    assert maybe_figures(snapshots(snapshot(facts(1, calls=None)))) is None
