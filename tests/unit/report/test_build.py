"""From findings and CloudWatch's figures to the whole report."""

from __future__ import annotations

import dataclasses
import datetime
import json
from pathlib import Path
from typing import Optional

import pytest

from analyzer.clients.reading import load_clients
from analyzer.report.build import judge
from analyzer.report.callers import Sighting
from analyzer.report.cloudwatch.figures import read
from analyzer.report.cloudwatch.question import NO_TOKEN
from analyzer.report.findings import Bucket, Findings, Tokenless
from analyzer.report.hosts import Span
from analyzer.report.result import Cause, Judgement, Report
from tests.unit.report_samples import (
    DAY,
    HOST,
    HOUR,
    INSTANCE,
    NOW,
    WEEK,
    everything,
    findings,
    host,
    old_botocore,
    v2_only,
)

CLIENTS = load_clients()
EARLIER = NOW - 8 * DAY + 12 * HOUR  # a v1 call here lies before the period


def judged(path: Path, of: Findings, counts: dict[datetime.datetime, int]) -> Report:
    """Judge against a file that says so many calls for each hour."""
    result = {
        "Id": "no_token",
        "Label": f"{NO_TOKEN} 3600 {INSTANCE}",
        "Timestamps": [each.isoformat() for each in counts],
        "Values": [float(each) for each in counts.values()],
        "StatusCode": "Complete",
    }
    file = path / "metrics.json"
    file.write_text(json.dumps({"MetricDataResults": [result], "Messages": []}))
    figures = read(file)
    assert figures.bucket_s == of.bucket_s
    return judge(of, clients=CLIENTS, period=WEEK, now=NOW, cloudwatch=figures)


def stopped() -> Findings:
    """Return a log whose daily v1 calls, the last day's being five, lie before the period."""
    timeline = (
        Bucket(EARLIER, {"v1": 5, "v2": 0, "unknown": 0}, 5, 0, 0),
        Bucket(NOW - DAY, {"v1": 0, "v2": 9, "unknown": 0}, 0, 0, 0),
    )
    at = EARLIER + HOUR / 2
    old = old_botocore(first_at=at - 12 * DAY, last_at=at)
    days = tuple(Span(at - n * DAY, at - n * DAY) for n in range(12, -1, -1))
    watched = host(
        first_at=NOW - 21 * DAY, last_v1_at=at, requests={"v1": 17, "v2": 364, "unknown": 0}
    )
    of = findings(
        (old, v2_only()), (watched,), timeline=timeline, tokenless={HOST: [Tokenless(EARLIER, 5)]}
    )
    return dataclasses.replace(of, sightings=(Sighting(old.key.caller, HOST, days, (), 17),))


def test_what_aws_counted_is_accounted_for(tmp_path: Path) -> None:
    """Then the comparison changes nothing."""
    hours = {EARLIER + n * HOUR: 0 for n in range(8 * 24 - 12)}
    report = judged(tmp_path, stopped(), {**hours, EARLIER: 5})
    assert report.verdict.judgement is Judgement.SAFE
    assert report.comparison is not None
    assert (report.comparison.counted, report.comparison.recorded) == (5, 5)
    texts = {each.code: each.text for each in report.verdict.reasons}
    assert texts["accounted"].startswith("all 5 calls without a token that AWS counted")
    assert not any("Compare" in each.title for each in report.steps)


@pytest.mark.parametrize(
    ("counts", "judgement", "code"),
    [
        ({EARLIER: 5, NOW - DAY: 2}, Judgement.NOT_SAFE, "unaccounted_calls"),
        ({EARLIER: 7}, Judgement.NOT_ENOUGH_EVIDENCE, "unaccounted_earlier"),
        ({EARLIER - 20 * DAY: 3}, Judgement.SAFE, "stopped_calling"),
    ],
)
def test_calls_that_only_aws_counted_show_in_verdict_and_hosts(
    tmp_path: Path, counts: dict[datetime.datetime, int], judgement: Judgement, code: str
) -> None:
    """By when they were made, and whether the analyzer was running."""
    report = judged(tmp_path, stopped(), counts)
    assert report.verdict.judgement is judgement
    assert code in {each.code for each in report.verdict.reasons}
    assert {each.judgement for each in report.host_verdicts} == {judgement}
    assert not any(each.title.startswith("Require") for each in report.steps) or (
        judgement is Judgement.SAFE
    )


@pytest.mark.parametrize("hour", [None, 3])
def test_figures_without_a_call_close_the_gaps_of_their_instance(
    tmp_path: Path, hour: Optional[int]
) -> None:
    """If none was counted in any of their hours."""
    gap = Span(NOW - 3 * DAY, NOW - 3 * DAY + 5 * HOUR)
    covered = (Span(NOW - 8 * DAY, gap.start), Span(gap.end, NOW))
    of = findings((v2_only(),), (host(covered=covered),))
    alone = judge(of, clients=CLIENTS, period=WEEK, now=NOW)
    assert alone.verdict.judgement is Judgement.NOT_ENOUGH_EVIDENCE
    counts = {NOW - 8 * DAY + n * HOUR: 0 for n in range(8 * 24)}
    assert judged(tmp_path, of, counts).verdict.judgement is Judgement.SAFE
    if hour is None:
        del counts[gap.start + HOUR]  # CloudWatch leaves out an hour without a call to IMDS
        report = judged(tmp_path, of, counts)
        assert report.verdict.judgement is Judgement.SAFE
        assert "closed_by_cloudwatch" in {each.code for each in report.verdict.reasons}
        return
    counts[gap.start + hour * HOUR] = 1
    report = judged(tmp_path, of, counts)
    assert report.verdict.judgement is Judgement.NOT_SAFE
    assert {"unwatched_calls", "small_gaps"} <= {each.code for each in report.verdict.reasons}


def test_each_kind_of_caller_gets_its_own_cause() -> None:
    """In one report."""
    report = judge(everything(), clients=CLIENTS, period=WEEK, now=NOW)
    assert [each.diagnosis.cause for each in report.entries] == [
        Cause.OLD_SDK,
        Cause.PROXY,
        Cause.UNKNOWN,  # a program, whoever started it
        Cause.FALLBACK,
        Cause.SCRIPT,
        Cause.OTHER_CLOUD,
        Cause.UNREADABLE,
        Cause.V2_ONLY,
    ]
    assert report.verdict.judgement is Judgement.NOT_SAFE
