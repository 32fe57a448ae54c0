"""When a caller that used IMDSv1 no longer counts: each way, and what falls short of it."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from typing import Optional

import pytest

from analyzer.report.callers import FURTHER
from analyzer.report.hosts import Span
from analyzer.report.result import Acceptance, Standing
from tests.unit.report.verdict.samples import (
    CALLER,
    MINUTE,
    NOT_ENOUGH,
    NOT_SAFE,
    SAFE,
    START,
    ago,
    codes,
    every,
    judged,
    launch,
    log,
    moments,
    only,
    sighting,
    standing_of,
    text,
)
from tests.unit.report_samples import DAY, HOST, HOUR, NOW, group

CALLS, REJECTED, DUE = Standing.CALLS, Standing.REJECTED, Standing.DUE
AWAITS_BOOT, SPEAKS_V2 = Standing.AWAITS_BOOT, Standing.SPEAKS_V2
SILENT, BOOTED, ACCEPTED = Standing.SILENT, Standing.BOOTED, Standing.ACCEPTED


# --- calls, and silence -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "standing"),
    [(ago(0), CALLS), (START, CALLS), (START - MINUTE, DUE)],
)
def test_v1_calls_count_within_the_period(last: datetime.datetime, standing: Standing) -> None:
    """To the minute; before it, it may call again."""
    assert standing_of(sighting([Span(last, last)])) is standing


@pytest.mark.parametrize(("rejected", "standing"), [(3, REJECTED), (2, CALLS)])
def test_callers_that_are_refused_fail_already(rejected: int, standing: Standing) -> None:
    """All of their calls must be refused."""
    caller = sighting(moments(1), all_v1=3, v1_rejected=rejected)
    verdict = judged(log(caller))
    assert (only(verdict).standing, verdict.judgement) == (standing, NOT_SAFE)


@pytest.mark.parametrize(
    ("days_ago", "standing"),
    [
        ((20,), DUE),  # one sighting: 35 days and a day are asked for
        ((35.9,), DUE),
        ((36.1,), SILENT),
        ((20, 19), DUE),  # one run on two days
        ((20, 18), DUE),  # tried again: this is no interval
        ((28.5, 21.5, 14.5, 7.5), DUE),  # weekly: a week and a day
        ((29.5, 22.5, 15.5, 8.5), SILENT),
        ((30.2, 23.4, 15.6, 8.2), DUE),  # weekly with jitter: 7.8 d, and a day
        ((31.2, 24.4, 16.6, 8.9), SILENT),
        ((69, 39), DUE),  # monthly: 35 days and an eighth
        ((70, 40), SILENT),
        ((63, 35), DUE),  # two first Mondays, and the next may be today
        ((71, 35), DUE),
        ((49, 35, 19), DUE),  # on the 1st and the 15th of a month: may be 17 days
        ((80, 40), DUE),  # a known interval may be longer than what is asked for one sighting
    ],
)
def test_silence_must_be_longer_than_its_longest_pause(
    days_ago: Sequence[float], standing: Standing
) -> None:
    """And a margin."""
    assert standing_of(sighting(moments(*days_ago))) is standing


def test_a_daily_caller_is_clear_after_the_period() -> None:
    """It was seen for a week; seen for three days, it may be anything."""
    assert judged(log(sighting(every(1, 20, 8)))).judgement is SAFE
    assert judged(log(sighting(every(1, 10, 8)))).judgement is NOT_ENOUGH


def test_the_time_asked_for_can_be_chosen() -> None:
    """With ``--rare``, for callers of unknown interval."""
    caller = sighting(moments(20))
    assert standing_of(caller, rare=18 * DAY) is SILENT
    assert standing_of(caller, rare=20 * DAY) is DUE  # and a day
    weekly = sighting(every(7, 28.5, 7.5))
    assert standing_of(weekly, rare=DAY) is DUE


def test_all_of_a_silence_must_be_watched() -> None:
    """The window is as long as the silence that is asked for."""
    caller = sighting(moments(40))
    verdict = judged(log(caller))
    assert verdict.window == Span(NOW - 36 * DAY, NOW)
    assert verdict.judgement is SAFE
    gap = (Span(ago(100), ago(20)), Span(ago(19.5), NOW))
    assert "gaps" in codes(judged(log(caller, covered=gap)))
    before = (Span(ago(100), ago(39)), Span(ago(37), NOW))
    assert judged(log(caller, covered=before)).judgement is SAFE


def test_a_small_gap_at_the_time_of_the_next_run_hides_it() -> None:
    """A weekly job has one chance in eight days, in summer time or not."""
    weekly = sighting(every(7, 29.1, 8.1))
    run = ago(1.1)
    hidden = (Span(ago(100), run - MINUTE), Span(run + MINUTE, NOW))
    verdict = judged(log(weekly, covered=hidden))
    assert (only(verdict).standing, verdict.judgement) == (DUE, NOT_ENOUGH)
    assert only(verdict).safe_on == ago(8.1) + 15 * DAY  # a run later
    for shift, standing in ((-3, SILENT), (-2, DUE), (2, DUE), (3, SILENT)):
        at = run + shift * HOUR
        beside = (Span(ago(100), at), Span(at + MINUTE, NOW))
        assert only(judged(log(weekly, covered=beside))).standing is standing
    twice = sighting(every(7, 36.1, 15.1))  # the run a week before was watched
    assert only(judged(log(twice, covered=hidden))).standing is SILENT


@pytest.mark.parametrize(
    ("after_days", "standing"),
    [(27.9, SILENT), (28, DUE), (29.5, DUE), (31, DUE), (33, SILENT), (35, DUE), (36, SILENT)],
)
def test_a_monthly_job_may_run_on_any_of_four_days(after_days: float, standing: Standing) -> None:
    """Months have 28 to 31 days; a first Monday may be five weeks after the last."""
    monthly = sighting(moments(101, 71, 41))
    at = ago(41 - after_days)
    covered = (Span(ago(105), at), Span(at + MINUTE, NOW))
    assert only(judged(log(monthly, covered=covered))).standing is standing


@pytest.mark.parametrize(
    ("v1", "off_days", "standing"),
    [
        (moments(37.5), 1.4, SILENT),
        (moments(37.5), 1.6, DUE),
        (moments(80), 1, SILENT),
        (every(7, 44.5, 16.5), 1, SILENT),
        (every(7, 44.5, 9.5), 1.4, SILENT),
        (every(7, 44.5, 9.5), 1.6, DUE),
    ],
)
def test_a_host_that_is_off_is_not_silent(
    v1: Sequence[Span], off_days: float, standing: Standing
) -> None:
    """Its callers cannot call, so that time shows nothing."""
    back = ago(0.5)
    stop = back - off_days * DAY
    boots = (dataclasses.replace(launch(ago(90)), stopped_at=stop), launch(back, 0.0))
    covered = (Span(ago(100), stop), Span(back, NOW))
    verdict = judged(log(sighting(v1), boots=boots, covered=covered))
    assert only(verdict).standing is standing
    assert verdict.judgement is (NOT_ENOUGH if standing is DUE else SAFE)
    if standing is DUE:
        asked = 36 if len(v1) == 1 else 8
        assert verdict.safe_on == v1[-1].end + (asked + off_days) * DAY
    elif len(v1) == 1:
        assert verdict.window == Span(ago(36 + off_days), NOW)


@pytest.mark.parametrize(("minutes", "days"), [(0, 8), (50, 8), (70, 15)])
def test_time_after_the_last_heartbeat_may_yet_be_watched(minutes: int, days: int) -> None:
    """It is due now: the date is that of this run, unless nobody watches."""
    weekly = sighting(every(7, 28, 7))
    covered = (Span(ago(100), NOW - minutes * MINUTE),)
    assert only(judged(log(weekly, covered=covered))).safe_on == ago(7) + days * DAY


def test_being_off_before_the_last_call_changes_nothing() -> None:
    """Only the silence matters."""
    stop, back = ago(60), ago(55)
    boots = (dataclasses.replace(launch(ago(90)), stopped_at=stop), launch(back, 0.0))
    covered = (Span(ago(100), stop), Span(back, NOW))
    verdict = judged(log(sighting(moments(40)), boots=boots, covered=covered))
    assert (only(verdict).standing, verdict.window) == (SILENT, Span(NOW - 36 * DAY, NOW))
    assert standing_of(sighting([Span(ago(23), ago(12))])) is SILENT  # calls without a pause


def test_a_weekly_job_must_be_due_while_the_host_runs() -> None:
    """Two days of nothing are no silence, if its time was in them."""
    weekly = sighting(every(7, 40.3, 12.3))
    stop, back = ago(6), ago(4)
    boots = (dataclasses.replace(launch(ago(90)), stopped_at=stop), launch(back, 0.0))
    covered = (Span(ago(100), stop), Span(back, NOW))
    verdict = judged(log(weekly, boots=boots, covered=covered))
    assert (only(verdict).standing, only(verdict).safe_on) == (DUE, ago(12.3) + 15 * DAY)
    earlier = dataclasses.replace(boots[0], stopped_at=ago(5)), boots[1]
    covered = (Span(ago(100), ago(5)), Span(back, NOW))
    verdict = judged(log(weekly, boots=earlier, covered=covered))
    assert only(verdict).standing is SILENT


@pytest.mark.parametrize(
    ("unclear", "standing"),
    [((), SILENT), (moments(50), SILENT), (moments(36.1), SILENT), (moments(10), DUE)],
)
def test_calls_that_are_not_clear_are_no_silence(
    unclear: Sequence[Span], standing: Standing
) -> None:
    """They may have been IMDSv1. Those from before its last IMDSv1 call do not matter."""
    verdict = judged(log(sighting(moments(40), unclear=tuple(unclear))))
    assert only(verdict).standing is standing
    if standing is DUE:
        assert only(verdict).safe_on == verdict.safe_on == ago(10) + 36 * DAY
        assert "its later calls were not clear, clear on 2026-12-18" in text(verdict, "rare_caller")


def test_v2_that_is_refused_in_the_end_clears_nothing() -> None:
    """A token that has expired in between is no matter."""
    v1, v2 = every(1, 30, 20), every(1, 19, 2)
    between = sighting(v1, v2=v2, unclear=tuple(moments(5)))
    assert standing_of(between) is SPEAKS_V2
    assert standing_of(sighting(v1, v2=v2, unclear=tuple(moments(1)))) is DUE


# --- IMDSv2 since ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("v1", "v2", "standing"),
    [
        (every(1, 20, 10), every(1, 9, 0), SPEAKS_V2),  # daily
        (every(1, 20, 3), every(1, 2, 0), SPEAKS_V2),  # clears within the period, too
        (every(1, 20, 1), moments(0.01), CALLS),  # one call shows nothing
        (every(7, 29.1, 8.1), every(7, 1, 1), SILENT),  # weekly: one call of v2, but silent
        (every(7, 28.1, 7.1), every(7, 0.1, 0.1), DUE),
        (every(7, 35.5, 14.5), every(7, 7.5, 0.5), SPEAKS_V2),
        (every(1, 20, 3), every(0.25, 2.9, 2.5), CALLS),  # v2 for ten hours only
        (every(1, 20, 3), every(1, 19.5, 0), CALLS),  # both in turn
        (every(1, 20, 3), [*moments(19.5), *every(1, 2, 0)], CALLS),  # v2 before, too
        (moments(6), every(0.25, 5.9, 0), CALLS),  # v1 once, perhaps as it starts
        (moments(20), every(0.25, 19.9, 0), DUE),
        (every(0.25, 6, 4), every(0.25, 3.9, 0), SPEAKS_V2),
        (moments(2.9, 2), moments(1, 0.1), CALLS),  # each for less than a day
        (moments(3, 2), moments(1, 0), SPEAKS_V2),
        (every(30, 61, 1), moments(0.5, 0.2), CALLS),  # monthly, v2 on one day
    ],
)
def test_v2_since_clears_a_caller_that_switched(
    v1: Sequence[Span], v2: Sequence[Span], standing: Standing
) -> None:
    """For as long as its longest interval, and a day; not one that uses both."""
    verdict = judged(log(sighting(v1, v2=v2)))
    assert only(verdict).standing is standing
    assert (verdict.judgement is SAFE) == (standing in (SPEAKS_V2, SILENT))
    if standing is SPEAKS_V2:
        assert only(verdict).since == v2[0].start
        assert f"v2 since {v2[0].start:%Y-%m-%d %H:%M} UTC" in text(verdict, "mended")


# --- decisions --------------------------------------------------------------------------------


def accepting(until: datetime.date, *hosts: str, caller: str = CALLER) -> Acceptance:
    return Acceptance(caller, "ops@example.org", "goes with the old cluster", until, hosts)


@pytest.mark.parametrize(
    ("acceptance", "standing"),
    [
        (accepting(NOW.date()), ACCEPTED),
        (accepting(NOW.date() - DAY), CALLS),  # it has ended
        (accepting(NOW.date(), HOST), ACCEPTED),
        (accepting(NOW.date(), "another"), CALLS),
        (accepting(NOW.date(), caller="worker.py"), ACCEPTED),  # the program
        (accepting(NOW.date(), caller="worker"), CALLS),  # a part of it is not enough
        (accepting(NOW.date(), caller=FURTHER), CALLS),
    ],
)
def test_a_decision_clears_a_caller(acceptance: Acceptance, standing: Standing) -> None:
    """On its hosts and until its day, and it stays visible."""
    known = group("worker.py", caller=CALLER)
    verdict = judged(log(sighting(moments(1)), groups=(known,)), accepted=(acceptance,))
    assert only(verdict).standing is standing
    if standing is ACCEPTED:
        assert verdict.judgement is SAFE
        assert "by ops@example.org until 2026-11-22: goes with" in text(verdict, "accepted")
        assert only(verdict).accepted == acceptance


# --- boots ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("boots_ago", "v1_ago", "at_boot", "standing"),
    [
        ((90, 12, 4), 12, 1, BOOTED),
        ((90, 12), 12, 1, AWAITS_BOOT),
        ((12,), 12, 1, AWAITS_BOOT),  # the first boot of a log is one like any other
        ((90, 12), 60, 1, BOOTED),  # however long ago
        ((90,), 60, 1, AWAITS_BOOT),  # a call of cloud-init's, on no day of a boot
        ((90, 12), 60, 0, SILENT),
        ((90, 4), 3, 1, CALLS),  # within the period, no boot clears it
    ],
)
def test_a_caller_at_boot_is_cleared_by_a_boot_only(
    boots_ago: Sequence[float], v1_ago: float, at_boot: int, standing: Standing
) -> None:
    """By one that was watched from its start."""
    boots = [ago(each) for each in boots_ago]
    caller = sighting([Span(ago(v1_ago) + MINUTE, ago(v1_ago) + MINUTE)], v1_at_boot=at_boot)
    assert only(judged(log(caller, boots=boots))).standing is standing


def test_a_caller_that_goes_on_after_boot_is_still_one_at_boot() -> None:
    """As long as each day with calls follows a boot; its silence is not what clears it."""
    boots = [ago(each) for each in (90, 40, 30, 20)]
    calls = [Span(ago(each), ago(each) + HOUR) for each in (40, 30, 20)]
    caller = sighting(calls, all_v1=9, v1_at_boot=3)
    assert only(judged(log(caller, boots=boots))).standing is AWAITS_BOOT
    again = log(caller, boots=[*boots, ago(2)])
    assert only(judged(again)).standing is BOOTED
    daily = sighting(every(1, 40, 8), v1_at_boot=1)  # happened to run at a boot once
    assert only(judged(log(daily, boots=boots))).standing is SILENT


def test_v2_does_not_clear_a_caller_at_boot() -> None:
    """What it does at the next boot has not been seen."""
    caller = sighting([Span(ago(20), ago(19.1))], v2=every(0.25, 19, 0), all_v1=4, v1_at_boot=1)
    without = log(caller, boots=(ago(90), ago(20)))
    assert only(judged(without)).standing is AWAITS_BOOT
    assert only(judged(log(caller, boots=(ago(90), ago(20), ago(10))))).standing is BOOTED


# --- what no caller accounts for --------------------------------------------------------------


@pytest.mark.parametrize(
    ("requests", "last", "standing"),
    [(1, ago(50), None), (3, ago(50), SILENT), (3, ago(20), DUE), (1, ago(20), DUE)],
)
def test_calls_that_no_caller_accounts_for_count(
    requests: int, last: datetime.datetime, standing: Optional[Standing]
) -> None:
    """As one caller's of unknown interval, that called when the host was last called."""
    known = sighting(moments(50))
    of = log(known)
    host = of.hosts[0]
    numbers = {**host.requests, "v1": requests}
    changed = dataclasses.replace(host, last_v1_at=last, requests=numbers)
    verdict = judged(dataclasses.replace(of, hosts=(changed,)))
    further = [each for each in verdict.callers if each.caller == FURTHER]
    assert [each.standing for each in further] == ([] if standing is None else [standing])
