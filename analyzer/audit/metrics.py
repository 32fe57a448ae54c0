"""Reads from CloudWatch how many tokenless calls each instance made, hour by hour.

Queries are built from the ids of instances, because ListMetrics forgets a metric after two weeks.
A call asks for as many instances as fit one answer: further pages might be charged again.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from analyzer.account.model import Calls, Hour, Period
from analyzer.audit.access import Access
from analyzer.audit.failures import Incomplete
from analyzer.audit.operations import GET_METRIC_DATA

ACCEPTED, REJECTED = "MetadataNoToken", "MetadataNoTokenRejected"
METRICS = (ACCEPTED, REJECTED)
HOUR = datetime.timedelta(hours=1)
# Limits of a call of GetMetricData, in the CloudWatch API reference.
QUERIES_MAX, POINTS_MAX = 500, 100_800
# CloudWatch keeps figures of an hour that long.
DAYS_MAX = 455

_COMPLETE, _PARTIAL = "Complete", "PartialData"


@dataclass
class _Series:
    """One metric of one instance: the hours with calls, and all hours that have a figure."""

    hours: list[Hour] = field(default_factory=list)
    counted: list[datetime.datetime] = field(default_factory=list)
    status: str = _COMPLETE


def period_of(now: datetime.datetime, days: int) -> Period:
    """Return the whole hours of the last ``days``, and the one that runs."""
    end = now.replace(minute=0, second=0, microsecond=0) + HOUR
    return Period(end - datetime.timedelta(days=days) - HOUR, end)


def instances_of_a_call(period: Period) -> int:
    """Return of how many instances one call can tell, with both metrics."""
    hours = -(-(period.end - period.start) // HOUR)
    queries = min(QUERIES_MAX, POINTS_MAX // hours)
    return max(1, queries // len(METRICS))


def read_calls(
    access: Access,
    region: str,
    ids: Sequence[str],
    period: Period,
    starts: Optional[Mapping[str, datetime.datetime]] = None,
) -> Iterator[tuple[str, Calls]]:
    """Yield each instance's figures. ``starts`` are the last starts of instances, by id.

    Raises botocore's errors, and Incomplete at the end if CloudWatch left something out.
    """
    size = instances_of_a_call(period)
    lacking = 0
    for at in range(0, len(ids), size):
        asked = ids[at : at + size]
        series = _answer(access, region, asked, period)
        for index, id_ in enumerate(asked):
            accepted, rejected = series.get(f"a{index}"), series.get(f"r{index}")
            start = (starts or {}).get(id_)
            calls = (
                None if accepted is None or rejected is None else _calls(accepted, rejected, start)
            )
            if calls is None or calls.is_partial:
                lacking += 1
            if calls is not None:
                yield id_, calls
    if lacking:
        raise Incomplete(
            _PARTIAL, f"CloudWatch had no complete answer for {lacking} of {len(ids)} instances."
        )


def _answer(
    access: Access, region: str, asked: Sequence[str], period: Period
) -> dict[str, _Series]:
    found: dict[str, _Series] = {}
    pages = access.pages(
        GET_METRIC_DATA,
        region,
        MetricDataQueries=list(_queries(asked)),
        StartTime=period.start,
        EndTime=period.end,
        ScanBy="TimestampAscending",
    )
    for page in pages:
        for result in page.get("MetricDataResults", ()):
            series = found.setdefault(result["Id"], _Series())
            series.status = result.get("StatusCode", _COMPLETE)
            values = result.get("Values", ())
            series.counted.extend(result.get("Timestamps", ()))
            for when, value in zip(result.get("Timestamps", ()), values):
                if value:
                    series.hours.append(Hour(when, round(value)))
    return {
        name: series for name, series in found.items() if series.status in (_COMPLETE, _PARTIAL)
    }


def _queries(asked: Sequence[str]) -> Iterator[dict[str, Any]]:
    for index, id_ in enumerate(asked):
        for prefix, metric in zip("ar", METRICS):
            yield {
                "Id": f"{prefix}{index}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/EC2",
                        "MetricName": metric,
                        "Dimensions": [{"Name": "InstanceId", "Value": id_}],
                    },
                    "Period": int(HOUR.total_seconds()),
                    "Stat": "Sum",
                },
            }


def _calls(accepted: _Series, rejected: _Series, start: Optional[datetime.datetime]) -> Calls:
    # Figures from before a stop would hide hours that have none since.
    counted = [at for at in accepted.counted if start is None or at + HOUR > start]
    hours = _in_order(accepted)
    refused = _in_order(rejected)
    return Calls(
        no_token=sum(hour.calls for hour in hours),
        no_token_rejected=sum(hour.calls for hour in refused),
        last_no_token_at=hours[-1].at if hours else None,
        last_rejected_at=refused[-1].at if refused else None,
        hours=hours,
        hours_counted=len(counted),
        is_partial=_PARTIAL in (accepted.status, rejected.status),
    )


def _in_order(series: _Series) -> tuple[Hour, ...]:
    return tuple(sorted(series.hours, key=lambda hour: hour.at))
