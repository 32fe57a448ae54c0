"""When a verdict becomes SAFE, if nothing calls IMDSv1 and all is watched until then."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any, Optional

import pytest

from analyzer.report.callers import Sighting
from analyzer.report.cloudwatch.differences import Comparison
from analyzer.report.hosts import Loss, Odd, Span
from analyzer.report.result import Acceptance
from tests.unit.report.verdict.samples import (
    CALLER,
    MINUTE,
    NOT_ENOUGH,
    SAFE,
    START,
    ago,
    difference,
    every,
    judge,
    judged,
    launch,
    log,
    long_host,
    moments,
    of_hosts,
    only,
    sighting,
)
from tests.unit.report_samples import DAY, HOUR, NOW, WEEK


@pytest.mark.parametrize(
    ("caller", "date"),
    [
        (sighting(moments(20)), ago(20) + 36 * DAY),
        (sighting(moments(1)), ago(1) + 36 * DAY),
        (sighting(every(1, 20, 1)), ago(1) + WEEK),  # the period is longer than two days
        (sighting(every(7, 22, 1)), ago(1) + 8 * DAY),
        (sighting(every(7, 28.5, 7.5)), ago(7.5) + 8 * DAY),
        (sighting(moments(20), v1_at_boot=1), None),  # only a boot clears it
        (sighting(moments(1), v1_at_boot=1), None),
        (sighting(moments(5), v1_at_boot=1), ago(5) + WEEK),  # and it has booted since
        (sighting(moments(50)), None),  # it is SAFE
    ],
)
def test_a_caller_is_clear_after_its_silence(
    caller: Sighting, date: Optional[datetime.datetime]
) -> None:
    """Its own date is that of the host and of the whole."""
    boots = (launch(ago(30)),) if caller.last_v1_at != ago(5) else (launch(ago(4)),)
    whole, (host,), _ = judge(log(caller, boots=boots))
    assert (only(whole).safe_on, host.safe_on, whole.safe_on) == (date, date, date)


@pytest.mark.parametrize(
    "caller", [sighting(moments(20)), sighting(moments(1)), sighting(every(7, 28.5, 7.5))]
)
def test_on_that_date_it_is_safe(caller: Sighting) -> None:
    """And not before: the same log, watched on."""
    date = judged(log(caller)).safe_on
    assert date is not None
    for shift, is_safe in ((MINUTE, True), (-MINUTE, False)):
        end = date + shift
        later = log(caller, last_at=end, covered=(Span(ago(100), end),))
        assert (judged(later, now=end).judgement is SAFE) == is_safe


@pytest.mark.parametrize(
    ("fields", "date"),
    [
        ({"covered": (Span(ago(5), NOW),)}, ago(5) + WEEK),
        ({"covered": (Span(ago(50), ago(3)), Span(ago(2), NOW))}, ago(2) + WEEK),
        ({"losses": (Loss(ago(2), "ring_full", 1, True),)}, ago(2) + WEEK),
        ({"last_unknown_at": ago(3)}, ago(3) + WEEK),
        ({"odd": (Odd("not_understood", 1, ago(9), ago(2), "x"),)}, ago(2) + WEEK),
        ({"odd": (Odd("before_boot", 1, ago(9), ago(2), "x"),)}, None),
        ({"boots": (launch(NOW - 20 * MINUTE),)}, NOW + 40 * MINUTE),
        ({"covered": (Span(ago(50), ago(3)),)}, None),  # nobody watches
        ({"overlap": Span(ago(3), ago(2))}, None),
        ({"requests": {"v1": 0, "v2": 0, "unknown": 0}}, None),
    ],
)
def test_what_passes_with_time_has_a_date(
    fields: dict[str, Any], date: Optional[datetime.datetime]
) -> None:
    """What somebody has to mend has none."""
    verdict = judged(log(**fields))
    assert verdict.judgement is not SAFE
    assert verdict.safe_on == date


def test_the_latest_date_decides() -> None:
    """And if one host has none, the whole has none."""
    hosts = [long_host(name) for name in "abc"]
    callers = [sighting(moments(20), on="a"), sighting(moments(10), on="b")]
    whole, (a, b, c), _ = judge(of_hosts(hosts, callers))
    assert (a.safe_on, b.safe_on, c.safe_on) == (ago(20) + 36 * DAY, ago(10) + 36 * DAY, None)
    assert whole.safe_on == b.safe_on
    hosts[0] = dataclasses.replace(hosts[0], overlap=Span(ago(3), ago(2)))
    assert judged(of_hosts(hosts, callers)).safe_on is None
    assert judged(dataclasses.replace(of_hosts(hosts[1:]), damaged=1)).safe_on is None


def test_a_decision_that_ends_before_no_longer_helps() -> None:
    """Then the caller's own silence decides."""
    other = sighting(moments(20), caller="other")
    known = sighting(moments(1))
    short = Acceptance(CALLER, "ops", "soon gone", (NOW + DAY).date())
    long = dataclasses.replace(short, until=(NOW + 90 * DAY).date())
    assert judged(log(known, other), accepted=(short,)).safe_on == ago(1) + 36 * DAY
    assert judged(log(known, other), accepted=(long,)).safe_on == ago(20) + 36 * DAY


def test_calls_that_aws_counted_pass_only_if_nobody_watched() -> None:
    """Else the analyzer does not see a caller."""
    gone = Comparison(1, 5, 0, (difference(ago(2), is_covered=False),))
    assert judged(log(), comparison=gone).safe_on == ago(2) + HOUR + WEEK
    unseen = Comparison(1, 5, 0, (difference(ago(2)),))
    assert judged(log(), comparison=unseen).safe_on is None


def test_the_date_is_never_before_the_end() -> None:
    """What did not pass by then may have passed a day later."""
    verdict = judged(log(last_unknown_at=START))
    assert (verdict.judgement, verdict.safe_on) == (NOT_ENOUGH, NOW + DAY)
    assert judged(log(last_unknown_at=START + MINUTE)).safe_on == NOW + MINUTE
