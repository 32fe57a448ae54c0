"""Builds the query to CloudWatch: how many tokenless calls an instance made."""

from __future__ import annotations

import datetime
import json
from typing import Optional

from analyzer.report.hosts import Span

NO_TOKEN = "MetadataNoToken"  # noqa: S105 (a metric's name)
REJECTED = "MetadataNoTokenRejected"
# What EC2 publishes without detailed monitoring.
PERIOD_S = 300


# What one call of get-metric-data may ask for.
QUERIES_MAX = 500
_METRICS = (("no_token", NO_TOKEN), ("rejected", REJECTED))
BATCH = QUERIES_MAX // len(_METRICS)


def command(instance: str = "INSTANCE_ID", window: Optional[Span] = None) -> str:
    """Return the command that asks for an instance's figures, in labels that tell all.

    It asks for whole hours, as far as a window says which.
    """
    queries = json.dumps(_queries(instance), separators=(",", ":"))
    return f"{_get(window)} --metric-data-queries '{queries}' --output json > metrics.json"


def batches(ids_file: str, window: Optional[Span] = None) -> str:
    """Return the commands that ask for the figures of all instances of a file, one id a line.

    An id of a query may have letters, digits and ``_`` only, and must not occur twice.
    """
    queries = json.dumps(_queries("@INSTANCE@"), separators=(",", ":"))[1:-1]
    number = queries.replace('"no_token"', '"no_token_@NUMBER@"')
    queries = number.replace('"rejected"', '"rejected_@NUMBER@"')
    return (
        "rm -f batch-of-instances.*\n"
        f"split -l {BATCH} {ids_file} batch-of-instances.\n"
        "for batch in batch-of-instances.*; do\n"
        "  { echo '['; awk '{ each = queries; gsub(/@INSTANCE@/, $1, each);"
        ' gsub(/@NUMBER@/, NR, each); print (NR > 1 ? "," : "") each }\''
        f" queries='{queries}' \"$batch\"; echo ']'; }} > queries.json\n"
        f"  {_get(window)} --metric-data-queries file://queries.json --output json\n"
        "done > metrics.json"
    )


def _get(window: Optional[Span]) -> str:
    start, end = _hours(window) if window else ("START", "END")
    return f"aws cloudwatch get-metric-data --start-time {start} --end-time {end}"


def _queries(instance: str) -> list[dict[str, object]]:
    return [
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
        for identity, metric in _METRICS
    ]


def _hours(window: Span) -> tuple[str, str]:
    hour = datetime.timedelta(hours=1)
    start = window.start.replace(minute=0, second=0, microsecond=0)
    end = window.end.replace(minute=0, second=0, microsecond=0)
    end += hour if end < window.end else datetime.timedelta(0)
    return start.strftime("%Y-%m-%dT%H:%M:%SZ"), end.strftime("%Y-%m-%dT%H:%M:%SZ")
