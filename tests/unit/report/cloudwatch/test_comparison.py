"""Each instance is compared with its own figures; what names none, with all that have none."""

from __future__ import annotations

import datetime
from typing import Any, Optional

import pytest

from analyzer.report.cloudwatch.comparison import compare
from analyzer.report.cloudwatch.differences import Account, Comparison
from analyzer.report.cloudwatch.figures import CloudWatch, Series
from analyzer.report.cloudwatch.question import NO_TOKEN, REJECTED
from analyzer.report.findings import Findings, Tokenless
from analyzer.report.hosts import Host, Span
from tests.unit.report.cloudwatch.printed import MINUTES_5, OTHER, T0
from tests.unit.report_samples import HOST, HOUR, INSTANCE, NOW, findings, host, v2_only

MINUTE = datetime.timedelta(minutes=1)
STRANGER = "i-00000000000000001"


def calls(
    index: int, success: int = 0, rejected: int = 0, uncertain: int = 0, seconds: int = 300
) -> Tokenless:
    start = T0 + index * datetime.timedelta(seconds=seconds)
    return Tokenless(start, success, rejected, uncertain)


def counts(
    *values: int, metric: str = NO_TOKEN, of: Optional[str] = INSTANCE, is_certain: bool = True
) -> Series:
    """Return a series; a negative value is a time that CloudWatch leaves out."""
    points = {T0 + n * MINUTES_5: value for n, value in enumerate(values) if value >= 0}
    return Series(metric, of, points, is_certain)


def figures(*series: Series, **fields: Any) -> CloudWatch:
    return CloudWatch(300, 300, series, **fields)


def recorded(*of_host: Tokenless, bucket_s: int = 300, **fields: Any) -> Findings:
    return log((host(**fields), of_host), bucket_s=bucket_s)


def log(*of_hosts: tuple[Host, tuple[Tokenless, ...]], bucket_s: int = 300) -> Findings:
    tokenless = {each.key: own for each, own in of_hosts}
    hosts = tuple(each for each, _ in of_hosts)
    return findings((v2_only(),), hosts, bucket_s=bucket_s, tokenless=tokenless)


