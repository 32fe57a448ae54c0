"""Zeros are silence, short holes between them too; long holes are nothing."""

from __future__ import annotations

import datetime

import pytest

from analyzer.report.cloudwatch.silence import HOLE_MAX, lacks, silent
from analyzer.report.hosts import Span
from tests.unit.report.cloudwatch.printed import MINUTES_5, T0
from tests.unit.report_samples import DAY, HOUR

SECOND = datetime.timedelta(seconds=1)


def test_a_hole_of_less_than_credentials_last_is_silence() -> None:
    """Nothing called IMDS then; a longer one may be CloudWatch's own."""
    after = T0 + MINUTES_5 + HOLE_MAX
    assert silent({T0: 0, after: 0}, (), MINUTES_5) == (Span(T0, after + MINUTES_5),)
    later = after + SECOND
    assert silent({T0: 0, later: 0}, (), MINUTES_5) == (
        Span(T0, T0 + MINUTES_5),
        Span(later, later + MINUTES_5),
    )


def test_a_hole_beside_a_call_is_nothing() -> None:
    """Neither before it nor after it."""
    spans = silent({T0: 0, T0 + HOUR: 4, T0 + 2 * HOUR: 0}, (), MINUTES_5)
    assert spans == (Span(T0, T0 + MINUTES_5), Span(T0 + 2 * HOUR, T0 + 2 * HOUR + MINUTES_5))


def test_a_further_call_cuts_the_period_that_it_is_in() -> None:
    """Periods of the two metrics may begin at different times."""
    inside = T0 + MINUTES_5 / 2
    assert silent({T0: 0}, [inside], MINUTES_5) == (Span(T0, inside),)
    assert silent({T0: 0}, [T0], MINUTES_5) == ()


def test_without_a_point_nothing_is_silent() -> None:
    """An instance that has none may not have been asked for."""
    assert silent({}, (), MINUTES_5) == ()
    assert silent({T0: 1}, (), MINUTES_5) == ()


@pytest.mark.parametrize(
    ("start", "end", "is_lacking"),
    [
        (T0, T0 + DAY, False),
        (T0 - HOLE_MAX, T0 + DAY + HOLE_MAX, False),
        (T0 - HOLE_MAX - SECOND, T0 + DAY, True),
        (T0, T0 + DAY + HOLE_MAX + SECOND, True),
        (T0 + HOUR, T0 + 2 * HOUR, False),
        (T0 + 2 * DAY, T0 + 3 * DAY, True),
        (T0, T0, False),
    ],
)
def test_figures_lack_what_is_longer_than_a_hole(
    start: datetime.datetime, end: datetime.datetime, is_lacking: bool
) -> None:
    """At either end of the window."""
    times = [T0 + n * MINUTES_5 for n in range(288)]
    assert lacks(times, MINUTES_5, Span(start, end)) is is_lacking


def test_figures_lack_what_is_between_them() -> None:
    """A day in the middle."""
    window = Span(T0, T0 + 3 * DAY)
    times = [T0 + n * HOUR for n in range(72)]
    assert not lacks(times, HOUR, window)
    assert lacks([*times[:24], *times[48:]], HOUR, window)
