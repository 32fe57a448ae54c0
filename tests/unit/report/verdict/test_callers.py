"""What a verdict says of callers: each sentence, and the nearest log that does not have it."""

from __future__ import annotations

import datetime

import pytest

from analyzer.report.callers import FURTHER
from analyzer.report.hosts import Host
from analyzer.report.result import Acceptance, Judgement, Standing
from tests.unit.report.verdict.samples import (
    CALLER,
    NOT_ENOUGH,
    NOT_SAFE,
    SAFE,
    ago,
    codes,
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
    text,
)
from tests.unit.report_samples import DAY, HOST, NOW, WEEK

UNKNOWN = {"v1": 0, "v2": 9, "unknown": 3}


@pytest.mark.parametrize(("refused", "code"), [(2, "v1_rejected"), (1, "v1_calls")])
def test_a_caller_that_is_refused_still_calls(refused: int, code: str) -> None:
    """It fails already, and does so after the change. One answer makes it work today."""
    verdict = judged(log(sighting(moments(1, 2), v1_rejected=refused)))
    assert verdict.judgement is NOT_SAFE
    assert codes(verdict) & {"v1_rejected", "v1_calls"} == {code}
    if code == "v1_rejected":
        assert text(verdict, code).startswith("1 caller still uses v1 and is refused, so they")


def test_callers_that_are_refused_stop_as_others_do() -> None:
    """And of several the sentence is in the plural."""
    two = [sighting(moments(1), caller=name, v1_rejected=1) for name in "ab"]
    assert "2 callers still use v1 and are refused" in text(judged(log(*two)), "v1_rejected")
    before = judged(log(sighting(every(1, 30, 9), v1_rejected=22)))
    assert (before.judgement, "v1_rejected" in codes(before)) == (SAFE, False)


@pytest.mark.parametrize(("last", "judgement"), [(14.9, NOT_ENOUGH), (15.1, SAFE)])
def test_a_rare_caller_is_due_until_its_longest_interval_and_a_margin(
    last: float, judgement: Judgement
) -> None:
    """Ten days, and an eighth of them, after two intervals of ten."""
    caller = sighting(moments(last - 3.7, last + 6.3, last + 16.3))
    verdict = judged(log(caller))
    assert verdict.judgement is judgement
    assert ("rare_caller" in codes(verdict)) == (judgement is NOT_ENOUGH)
    assert (verdict.safe_on is None) == (judgement is SAFE)


def test_a_rare_caller_is_said_with_its_rhythm_and_date() -> None:
    """As far as these are known."""
    weekly = text(judged(log(sighting(moments(36, 29, 22, 15, 7.5)))), "rare_caller")
    assert weekly.startswith("1 rare caller used v1 before the period, and may again: ")
    assert "weekly, clear on 2026-11-23 00:00 UTC" in weekly
    other = text(judged(log(sighting(moments(30.0, 10.0)))), "rare_caller")
    assert "every 20 d at most, clear on 2026-12-04" in other
    once = text(judged(log(sighting(moments(20)))), "rare_caller")
    assert "so 35 d and a day are asked for, clear on 2026-12-08" in once


def test_a_caller_at_boot_waits_for_a_boot() -> None:
    """In words that say what to do; a boot since that was watched clears it."""
    caller = sighting(moments(20), v1_at_boot=1)
    waits = judged(log(caller, boots=(launch(ago(20)),)))
    assert waits.judgement is NOT_ENOUGH
    assert text(waits, "boot_caller").endswith("With the analyzer started at boot, reboot it")
    booted = judged(log(caller, boots=(launch(ago(20)), launch(ago(4)))))
    assert booted.judgement is SAFE
    assert "not at the last boot" in text(booted, "stopped_calling")


def test_accepted_and_mended_callers_are_remarks() -> None:
    """With who decided, and since when it calls v2."""
    until = datetime.date(2027, 1, 1)
    decision = Acceptance(CALLER, "Ana", "goes away", until)
    verdict = judged(log(sighting(moments(1))), accepted=(decision,))
    assert (verdict.judgement, only(verdict).standing) == (SAFE, Standing.ACCEPTED)
    assert "accepted by Ana until 2027-01-01: goes away" in text(verdict, "accepted")
    mended = judged(log(sighting(every(1, 30, 10), v2=every(1, 9, 0))))
    assert (mended.judgement, only(mended).standing) == (SAFE, Standing.SPEAKS_V2)
    assert "v2 since 2026-11-13" in text(mended, "mended")


def test_calls_that_no_caller_accounts_for_are_one_of_their_own() -> None:
    """The report's bounds left them out."""
    host = long_host(last_v1_at=ago(1), requests={"v1": 4, "v2": 9, "unknown": 0})
    verdict = judged(of_hosts((host,)))
    assert (verdict.judgement, only(verdict).caller) == (NOT_SAFE, FURTHER)
    assert "callers that the report has no room for (4 calls" in text(verdict, "v1_calls")
    assert judged(of_hosts((long_host(),))).callers == ()


@pytest.mark.parametrize(
    ("last", "judgement"), [(ago(6.9), NOT_ENOUGH), (ago(7.1), SAFE), (None, SAFE)]
)
def test_requests_of_unknown_version_may_be_v1(
    last: datetime.datetime, judgement: Judgement
) -> None:
    """Within the period."""
    host: Host = long_host(last_unknown_at=last, requests=UNKNOWN)
    verdict = judged(of_hosts((host,)))
    assert verdict.judgement is judgement
    assert ("unknown_versions" in codes(verdict)) == (judgement is NOT_ENOUGH)
    assert verdict.safe_on == (None if judgement is SAFE else ago(6.9) + WEEK)


def test_the_whole_has_the_callers_of_each_host() -> None:
    """One that calls on both is named once, the last call of both beside it."""
    callers = [sighting(moments(3), on="a"), sighting(moments(1), on="b")]
    whole, _, _ = judge(of_hosts((long_host("a"), long_host("b")), callers))
    assert {each.host for each in whole.callers} == {"a", "b"}
    assert text(whole, "v1_calls").startswith("1 caller still uses v1, on all 2 hosts: ")
    assert "(2 hosts, last on 2026-11-21 00:00 UTC)" in text(whole, "v1_calls")
    older = [sighting(moments(1), on="a"), sighting(moments(3), on="b")]
    whole, _, _ = judge(of_hosts((long_host("a"), long_host("b")), older))
    assert "(2 hosts, last on 2026-11-21 00:00 UTC)" in text(whole, "v1_calls")
    one = judged(of_hosts((long_host(HOST),), [sighting(moments(3))]))
    assert one.safe_on == NOW - 3 * DAY + 36 * DAY
