"""Which boots clear a caller at boot, and when a host was off."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Optional

import pytest

from analyzer.report.cloudwatch.differences import Comparison
from analyzer.report.hosts import Boot, Span
from analyzer.report.result import Standing
from analyzer.report.verdict.boots import is_launch_seen, is_watched, off
from tests.unit.report.verdict.samples import (
    MINUTE,
    NOT_ENOUGH,
    SAFE,
    ago,
    codes,
    difference,
    instance,
    judge,
    judged,
    launch,
    log,
    long_host,
    moments,
    of_hosts,
    only,
    roster,
    sighting,
    text,
)
from tests.unit.report_samples import DAY, HOST, HOUR, NOW

SECOND = datetime.timedelta(seconds=1)


@pytest.mark.parametrize(
    ("attached_s", "offset_s", "is_clear"),
    [
        (5.0, None, True),
        (60.0, None, True),
        (61.0, None, False),
        (None, None, False),
        (5.0, 9.0, True),
        (9.5, 9.0, False),  # the caller had called before the probe was there
        (60.0, 300.0, True),
        (61.0, 300.0, False),
    ],
)
def test_the_probe_must_be_there_before_the_caller(
    attached_s: Optional[float], offset_s: Optional[float], is_clear: bool
) -> None:
    """And within a minute of the boot."""
    caller = sighting(moments(12), v1_at_boot=1, boot_offset_s=offset_s)
    verdict = judged(log(caller, boots=(launch(ago(12)), launch(ago(4), attached_s))))
    assert ("boot_caller" not in codes(verdict)) == is_clear
    assert (verdict.judgement is SAFE) == is_clear


@pytest.mark.parametrize(("last_s", "is_clear"), [(540.0, True), (1500.0, False)])
def test_a_boot_is_watched_for_as_long_as_the_caller_needed(last_s: float, is_clear: bool) -> None:
    """User data may call when the ten minutes are over."""
    caller = sighting(moments(12), v1_at_boot=1, boot_last_s=last_s)
    boots = (launch(ago(12)), launch(ago(4)))
    gap = Span(ago(4) + 20 * MINUTE, ago(4) + 21 * MINUTE)
    verdict = judged(
        log(caller, boots=boots, covered=(Span(ago(40), gap.start), Span(gap.end, NOW)))
    )
    assert ("boot_caller" not in codes(verdict)) == is_clear


@pytest.mark.parametrize(
    ("gap", "is_clear"),
    [
        (Span(ago(4) - MINUTE, ago(4) + 50 * SECOND), True),  # the host was down
        (Span(ago(4) - MINUTE, ago(4) + 90 * SECOND), False),
        (Span(ago(4) + 5 * MINUTE, ago(4) + 6 * MINUTE), False),
        (Span(ago(4) + 12 * MINUTE, ago(4) + 13 * MINUTE), True),
    ],
)
def test_its_first_ten_minutes_must_be_watched(gap: Span, is_clear: bool) -> None:
    """All of them, from the attachment on."""
    caller = sighting(moments(12), v1_at_boot=1)
    covered = (Span(ago(100), gap.start), Span(gap.end, NOW))
    boots = (launch(ago(12)), launch(ago(4)))
    verdict = judged(log(caller, boots=boots, covered=covered))
    assert ("boot_caller" not in codes(verdict)) == is_clear
    # The gap counts whoever calls: it hides what runs at boot.
    assert ("recurring_gap" not in codes(judged(log(boots=boots, covered=covered)))) == is_clear


def test_a_boot_of_unknown_time_clears_nothing() -> None:
    """Older releases do not write it."""
    caller = sighting(moments(12), v1_at_boot=1)
    boot = Boot("b", ago(4), NOW)
    assert not is_watched(boot, (Span(ago(100), NOW),))
    verdict = judged(log(caller, boots=(launch(ago(12)), boot)))
    assert (verdict.judgement, "boot_caller" in codes(verdict)) == (NOT_ENOUGH, True)


def test_a_boot_before_the_call_clears_nothing() -> None:
    """A call at the boot itself is later than the boot."""
    caller = sighting([Span(ago(12) + SECOND, ago(12) + SECOND)], v1_at_boot=1)
    assert "boot_caller" in codes(judged(log(caller, boots=(launch(ago(20)), launch(ago(12))))))


def test_a_host_is_off_from_a_clean_stop_to_the_next_boot() -> None:
    """Without the stop it is unknown how long it ran."""
    stopped = dataclasses.replace(launch(ago(20)), stopped_at=ago(5))
    assert off((stopped, launch(ago(2)))) == (Span(ago(5), ago(2) + 5 * SECOND),)
    assert off((launch(ago(20)), launch(ago(2)))) == ()
    assert off((stopped, Boot("b", ago(2), NOW))) == ()
    assert off((stopped, launch(ago(6)))) == ()  # a clock that was set back


@pytest.mark.parametrize(("is_clean", "judgement"), [(True, SAFE), (False, NOT_ENOUGH)])
def test_being_off_is_no_gap(is_clean: bool, judgement: object) -> None:
    """But a gap of unknown cause is."""
    before = launch(ago(90))
    if is_clean:
        before = dataclasses.replace(before, stopped_at=ago(5))
    covered = (Span(ago(100), ago(5)), Span(ago(3) + 5 * SECOND, NOW))
    verdict = judged(log(boots=(before, launch(ago(3))), covered=covered))
    assert verdict.judgement is judgement
    assert ("off" in codes(verdict)) == is_clean
    assert verdict.covered_s == pytest.approx((5 * DAY).total_seconds(), abs=6)


@pytest.mark.parametrize(("hours", "judgement"), [(23, NOT_ENOUGH), (25, SAFE)])
def test_a_host_that_was_nearly_always_off_shows_little(hours: int, judgement: object) -> None:
    """A day at least must have been watched."""
    back = NOW - hours * HOUR
    before = dataclasses.replace(launch(ago(90)), stopped_at=ago(9))
    covered = (Span(ago(100), ago(9)), Span(back, NOW))
    verdict = judged(log(boots=(before, launch(back)), covered=covered))
    assert (verdict.judgement, "short" in codes(verdict)) == (judgement, judgement is NOT_ENOUGH)


@pytest.mark.parametrize("is_alike", [True, False])
@pytest.mark.parametrize(
    ("boots", "calls", "is_at_launch"),
    [
        ((ago(12), ago(4)), 12, True),
        ((ago(60), ago(12), ago(4)), 12, False),  # at a reboot only
    ],
)
def test_a_reboot_shows_nothing_of_what_runs_at_launch(
    boots: tuple[datetime.datetime, ...], calls: float, *, is_at_launch: bool, is_alike: bool
) -> None:
    """User data runs once. Where a group launches again, a launch has to be seen."""
    caller = sighting([Span(ago(calls) + MINUTE, ago(calls) + MINUTE)], v1_at_boot=1)
    found = log(caller, boots=tuple(launch(at) for at in boots))
    alone = judged(found)
    assert only(alone).standing is Standing.BOOTED
    remark = "not at the last boot, but perhaps again when its like is launched"
    assert (remark in text(alone, "stopped_calling")) == is_at_launch
    young = long_host("b", first_at=ago(3), boots=(launch(ago(3)),))
    hosts = [*found.hosts, young] if is_alike else found.hosts
    members = roster(*(instance(n, each.key) for n, each in enumerate(hosts)))
    first = judge(of_hosts(hosts, (caller,)), roster=members)[1][0]
    is_clear = is_alike or not is_at_launch
    assert only(first).standing is (Standing.BOOTED if is_clear else Standing.AWAITS_BOOT)
    if not is_clear:
        assert "launch an instance of its group" in text(first, "boot_caller")
    else:
        assert remark not in text(first, "stopped_calling")


def test_a_first_boot_is_a_launch_only_if_the_log_begins_in_it() -> None:
    """Else, or where its time is unknown, it is only where the log begins."""
    assert is_launch_seen((launch(ago(12)),))
    late = dataclasses.replace(launch(ago(12)), first_at=ago(11))
    assert not is_launch_seen((late,))
    assert not is_launch_seen((Boot("b", ago(4), NOW),))
    assert not is_launch_seen(())


def test_calls_that_aws_counted_show_that_a_host_was_not_off() -> None:
    """Then the time is a gap. Those of another host, or of another time, show nothing."""
    before = dataclasses.replace(launch(ago(90)), stopped_at=ago(5))
    covered = (Span(ago(100), ago(5)), Span(ago(3) + 5 * SECOND, NOW))
    of = log(boots=(before, launch(ago(3))), covered=covered)
    for host, at, is_off in (
        (HOST, ago(4), False),
        ("another", ago(4), True),
        (HOST, ago(8), True),
    ):
        counted = Comparison(1, 5, 0, (difference(at, is_covered=False, host=host),))
        found = codes(judged(of, comparison=counted))
        assert (("off" in found), ("gaps" in found)) == (is_off, not is_off)
