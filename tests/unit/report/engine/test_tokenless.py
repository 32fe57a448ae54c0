"""Calls without a token by host and period, as AWS counts them."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any, Optional

import pytest

from analyzer.report.engine.duckdb import gather
from analyzer.report.engine.gathering import Options
from analyzer.report.findings import Tokenless
from analyzer.report.inputs import open_inputs
from tests.unit.report.engine.test_callers import line

T0 = datetime.datetime(2026, 11, 21, 18, 50, tzinfo=datetime.timezone.utc)
MINUTES_5 = datetime.timedelta(minutes=5)


def call(
    minute: int,
    outcome: Optional[str] = "success",
    version: str = "v1",
    provider: str = "aws",
    host: str = "h",
    **imds: Any,
) -> dict[str, Any]:
    made = line(minute, version=version)
    made["imds"].update(imds, provider=provider)
    if outcome is not None:
        made["imds"]["outcome"] = outcome
    made["timestamp"] = f"2026-11-21T18:{50 + minute}:01.000000Z"
    made["host"] = {"name": host, "boot_id": f"boot of {host}"}
    return made


def found(
    directory: Path, *lines: dict[str, Any], bucket_s: Optional[int] = 300
) -> dict[str, tuple[Tokenless, ...]]:
    file = directory / "imds.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in lines))
    with open_inputs([str(file)]) as files:
        findings = gather(files, Options(bucket_s=bucket_s))
    assert findings.damaged == 0
    return dict(findings.tokenless)


def test_calls_count_by_host_and_period(tmp_path: Path) -> None:
    """In the order of time."""
    lines = (call(6), call(1), call(4), call(1, host="g"), call(2, version="v2"),
             call(3, version="unknown"))  # fmt: skip
    assert found(tmp_path, *lines) == {
        "g": (Tokenless(T0, success=1),),
        "h": (Tokenless(T0, success=2), Tokenless(T0 + MINUTES_5, success=1)),
    }


@pytest.mark.parametrize(
    ("outcome", "provider", "counted"),
    [
        ("success", "aws", "success"),
        ("success", "gcp", "success"),  # EC2 answers GET / of any path that it has
        ("rejected", "aws", "rejected"),
        ("rejected", "ibm", "uncertain"),  # a PUT is refused for another reason
        ("not_found", "aws", "uncertain"),
        ("not_found", "azure", "uncertain"),
        ("error", "aws", "uncertain"),
        ("no_response", "aws", "uncertain"),
        (None, "aws", "uncertain"),
        (None, "gcp", "uncertain"),
    ],
)
def test_calls_count_as_aws_counts_them(
    tmp_path: Path, outcome: Optional[str], provider: str, counted: str
) -> None:
    """What nothing tells is uncertain."""
    lines = (call(1, outcome, provider=provider), call(2, outcome, provider=provider))
    assert found(tmp_path, *lines) == {"h": (Tokenless(T0, **{counted: 2}),)}


def test_a_folded_line_counts_its_calls(tmp_path: Path) -> None:
    """By the version and the outcome of each."""
    repeated = [
        {"version": "v1", "operation": "metadata", "outcome": "success", "count": 40},
        {"version": "v1", "operation": "metadata", "outcome": "rejected", "count": 2},
        {"version": "v1", "operation": "metadata", "outcome": "unknown", "count": 3},
        {"version": "v2", "operation": "metadata", "outcome": "success", "count": 500},
    ]
    assert found(tmp_path, call(1, version="v2", repeated=repeated)) == {
        "h": (Tokenless(T0, success=40, rejected=2, uncertain=3),)
    }


def test_nothing_is_counted_that_nobody_asked_for(tmp_path: Path) -> None:
    """It takes a row for each host and minute."""
    assert found(tmp_path, call(1), bucket_s=None) == {}
