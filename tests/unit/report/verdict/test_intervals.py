"""How often a caller calls, and after how much silence it has stopped."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Optional

import pytest

from analyzer.report.hosts import Span
from analyzer.report.verdict.intervals import RARE, Rhythm, margin, rhythm
from tests.unit.report.verdict.samples import MINUTE, ago, every, moments
from tests.unit.report_samples import DAY, HOUR

UTC = datetime.timezone.utc


def on(*dates: str) -> list[Span]:
    """Return a call at four in the morning of each day."""
    at = [datetime.datetime.fromisoformat(f"{each}T04:00:00+00:00") for each in dates]
    return [Span(each, each) for each in at]


@pytest.mark.parametrize(
    ("days_ago", "interval", "name"),
    [
        ((20,), None, None),  # once
        ((20, 19), None, None),  # one run on neighbouring days
        ((20, 18), None, None),  # a job that failed, and was tried again
        ((20, 13), 7 * DAY, "weekly"),
        ((20, 13.5), 7 * DAY, "weekly"),  # early by half a day: a week may pass
        ((27.4, 20, 13), 7.4 * DAY, "weekly"),
        ((34, 33.9, 27, 20, 19.9), 7 * DAY, "weekly"),  # over midnight
        ((60, 30), 35 * DAY, "monthly"),  # from one first Monday to the next may be 35 days
        ((60, 59, 30, 29), 35 * DAY, "monthly"),
        ((45, 15, 14), 35 * DAY, "monthly"),
        ((50, 36), 17 * DAY, "twice a month"),
        ((50, 41), 9 * DAY, None),
        ((50, 10), 40 * DAY, None),
    ],
)
def test_the_longest_pause_is_the_interval(
    days_ago: Sequence[float], interval: Optional[datetime.timedelta], name: Optional[str]
) -> None:
    """Known only once it was seen for most of a week."""
    found = rhythm(moments(*days_ago))
    assert (found.interval, found.name) == (interval, name)


@pytest.mark.parametrize(
    "dates",
    [
        ("2026-02-01", "2026-03-01"),
        ("2028-02-01", "2028-03-01"),  # a leap year
        ("2026-07-01", "2026-08-01"),
        ("2026-01-31", "2026-02-28"),  # the last day of each
        ("2026-03-31", "2026-05-01"),  # a day late
    ],
)
def test_months_have_28_to_31_days(dates: Sequence[str]) -> None:
    """Whichever was seen, the next may take 31, or 35 if it is the first Monday."""
    found = rhythm(on(*dates))
    assert found.name == "monthly"
    assert found.silence(RARE) >= 39 * DAY


def test_a_job_of_working_days_has_its_weekend() -> None:
    """Five days alone say nothing."""
    week = on("2026-11-02", "2026-11-03", "2026-11-04", "2026-11-05", "2026-11-06")
    assert rhythm(week).interval is None
    next_week = on("2026-11-09", "2026-11-10", "2026-11-11", "2026-11-12")
    assert rhythm([*week, *next_week[:-1]]).interval is None
    assert rhythm([*week, *next_week]).interval == 3 * DAY


def test_a_run_over_midnight_is_one_run() -> None:
    """Its pause is that between two runs, to the second."""
    late = [
        span
        for week in (28, 21, 14)
        for span in (
            Span(ago(week) - 10 * MINUTE, ago(week) - MINUTE),
            Span(ago(week), ago(week) + HOUR),
        )
    ]
    found = rhythm(late)
    assert found.name == "weekly"
    assert found.interval == 7 * DAY
    assert rhythm(late[:2]).interval is None


def test_daily_calls_are_known_after_ten_days() -> None:
    """A day passes between them. Of fewer, all may be of one week of the month."""
    assert rhythm(every(1, 20, 11)).interval is None
    assert rhythm(every(1, 20, 10)).interval == DAY


def test_a_week_of_each_month_is_no_daily_job() -> None:
    """The longest pause counts once there are two; until then it is unknown."""
    first = [f"2026-09-{day:02d}" for day in range(1, 8)]
    assert rhythm(on(*first)).interval is None
    found = rhythm(on(*first, *(f"2026-10-{day:02d}" for day in range(1, 8))))
    assert found.interval == 24 * DAY


@pytest.mark.parametrize(
    ("interval", "late"),
    [(HOUR, DAY), (7 * DAY, DAY), (16 * DAY, 2 * DAY), (40 * DAY, 5 * DAY)],
)
def test_a_call_may_be_late(interval: datetime.timedelta, late: datetime.timedelta) -> None:
    """By an eighth, and by a day in any case."""
    assert margin(interval) == late


def test_calls_without_a_pause_have_no_name() -> None:
    """They come at once, if they come. Of no call nothing is known."""
    assert rhythm([Span(ago(20), ago(10))]) == Rhythm(datetime.timedelta(0))
    assert rhythm(()) == Rhythm(None)
