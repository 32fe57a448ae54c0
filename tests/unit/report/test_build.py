"""From findings and CloudWatch's figures to the whole report."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from analyzer.report.build import judge
from analyzer.report.cloudwatch.figures import read
from analyzer.report.cloudwatch.question import NO_TOKEN
from analyzer.report.diagnosis.clients import load_clients
from analyzer.report.findings import Bucket, Findings, Tokenless
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
    """Return a log whose only v1 calls, five of them, lie before the period."""
    timeline = (
        Bucket(EARLIER, {"v1": 5, "v2": 0, "unknown": 0}, 5, 0, 0),
        Bucket(NOW - DAY, {"v1": 0, "v2": 9, "unknown": 0}, 0, 0, 0),
    )
    at = EARLIER + HOUR / 2
    groups = (old_botocore(first_at=at, last_at=at), v2_only())
    return findings(groups, timeline=timeline, tokenless={HOST: [Tokenless(EARLIER, 5)]})


def test_what_aws_counted_is_accounted_for(tmp_path: Path) -> None:
    """Then the comparison changes nothing."""
    report = judged(tmp_path, stopped(), {EARLIER: 5, NOW - DAY: 0})
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
        ({EARLIER - 10 * DAY: 3}, Judgement.SAFE, "stopped_calling"),
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


def test_each_kind_of_caller_gets_its_own_cause() -> None:
    """In one report."""
    report = judge(everything(), clients=CLIENTS, period=WEEK, now=NOW)
    assert [each.diagnosis.cause for each in report.entries] == [
        Cause.OLD_SDK,
        Cause.PROXY,
        Cause.SCRIPT,
        Cause.FALLBACK,
        Cause.SCRIPT,
        Cause.OTHER_CLOUD,
        Cause.UNREADABLE,
        Cause.V2_ONLY,
    ]
    assert report.verdict.judgement is Judgement.NOT_SAFE
