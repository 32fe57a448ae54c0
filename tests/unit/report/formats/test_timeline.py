"""The bars of the chart, and how lengths of time are written."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import pytest

from analyzer.report.findings import Bucket
from analyzer.report.formats.timeline import BARS_MAX, HEIGHT_MIN, chart
from analyzer.report.formats.wording import covered, length
from analyzer.report.result import Judgement
from tests.unit import report_samples as samples
from tests.unit import reports


def bucket(start: datetime.datetime, requests: Mapping[str, int]) -> Bucket:
    return Bucket(start, requests, 0, 0, 0)


def test_times_without_a_bucket_are_empty_bars() -> None:
    start = samples.NOW
    found = chart(
        (bucket(start, {"v1": 1}), bucket(start + 3 * samples.HOUR, {"v1": 4, "v2": 9})), 3600
    )
    assert [panel.version for panel in found.panels] == ["v1", "v2"]
    assert [bar.requests for bar in found.panels[0].bars] == [1, 0, 0, 4]
    assert [bar.height for bar in found.panels[0].bars] == [25, 0, 0, 100]


def test_no_request_is_lost_when_bars_are_merged() -> None:
    buckets = samples.hourly(24 * 90)
    found = chart(buckets, 3600)
    assert len(found.starts) <= BARS_MAX
    assert sum(panel.total for panel in found.panels) == 24 * 90 * 25


def test_one_call_is_seen_beside_a_million() -> None:
    found = chart(
        (bucket(samples.NOW, {"v1": 1}), bucket(samples.NOW + samples.HOUR, {"v1": 10**6})),
        3600,
    )
    assert found.panels[0].bars[0].height == HEIGHT_MIN


def test_a_clock_that_was_wrong_does_not_break_it() -> None:
    """A line of the year 1 or 9999 makes wide bars, no more."""
    utc = datetime.timezone.utc
    ends = (
        datetime.datetime.min.replace(tzinfo=utc),
        datetime.datetime.max.replace(tzinfo=utc),
    )
    found = chart(tuple(bucket(each, {"v1": 1}) for each in ends), 3600)
    assert found.panels[0].total == 2
    assert len(found.starts) <= BARS_MAX


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3661, "1 h 1 min"),
        (3601, "1 h"),
        (90_000, "1 d 1 h"),
    ],
)
def test_lengths_are_written_in_two_units(seconds: float, words: str) -> None:
    assert length(seconds) == words


def test_nearly_all_is_not_all() -> None:
    """100 % is said only where nothing was missed."""
    missed = samples.WEEK - datetime.timedelta(seconds=1)
    assert "(99.9 %)" in covered(reports.verdict(Judgement.SAFE, covered=missed))
    assert "(100 %)" in covered(reports.verdict(Judgement.SAFE))
