"""Builds the query to CloudWatch: how many tokenless calls an instance made."""

from __future__ import annotations

import datetime
import json
from typing import Optional

from analyzer.report.findings import Span

NO_TOKEN = "MetadataNoToken"  # noqa: S105 (a metric's name)
REJECTED = "MetadataNoTokenRejected"
# What EC2 publishes without detailed monitoring.
PERIOD_S = 300


def command(
    instance: str = "INSTANCE_ID", window: Optional[Span] = None, ids_file: str = ""
) -> str:
    """Return the command that asks for an instance's figures, in labels that tell all.

    It asks for whole hours, as far as a window says which.
    """
    queries = [
        {
            "Id": identity,
            "Label": f"{metric} {PERIOD_S} {instance}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/EC2",
                    "MetricName": metric,
                    "Dimensions": [{"Name": "InstanceId", "Value": instance}],
                },
                "Period": PERIOD_S,
                "Stat": "Sum",
            },
        }
        for identity, metric in (("no_token", NO_TOKEN), ("rejected", REJECTED))
    ]
    start, end = _hours(window) if window else ("START", "END")
    source = f" < {ids_file}" if ids_file else ""
    return (
        f"aws cloudwatch get-metric-data --start-time {start} --end-time {end}"
        f" --metric-data-queries '{json.dumps(queries, separators=(',', ':'))}'"
        f" --output json{source} > metrics.json"
    )


def _hours(window: Span) -> tuple[str, str]:
    hour = datetime.timedelta(hours=1)
    start = window.start.replace(minute=0, second=0, microsecond=0)
    end = window.end.replace(minute=0, second=0, microsecond=0)
    end += hour if end < window.end else datetime.timedelta(0)
    return start.strftime("%Y-%m-%dT%H:%M:%SZ"), end.strftime("%Y-%m-%dT%H:%M:%SZ")