def left(comparison: Comparison) -> list[tuple[int, int, int, int]]:
    """Return period, counted, recorded and missing of what does not agree."""
    return [
        ((each.period.start - T0) // MINUTES_5, each.counted, each.recorded, each.missing)
        for each in comparison.differences
    ]


# --- periods --------------------------------------------------------------------------------


def test_what_agrees_leaves_no_difference() -> None:
    """Periods, and sums."""
    comparison = compare(figures(counts(0, 3, 0, 2)), recorded(calls(1, 3), calls(3, 2)))
    assert left(comparison) == []
    assert (comparison.periods, comparison.counted, comparison.recorded) == (4, 5, 5)
    assert comparison.accounts == {HOST: Account(5, 5, is_partial=False)}


def test_a_call_that_was_not_recorded_is_shown_by_time() -> None:
    """With its period, and the host that it is of."""
    comparison = compare(figures(counts(0, 3, 0, 2)), recorded(calls(1, 1), calls(3, 2)))
    assert left(comparison) == [(1, 3, 1, 2)]
    assert (comparison.differences[0].is_covered, comparison.differences[0].host) == (True, HOST)


def test_calls_that_aws_did_not_count_are_shown_too() -> None:
    """Also in a period that CloudWatch leaves out."""
    found = compare(figures(counts(1, -1, -1, 1)), recorded(calls(0, 1), calls(2, 4), calls(3, 1)))
    assert left(found) == [(2, 0, 4, 0)]


def test_calls_outside_the_figures_are_not_compared() -> None:
    """Before the first and after the last period."""
    of = recorded(calls(-1, 9), calls(0, 1), calls(1, 1), calls(2, 9))
    assert left(compare(figures(counts(1, 1)), of)) == []


def test_an_uncertain_call_may_be_one_that_aws_counted() -> None:
    """Once: not for both metrics; and it need not be one."""
    both = figures(counts(1), counts(1, metric=REJECTED))
    assert left(compare(figures(counts(1)), recorded(calls(0, uncertain=1)))) == []
    assert left(compare(figures(counts(0)), recorded(calls(0, uncertain=1)))) == []
    assert left(compare(both, recorded(calls(0, uncertain=2)))) == []
    assert left(compare(both, recorded(calls(0, uncertain=1)))) == [(0, 1, 0, 1)]


def test_refused_calls_are_compared_with_their_own_metric() -> None:
    """Successful ones do not make up for them."""
    rejected = figures(counts(0, 3, metric=REJECTED))
    assert left(compare(rejected, recorded(calls(1, rejected=3)))) == []
    assert left(compare(rejected, recorded(calls(1, success=3)))) == [(1, 3, 0, 3)]


def test_a_call_at_a_border_may_be_counted_on_the_other_side() -> None:
    """In a neighbouring period, and no farther."""
    near = compare(figures(counts(0, 3, 1, 0)), recorded(calls(1, 4)))
    assert left(near) == []
    assert near.notes == ("1 call was counted in the period beside that in which it was recorded",)
    far = compare(figures(counts(0, 3, 0, 1)), recorded(calls(1, 4)))
    assert left(far) == [(1, 3, 4, 0), (3, 1, 0, 1)]
    once = compare(figures(counts(1, 3, 1, 0)), recorded(calls(1, 4)))
    assert [each[3] for each in left(once)] == [1]


def test_smaller_buckets_are_added_up() -> None:
    """As for periods that begin between multiples."""
    start = T0 + 2 * MINUTE
    series = Series(NO_TOKEN, None, {start: 2, start + MINUTES_5: 1})
    own = tuple(calls(minute, 1, seconds=60) for minute in (0, 2, 6, 7, 12))
    assert left(compare(CloudWatch(300, 60, (series,)), recorded(*own, bucket_s=60))) == []
    with pytest.raises(ValueError, match="do not fit"):
        compare(CloudWatch(300, 60, (series,)), recorded(*own, bucket_s=300))
    with pytest.raises(ValueError, match="do not fit"):
        compare(figures(counts(1)), recorded(bucket_s=3600))


def test_a_period_that_was_not_watched_whole_is_marked() -> None:
    """Its calls may have been made while nobody watched."""
    covered = (Span(T0 - HOUR, T0 - MINUTE), Span(T0 + MINUTES_5 / 2, NOW))
    comparison = compare(figures(counts(1, 1)), recorded(covered=covered))
    assert [each.is_covered for each in comparison.differences] == [False, True]


def test_a_log_without_requests_accounts_for_nothing() -> None:
    """All is missing."""
    comparison = compare(figures(counts(2, 3)), recorded())
    assert sum(each.missing for each in comparison.differences) == 5
    assert comparison.recorded == 0


# --- hosts ----------------------------------------------------------------------------------

A = host("a", instance_id=INSTANCE)
B = host("b", instance_id=OTHER, covered=(Span(NOW - HOUR, NOW),))
NAMELESS = host("c", instance_id=None)


def test_each_instance_accounts_for_its_own_figures() -> None:
    """A call of the one does not make up for a call of the other at the same time."""
    both = figures(counts(2, 0), counts(0, 2, of=OTHER))
    right = compare(both, log((A, (calls(0, 2),)), (B, (calls(1, 2),))))
    assert (right.differences, right.notes, right.is_partial) == ((), (), False)
    assert set(right.accounts) == {"a", "b"}
    crossed = compare(both, log((A, (calls(1, 2),)), (B, (calls(0, 2),))))
    assert [(each.host, each.counted, each.recorded) for each in crossed.differences] == []
    assert len(crossed.notes) == 1  # in the neighbouring period
    of_b = compare(figures(counts(0), counts(2, of=OTHER)), log((A, (calls(0, 2),)), (B, ())))
    assert [(each.host, each.missing) for each in of_b.differences] == [("a", 0), ("b", 2)]
    assert [each.is_covered for each in of_b.differences] == [True, False]


def test_a_host_without_figures_is_not_compared() -> None:
    """That is said, and makes the figures partial."""
    found = compare(figures(counts(1)), log((A, (calls(0, 1),)), (B, (calls(0, 9),))))
    assert (found.differences, set(found.accounts)) == ((), {"a"})
    assert found.notes == ("of 1 host there is a log, but no figures: b",)
    assert found.is_partial
    empty = compare(figures(counts(1), counts(of=OTHER)), log((A, (calls(0, 1),)), (B, ())))
    assert (empty.notes, empty.is_partial) == (found.notes, True)


def test_figures_of_an_instance_without_a_log_condemn_no_other() -> None:
    """They are named, with what AWS counted there."""
    found = compare(figures(counts(1), counts(4, 3, of=STRANGER)), log((A, (calls(0, 1),))))
    assert (found.differences, found.is_partial) == ((), False)
    assert found.notes == (
        (
            f"of 1 instance there are figures, but no log: {STRANGER}; AWS counted 7 calls without"
            " a token there"
        ),
    )
    only = compare(figures(counts(4, of=STRANGER)), log((A, ())))
    assert (only.differences, only.periods, only.is_partial) == ((), 0, True)


def test_a_total_is_of_all_hosts() -> None:
    """Where nothing names an instance; a difference is then of any of them."""
    of = log((A, (calls(0, 2),)), (B, (calls(0, 1),)))
    found = compare(figures(counts(3, 1, of=None)), of)
    assert [(each.host, each.missing, each.is_covered) for each in found.differences] == [
        (None, 1, False)
    ]
    assert "name no instance; the log has 2 hosts" in found.notes[0]
    assert (found.accounts, found.silent) == ({}, {})
    alone = compare(figures(counts(3, of=None)), log((A, (calls(0, 3),))))
    assert (alone.notes, alone.is_partial) == ((), False)


def test_a_total_beside_figures_of_instances_is_of_the_others() -> None:
    """It condemns each of them, and no host with figures of its own."""
    of = log((A, (calls(0, 1),)), (B, ()), (NAMELESS, ()))
    found = compare(figures(counts(1), counts(2, of=None)), of)
    assert [(each.host, each.missing) for each in found.differences] == [("b", 2), ("c", 2)]
    assert found.counted == 3
    none_left = compare(figures(counts(1), counts(2, of=None)), log((A, (calls(0, 1),))))
    assert none_left.differences == ()
    assert "left out: each host has figures of its own" in none_left.notes[0]


def test_a_log_without_instance_ids_is_compared_with_what_is_left() -> None:
    """An instance's figures may be those of any host that says no id."""
    alone = compare(figures(counts(3)), log((NAMELESS, (calls(0, 1),))))
    assert [(each.host, each.missing) for each in alone.differences] == [(None, 2)]
    beside = compare(figures(counts(3), counts(1, of=OTHER)), log((NAMELESS, ()), (B, ())))
    assert sorted((each.host or "", each.missing) for each in beside.differences) == [
        ("b", 1),
        ("c", 3),
    ]


# --- what is missing, and what is silent -----------------------------------------------------

DAY_OF_ZEROS = counts(*[0] * 288)
DAY_SPAN = Span(T0, T0 + 288 * MINUTES_5)


def silent_of(*series: Series, calls_of_a: tuple[Tokenless, ...] = (), **fields: Any) -> Any:
    return compare(figures(*series, **fields), log((A, calls_of_a))).silent.get("a", ())


def test_counts_of_zero_are_silence() -> None:
    """From the first point to the end of the last."""
    assert silent_of(DAY_OF_ZEROS) == (DAY_SPAN,)
    assert silent_of(DAY_OF_ZEROS, counts(of=INSTANCE, metric=REJECTED)) == (DAY_SPAN,)
    assert silent_of(DAY_OF_ZEROS, counts(*[0] * 288, metric=REJECTED)) == (DAY_SPAN,)


@pytest.mark.parametrize(
    ("series", "fields"),
    [
        ((counts(*[0] * 288, of=None),), {}),  # of whichever instance
        ((counts(*[0] * 288, of=STRANGER),), {}),
        ((counts(*[0] * 288, is_certain=False),), {}),  # PartialData, or an assumed metric
        ((DAY_OF_ZEROS, counts(0, metric=REJECTED, is_certain=False)), {}),
        ((DAY_OF_ZEROS,), {"is_partial": True}),  # NextToken
        ((counts(*[0] * 288, metric=REJECTED),), {}),  # says nothing of calls that succeed
        ((counts(*[3] * 288),), {}),
    ],
)
def test_what_is_not_certain_is_no_silence(
    series: tuple[Series, ...], fields: dict[str, Any]
) -> None:
    """Each is the nearest neighbour of a day of zeros."""
    assert silent_of(*series, **fields) == ()


def test_calls_that_the_log_has_and_the_figures_lack_end_all_silence() -> None:
    """Then they are another instance's, or not all there; a call that may not count does not."""
    assert silent_of(DAY_OF_ZEROS, calls_of_a=(calls(7, success=1),)) == ()
    assert silent_of(DAY_OF_ZEROS, calls_of_a=(calls(7, uncertain=1),)) == (DAY_SPAN,)
    assert silent_of(DAY_OF_ZEROS, calls_of_a=(calls(-7, success=1),)) == (DAY_SPAN,)


def test_silence_ends_where_calls_were_counted() -> None:
    """Successful or refused ones."""
    middle = [0] * 288
    middle[100] = 2
    halves = (Span(T0, T0 + 100 * MINUTES_5), Span(T0 + 101 * MINUTES_5, DAY_SPAN.end))
    assert silent_of(counts(*middle)) == halves
    assert silent_of(DAY_OF_ZEROS, counts(*middle, metric=REJECTED)) == halves


def test_figures_of_fewer_days_than_are_judged_are_partial() -> None:
    """Of each host by itself; a host that began or ended within the time is judged by its own."""
    begin = T0 + MINUTES_5
    young = host("b", instance_id=OTHER, first_at=begin, last_at=begin + HOUR)
    series = (DAY_OF_ZEROS, counts(*[0] * 12, of=OTHER))
    window = Span(T0, DAY_SPAN.end)
    whole = compare(figures(*series), log((A, ()), (young, ())), window)
    assert (whole.is_partial, whole.notes) == (False, ())
    longer = Span(T0 - 7 * HOUR, DAY_SPAN.end)
    short = compare(figures(*series), log((A, ()), (young, ())), longer)
    assert short.is_partial
    assert short.notes == ("of 1 host figures are missing: a",)
    assert {key: each.is_partial for key, each in short.accounts.items()} == {"a": True, "b": False}
