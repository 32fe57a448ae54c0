"""Lines that are lost, missing, unreadable or not to be believed."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from analyzer.report.findings import Damage
from analyzer.report.hosts import CAPTURE_HOST, Loss, Odd, Shortfall, Span
from analyzer.report.result import Judgement
from tests.unit.report.verdict.samples import (
    MINUTE,
    NOT_ENOUGH,
    NOT_SAFE,
    SAFE,
    START,
    ago,
    codes,
    judge,
    judged,
    log,
    long_host,
    moments,
    of_hosts,
    sighting,
    text,
)
from tests.unit.report_samples import DAY, HOUR, NOW, findings


@pytest.mark.parametrize(
    ("at", "is_request", "code", "judgement"),
    [
        (NOW - HOUR, True, "lost_events", NOT_ENOUGH),
        (NOW - HOUR, False, "lost_answers", SAFE),
        (START - HOUR, True, "", SAFE),
    ],
)
def test_lost_requests_within_the_window_count(
    at: datetime.datetime, is_request: bool, code: str, judgement: Judgement
) -> None:
    """Lost answers are a remark: the request itself was seen."""
    verdict = judged(log(losses=(Loss(at, "ring_full", 3, is_request),)))
    assert verdict.judgement is judgement
    assert {"lost_events", "lost_answers"} & codes(verdict) == ({code} if code else set())


@pytest.mark.parametrize(
    ("kind", "last", "code"),
    [
        ("unreadable_loss", NOW - HOUR, "lost_events"),
        ("unreadable_loss", START - HOUR, ""),
        ("not_understood", NOW - HOUR, "not_understood"),
        ("not_understood", START - HOUR, ""),
        ("before_boot", NOW - HOUR, "impossible_time"),
        ("before_boot", START - HOUR, "impossible_time"),  # when it was is unknown
        ("too_early", ago(9000), "impossible_time"),
    ],
)
def test_odd_lines_are_not_enough(kind: str, last: datetime.datetime, code: str) -> None:
    """Within the window, or wherever their time is not to be believed."""
    odd = Odd(kind, 3, last - MINUTE, last, "imds.provider: aws2")
    verdict = judged(log(odd=(odd,)))
    assert verdict.judgement is (NOT_ENOUGH if code else SAFE)
    said = {"lost_events", "not_understood", "impossible_time"} & codes(verdict)
    assert said == ({code} if code else set())


def test_the_lines_that_are_not_understood_are_shown() -> None:
    """One of each kind."""
    odd = Odd("not_understood", 3, NOW - HOUR, NOW - HOUR, "imds.provider: aws2")
    assert "3 lines that this version does not understand (imds.provider: aws2)" in text(
        judged(log(odd=(odd,))), "not_understood"
    )


@pytest.mark.parametrize("version", ["v1", "v2", "unknown"])
@pytest.mark.parametrize(("end", "is_said"), [(NOW - HOUR, True), (START - MINUTE, False)])
def test_lines_that_heartbeats_counted_must_be_there(
    version: str, end: datetime.datetime, is_said: bool
) -> None:
    """Of any version: whoever filtered the log may have left out v1."""
    short = Shortfall(Span(end - HOUR, end), version, 5, 2)
    verdict = judged(log(shortfalls=(short,)))
    assert verdict.judgement is (NOT_ENOUGH if is_said else SAFE)
    if is_said:
        assert f"3 of 5 {version} from 2026-11-21 22:00 UTC to" in text(verdict, "missing_lines")


@pytest.mark.parametrize(("at", "judgement"), [(NOW - HOUR, NOT_ENOUGH), (START - HOUR, SAFE)])
def test_requests_of_unknown_version_count_within_the_period(
    at: datetime.datetime, judgement: Judgement
) -> None:
    """They may have been v1."""
    verdict = judged(log(last_unknown_at=at, requests={"v1": 0, "v2": 5, "unknown": 2}))
    assert verdict.judgement is judgement


def test_a_damaged_log_is_never_safe() -> None:
    """Nobody knows whose lines they were, so it holds for every host."""
    whole, hosts, _ = judge(dataclasses.replace(log(), damaged=1))
    assert whole.judgement is NOT_ENOUGH
    assert {each.judgement for each in hosts} == {NOT_ENOUGH}
    assert text(whole, "damaged_input").startswith("1 line could not be read")


def test_files_that_were_not_read_are_not_enough() -> None:
    """They are named."""
    unread = (Damage("logs/b.jsonl.gz", None, "gzip ends too early"),)
    verdict = judged(dataclasses.replace(log(), unread=unread))
    assert verdict.judgement is NOT_ENOUGH
    assert "1 file was not read, and may have v1 calls: logs/b.jsonl.gz (gzip" in text(
        verdict, "unread_files"
    )


@pytest.mark.parametrize("damaged", [0, 3])
def test_an_empty_log_is_never_safe(damaged: int) -> None:
    """It has no window either."""
    empty = findings((), (), lines=0, damaged=damaged)
    verdict = judged(dataclasses.replace(empty, unread=(Damage("a", None, "cut"),)))
    assert (verdict.judgement, verdict.window, verdict.covered_s) == (NOT_ENOUGH, None, 0.0)
    expected = {"no_lines", "unread_files"} | ({"damaged_input"} if damaged else set())
    assert codes(verdict) == expected


def test_a_host_without_any_request_is_not_enough() -> None:
    """Perhaps nothing is captured; a probe for another cloud shows that it is."""
    nothing = {"v1": 0, "v2": 0, "unknown": 0}
    verdict = judged(log(requests=nothing))
    assert (verdict.judgement, "no_requests" in codes(verdict)) == (NOT_ENOUGH, True)
    assert judged(log(requests=nothing, other_clouds=1)).judgement is SAFE
    calls = judged(log(sighting(moments(1)), requests=nothing))
    assert (calls.judgement, "no_requests" in codes(calls)) == (NOT_SAFE, False)
    assert "no_requests" in codes(judged(log(sighting(moments(50)), requests=nothing)))


def test_two_hosts_of_one_name_are_not_enough() -> None:
    """If no id tells them apart."""
    assert judged(log()).judgement is SAFE
    verdict = judged(log(overlap=Span(ago(3), ago(2))))
    assert (verdict.judgement, "ambiguous_host" in codes(verdict)) == (NOT_ENOUGH, True)


def test_packets_of_nobody_are_not_enough() -> None:
    """A capture does not say whose they are."""
    assert "unnamed_capture" in codes(judged(log(name=CAPTURE_HOST)))
    assert judged(log(name="web-1")).judgement is SAFE


def test_lines_from_the_future_are_not_enough() -> None:
    """Five minutes are allowed between clocks."""
    for ahead, judgement in ((4 * MINUTE, SAFE), (6 * MINUTE, NOT_ENOUGH)):
        verdict = judged(log(last_at=NOW + ahead))
        assert verdict.judgement is judgement
        assert ("clock_ahead" in codes(verdict)) == (judgement is NOT_ENOUGH)
        assert verdict.window == Span(START, NOW)


def test_an_old_log_says_nothing_of_today() -> None:
    """A day is allowed: logs are collected daily."""
    assert judged(log(), now=NOW + DAY).judgement is SAFE
    verdict = judged(log(), now=NOW + DAY + MINUTE)
    assert (verdict.judgement, "old_log" in codes(verdict)) == (NOT_ENOUGH, True)


def test_a_fresh_log_of_another_host_makes_no_log_newer() -> None:
    """Of its last day nothing is known, whatever others were seen to do."""
    hosts = (long_host("a", last_at=ago(1) - 30 * MINUTE), long_host("b", last_at=ago(1)))
    whole, (a, b), _ = judge(of_hosts(hosts))
    assert (whole.judgement, a.judgement, b.judgement) == (NOT_ENOUGH, NOT_ENOUGH, SAFE)
    assert ("old_log" in codes(a), "old_log" in codes(b)) == (True, False)
    assert text(whole, "old_log").startswith("old log on 1 of 2 hosts, a: the last line is from")


def test_a_host_that_fell_silent_beside_others_has_no_old_log() -> None:
    """Its logs were collected: it is said once that nobody watched."""
    _, (a, _), _ = judge(of_hosts((long_host("a", last_at=ago(3)), long_host("b"))))
    assert codes(a) & {"old_log", "silent"} == {"silent"}
