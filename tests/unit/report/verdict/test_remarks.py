"""What a verdict says that it cannot know, and what happened just before its end."""

from __future__ import annotations

import datetime

import pytest

from analyzer.report.cloudwatch.differences import Comparison
from analyzer.report.hosts import Boot, Span
from analyzer.report.result import Judgement
from tests.unit.report.verdict.samples import (
    LONG,
    MINUTE,
    NOT_ENOUGH,
    SAFE,
    ago,
    codes,
    judge,
    judged,
    launch,
    log,
    long_host,
    of_hosts,
    text,
)
from tests.unit.report_samples import DAY, HOUR, NOW


@pytest.mark.parametrize(("ago_m", "judgement"), [(59, NOT_ENOUGH), (60, SAFE)])
@pytest.mark.parametrize("is_first", [False, True])
def test_a_host_that_booted_just_now_is_not_enough(
    ago_m: int, is_first: bool, judgement: Judgement
) -> None:
    """What runs some time after boot has not called yet. A first boot is one like any other."""
    boot = launch(NOW - ago_m * MINUTE)
    verdict = judged(log(boots=(boot,) if is_first else (launch(NOW - LONG), boot)))
    assert verdict.judgement is judgement
    assert ("recent_boot" in codes(verdict)) == (judgement is NOT_ENOUGH)


@pytest.mark.parametrize("later_m", [0, 40])
def test_lines_of_another_host_make_no_boot_older(later_m: int) -> None:
    """What runs some time after boot was not seen, however long others were watched."""
    a = long_host("a", boots=(launch(NOW - LONG), launch(NOW - 30 * MINUTE)))
    end = NOW + later_m * MINUTE
    whole, (first, _), _ = judge(of_hosts((a, long_host("b", last_at=end))), now=end)
    assert (whole.judgement, first.judgement) == (NOT_ENOUGH, NOT_ENOUGH)
    assert "recent_boot" in codes(first)


def test_the_begin_of_a_log_is_no_boot() -> None:
    """If it does not say when the host booted."""
    assert "recent_boot" not in codes(judged(log(boots=(Boot("b", NOW - MINUTE, NOW),))))


def test_that_no_boot_was_seen_is_a_remark() -> None:
    """Servers run for months."""
    verdict = judged(log(boots=(launch(ago(8)),)))
    assert verdict.judgement is SAFE
    assert {"no_boot_seen", "boot_seen"} & codes(verdict) == {"no_boot_seen"}
    assert "no boot was watched within the window: " in text(verdict, "no_boot_seen")
    assert "compare with CloudWatch" in text(verdict, "no_boot_seen")
    seen = judged(log(boots=(launch(ago(6)),)))
    assert {"no_boot_seen", "boot_seen"} & codes(seen) == {"boot_seen"}
    late = judged(log(boots=(launch(ago(6), 61.0),)))
    assert "no_boot_seen" in codes(late)


def test_that_no_first_of_a_month_was_seen_is_a_remark() -> None:
    """A monthly job may run on it. The present of these tests is a 22nd."""
    verdict = judged(log())
    assert (verdict.judgement, "no_month_start" in codes(verdict)) == (SAFE, True)
    assert "no_month_start" not in codes(judged(log(), period=22 * DAY))
    first = datetime.datetime(2026, 11, 1, 3, tzinfo=datetime.timezone.utc)
    covered = (Span(NOW - LONG, first), Span(first + HOUR, NOW))
    assert "no_month_start" in codes(judged(log(covered=covered), period=22 * DAY))


@pytest.mark.parametrize(
    ("probe", "is_said"),
    [("core/tracepoint", True), ("packet/af_packet", True), ("core/fentry", False)],
)
def test_blind_spots_are_a_remark(probe: str, is_said: bool) -> None:
    """And CloudWatch is asked for, if it is not there."""
    verdict = judged(log(probes=(probe,)))
    assert (verdict.judgement, "blind_spots" in codes(verdict)) == (SAFE, is_said)
    if is_said:
        assert text(verdict, "blind_spots").endswith("compare with CloudWatch (--against)")
        compared = judged(log(probes=(probe,)), comparison=Comparison(1, 0, 0, ()))
        assert "CloudWatch" not in text(compared, "blind_spots")


@pytest.mark.parametrize(("hours", "is_said"), [(23, True), (25, False)])
def test_a_recent_deployment_is_a_remark(hours: int, is_said: bool) -> None:
    """A job that a timer starts looks like one."""
    verdict = judged(log(deployed_at=NOW - hours * HOUR))
    assert (verdict.judgement, "recent_deployment" in codes(verdict)) == (SAFE, is_said)


def test_safe_says_of_which_instances() -> None:
    """Without a roster nobody knows what else there is."""
    assert text(judged(log()), "only_logged").startswith("SAFE for the 1 instance with a log")
