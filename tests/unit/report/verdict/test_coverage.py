"""What was not watched: each rule at its border, on each side of it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import pytest

from analyzer.report.cloudwatch.differences import Comparison
from analyzer.report.hosts import Boot, Span
from analyzer.report.result import Judgement
from tests.unit.report.verdict.samples import (
    MINUTE,
    NOT_ENOUGH,
    SAFE,
    START,
    ago,
    codes,
    judge,
    judged,
    launch,
    log,
    long_host,
    moments,
    of_hosts,
    sighting,
    text,
)
from tests.unit.report_samples import DAY, HOST, HOUR, NOW, WEEK


def without(*gaps: Span, start: datetime.datetime = NOW - 100 * DAY) -> tuple[Span, ...]:
    """Return all the time but the gaps."""
    starts = [start, *(gap.end for gap in gaps)]
    return tuple(Span(a, b) for a, b in zip(starts, [*(gap.start for gap in gaps), NOW]))


@pytest.mark.parametrize(
    ("gap", "code", "judgement"),
    [(100 * MINUTE, "small_gaps", SAFE), (102 * MINUTE, "gaps", NOT_ENOUGH)],
)
def test_gaps_of_a_hundredth_of_the_window_are_too_much(
    gap: datetime.timedelta, code: str, judgement: Judgement
) -> None:
    """100.8 minutes of a week."""
    verdict = judged(log(covered=without(Span(ago(3), ago(3) + gap))))
    assert verdict.judgement is judgement
    assert code in codes(verdict)
    assert verdict.covered_s == (WEEK - gap).total_seconds()


def test_many_small_gaps_add_up() -> None:
    """At the edges, too."""
    starts = [ago(6) + n * 25 * HOUR for n in range(6)]
    verdict = judged(log(covered=without(*(Span(at, at + 20 * MINUTE) for at in starts))))
    assert (verdict.judgement, "gaps" in codes(verdict)) == (NOT_ENOUGH, True)
    assert "in 6 gaps" in text(verdict, "gaps")
    edges = (Span(START + HOUR, ago(1)), Span(ago(1) + MINUTE, NOW - HOUR))
    assert "gaps" in codes(judged(log(covered=edges)))


def test_a_longer_window_excuses_no_gap_of_the_period() -> None:
    """A hundredth of 35 days is eight hours."""
    gap = Span(ago(3), ago(3) + 3 * HOUR)
    caller = sighting(moments(40))
    assert "gaps" in codes(judged(log(caller, covered=without(gap))))
    earlier = Span(ago(20), ago(20) + 3 * HOUR)
    assert judged(log(caller, covered=without(earlier))).judgement is SAFE


@pytest.mark.parametrize(
    ("covered", "code"),
    [
        ((), "not_covered"),
        ((Span(ago(20), ago(10)),), "not_covered"),
        ((Span(ago(6), NOW),), "short"),
        ((Span(ago(8), ago(1)),), "silent"),
    ],
)
def test_a_window_that_was_not_watched_is_not_enough(covered: Sequence[Span], code: str) -> None:
    """Whichever part of it."""
    verdict = judged(log(covered=covered))
    assert verdict.judgement is NOT_ENOUGH
    assert code in codes(verdict)


def test_short_says_how_long_it_was_watched() -> None:
    """Also of a host that began and ended within the window."""
    began = judged(log(covered=(Span(ago(6), NOW),), first_at=ago(6)))
    assert "watched since 2026-11-16 00:00 UTC only, for 6 d of the 7 d" in text(began, "short")
    a = long_host("a")
    b = long_host("b", first_at=ago(6), last_at=ago(2), boots=(ago(6),))
    _, (_, ended), _ = judge(of_hosts((a, b)))
    assert "for 4 d of the 9 d" in text(ended, "short")
    assert "not watched since 2026-11-20 00:00 UTC" in text(ended, "silent")


def test_a_host_that_fell_silent_before_the_others_is_not_enough() -> None:
    """The end is that of the whole input."""
    hosts = (long_host("a"), long_host("b", last_at=ago(1)))
    whole, (a, b), _ = judge(of_hosts(hosts))
    assert (whole.judgement, a.judgement, b.judgement) == (NOT_ENOUGH, SAFE, NOT_ENOUGH)
    assert text(whole, "silent").startswith("went silent on 1 of 2 hosts, b: not watched since")


@pytest.mark.parametrize(
    ("days_ago", "jitter", "is_said"),
    [
        ((5, 4, 3), MINUTE, True),
        ((6, 5), MINUTE, False),
        ((5, 4, 3), 8 * HOUR, False),
        ((5, 4, 3), 10 * MINUTE, True),
    ],
)
def test_a_gap_that_recurs_at_one_hour_counts(
    days_ago: Sequence[int], jitter: datetime.timedelta, is_said: bool
) -> None:
    """However short it is: a nightly job is never seen."""
    gaps = [Span(ago(d) + n * jitter, ago(d) + n * jitter + MINUTE) for n, d in enumerate(days_ago)]
    verdict = judged(log(covered=without(*gaps)))
    assert ("recurring_gap" in codes(verdict)) == is_said
    assert verdict.judgement is (NOT_ENOUGH if is_said else SAFE)


def test_gaps_around_midnight_recur_as_others_do() -> None:
    """The day begins at one hour as well."""
    at = [ago(5) - 5 * MINUTE, ago(4) + 2 * MINUTE, ago(3) - 4 * MINUTE]
    verdict = judged(log(covered=without(*(Span(each, each + MINUTE) for each in at))))
    assert "recurring_gap" in codes(verdict)


@pytest.mark.parametrize(("is_known", "is_first"), [(True, True), (True, False), (False, False)])
def test_a_gap_that_holds_a_boot_counts(is_known: bool, is_first: bool) -> None:
    """However short it is: what calls at boot was not seen."""
    gap = Span(ago(3) - MINUTE, ago(3) + 3 * MINUTE)
    boot = launch(ago(3), 180.0) if is_known else Boot("b", gap.end, NOW)
    boots = (boot,) if is_first else (launch(ago(90)), boot)
    verdict = judged(log(boots=boots, covered=without(gap)))
    assert (verdict.judgement, "recurring_gap" in codes(verdict)) == (NOT_ENOUGH, True)
    elsewhere = Span(ago(2), ago(2) + 3 * MINUTE)
    verdict = judged(log(boots=(launch(ago(90)), launch(ago(3))), covered=without(elsewhere)))
    assert (verdict.judgement, "recurring_gap" in codes(verdict)) == (SAFE, False)


def test_the_begin_of_a_log_without_a_boot_time_is_no_boot() -> None:
    """When the host booted is not known."""
    first = Boot("b", ago(6.99), NOW)
    verdict = judged(log(first_at=ago(6.99), boots=(first,), covered=(Span(ago(6.99), NOW),)))
    assert verdict.judgement is SAFE


@pytest.mark.parametrize(
    ("silent", "judgement"),
    [
        ({HOST: (Span(START, NOW),)}, SAFE),
        ({HOST: (Span(ago(3) - HOUR, ago(3) + 5 * HOUR),)}, SAFE),
        ({HOST: (Span(ago(3), ago(3) + 2 * HOUR),)}, NOT_ENOUGH),  # a part of the gap
        ({"another": (Span(START, NOW),)}, NOT_ENOUGH),
    ],
)
def test_no_tokenless_call_that_aws_counted_closes_a_gap(
    silent: dict[str, tuple[Span, ...]], judgement: Judgement
) -> None:
    """Of this instance."""
    of = log(covered=without(Span(ago(3), ago(3) + 4 * HOUR)))
    verdict = judged(of, comparison=Comparison(168, 0, 0, (), silent=silent))
    assert verdict.judgement is judgement
    if judgement is SAFE:
        assert text(verdict, "closed_by_cloudwatch").startswith("for 4 h 0 min in which")
        assert verdict.covered_s == (WEEK - 4 * HOUR).total_seconds()
