"""What the AWS CLI prints of CloudWatch's figures."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

from analyzer.report.cloudwatch.figures import CloudWatch, read
from analyzer.report.cloudwatch.question import NO_TOKEN
from tests.unit.report_samples import INSTANCE

MINUTES_5 = datetime.timedelta(minutes=5)
T0 = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.timezone.utc)
OTHER = "i-0fedcba9876543210"
LABEL = f"{NO_TOKEN} 300 {INSTANCE}"


def series(
    *values: float, label: str = LABEL, start: datetime.datetime = T0, **fields: Any
) -> dict[str, Any]:
    """Return one result, newest first as CloudWatch has it."""
    times = [(start + n * MINUTES_5).isoformat() for n in range(len(values))]
    return {
        "Id": "no_token",
        "Label": label,
        "Timestamps": times[::-1],
        "Values": list(values)[::-1],
        "StatusCode": "Complete",
        **fields,
    }


def answer(*results: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"MetricDataResults": list(results), "Messages": [], **fields}


def written(path: Path, *documents: Any) -> Path:
    file = path / "metrics.json"
    file.write_text("\n".join(json.dumps(each, indent=4) for each in documents) + "\n")
    return file


def loaded(path: Path, *documents: Any) -> CloudWatch:
    return read(written(path, *documents))


def totals(figures: CloudWatch) -> dict[str, dict[datetime.datetime, int]]:
    """Return the sums over all series, by metric."""
    sums: dict[str, dict[datetime.datetime, int]] = {}
    for each in figures.series:
        own = sums.setdefault(each.metric, {})
        for at, count in each.counts.items():
            own[at] = own.get(at, 0) + count
    return sums
