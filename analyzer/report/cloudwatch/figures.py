"""Reads CloudWatch's count of tokenless calls from ``aws cloudwatch get-metric-data``'s output.

``MetadataNoToken`` counts tokenless calls that succeeded, ``MetadataNoTokenRejected`` those that
were refused. Both are per instance; what several results hold is added up.
"""

from __future__ import annotations

import datetime
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from analyzer.errors import AnalyzerError
from analyzer.report.cloudwatch.question import NO_TOKEN, PERIOD_S, REJECTED, command

_MINUTE_S = 60
# A year of 5-minute figures for one instance has 4 MB.
SIZE_MAX = 256 << 20

_METRIC = re.compile(r"metadata_?no_?token(_?rejected)?", re.IGNORECASE)
_PERIOD = re.compile(r"\bMetadataNoToken(?:Rejected)?\s+(\d{2,6})\b")
_INSTANCE = re.compile(r"\bi-[0-9a-f]{8,17}\b", re.ASCII)


@dataclass(frozen=True)
class CloudWatch:
    """What AWS counted, by metric and by the start of each period.

    The engine must count in buckets of ``bucket_s``, aligned with UTC: it is the period, or less
    where the periods do not begin at multiples of it. ``instances`` are those that labels name.
    """

    period_s: int
    bucket_s: int
    counts: Mapping[str, Mapping[datetime.datetime, int]]
    instances: frozenset[str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Result:
    """A part of one time series."""

    label: str
    id: str
    points: tuple[tuple[datetime.datetime, int], ...]
    notes: tuple[str, ...]

    @property
    def metric(self) -> Optional[str]:
        """Which of the two it is; None where neither label nor id tells."""
        match = _METRIC.search(self.label) or _METRIC.search(self.id)
        if match is None:
            return None
        return REJECTED if match[1] else NO_TOKEN


# Metric, label and id: what tells one time series from another.
_Series = dict[tuple[str, str, str], dict[datetime.datetime, int]]


def read(path: Path) -> CloudWatch:
    """Read one file: one or several answers, one behind the other.

    Raises AnalyzerError, which says what the file is instead and which command to run.
    """
    name = str(path)
    results = [each for document in _documents(path) for each in _results(document, name)]
    if not any(each.points for each in results):
        raise AnalyzerError(
            f"{name}: holds no figure. {NO_TOKEN} is there only for times at which IMDS was"
            f" called; check instance, region and time. {_run()}"
        )
    notes = dict.fromkeys(note for each in results for note in each.notes)
    series: _Series = {}
    for each in results:
        if each.metric is None:
            raise AnalyzerError(
                f"{name}: neither Label {each.label!r} nor Id {each.id!r} says whether this is"
                f" {NO_TOKEN} or {REJECTED}. {_run()}"
            )
        if _merge(series.setdefault((each.metric, each.label, each.id), {}), each, name):
            notes[f"figures of {each.label} that occur twice were taken once"] = None
    period_s = _period_s(series, name)
    if period_s is None:
        period_s = PERIOD_S
        notes[f"one time alone tells no period: {PERIOD_S} s is assumed"] = None
    counts: dict[str, Counter[datetime.datetime]] = {}
    for (metric, _, _), points in series.items():
        counts.setdefault(metric, Counter()).update(points)
    return CloudWatch(
        period_s=period_s,
        bucket_s=_bucket_s(series, period_s, name),
        counts={metric: dict(sorted(each.items())) for metric, each in counts.items()},
        instances=frozenset(found for _, label, _ in series for found in _INSTANCE.findall(label)),
        notes=tuple(notes),
    )


def _merge(points: dict[datetime.datetime, int], result: _Result, name: str) -> bool:
    """Add a part to its series; tell whether some of it was there already."""
    is_twice = any(at in points for at, _ in result.points)
    for at, count in result.points:
        if points.setdefault(at, count) != count:
            raise AnalyzerError(
                f"{name}: two results are called {result.label!r}, and differ at"
                f" {at.isoformat()}. Give each instance a Label of its own. {_run()}"
            )
    return is_twice


def _documents(path: Path) -> Iterator[object]:
    try:
        with path.open("rb") as file:
            raw = file.read(SIZE_MAX + 1)
    except OSError as error:
        raise AnalyzerError(
            f"cannot read CloudWatch's figures {str(path)!r}: {error.strerror}. {_run()}"
        ) from None
    if len(raw) > SIZE_MAX:
        raise AnalyzerError(f"{path}: is larger than {SIZE_MAX >> 20} MiB: ask for less time")
    text = raw.decode("utf-8-sig", "replace").strip()
    if not text:
        raise AnalyzerError(f"{path}: is empty. {_run()}")
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        try:
            document, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            raise AnalyzerError(f"{path}: {_instead(text[at:])}. {_run()}") from None
        yield document
        while at < len(text) and text[at].isspace():
            at += 1


def _instead(text: str) -> str:
    """Return what a text is that is not JSON."""
    match = re.search(r"An error occurred \([\w.]{1,60}\)", text)
    if match is not None:
        return f"holds no figures but the AWS CLI's error: {match[0]}"
    return "is not JSON; the AWS CLI may be set to another --output"


def _results(document: object, name: str) -> Iterator[_Result]:
    if isinstance(document, Mapping):
        if isinstance(document.get("MetricDataResults"), list):
            yield from _metric_data(document, name)
            return
        if isinstance(document.get("Datapoints"), list):
            yield _statistics(document, name)
            return
        for key, what in _OTHERS.items():
            if key in document:
                raise AnalyzerError(f"{name}: is {what}. {_run()}")
    raise AnalyzerError(f"{name}: is JSON, but not what get-metric-data prints. {_run()}")


# A key of the document -> what the document is instead.
_OTHERS = {
    "Metrics": "what list-metrics prints: which figures there are, not the figures",
    "MetricDataQueries": "the question to get-metric-data, not its answer",
    "MetricStat": "the question to get-metric-data, not its answer",
    "MetricWidgetImage": "a picture of figures, not the figures",
    "Error": "an error, not figures",
    "message": "an error, not figures",
}


def _metric_data(document: Mapping[str, Any], name: str) -> Iterator[_Result]:
    general = []
    if document.get("NextToken"):
        general.append("CloudWatch has more figures than the file holds: leave out --max-items")
    for each in document["MetricDataResults"]:
        if not isinstance(each, Mapping):
            raise AnalyzerError(f"{name}: is not what get-metric-data prints. {_run()}")
        label, identity = str(each.get("Label") or ""), str(each.get("Id") or "")
        times, values = each.get("Timestamps"), each.get("Values")
        if not isinstance(times, list) or not isinstance(values, list) or len(times) != len(values):
            raise AnalyzerError(
                f"{name}: {label!r} has no Timestamps and Values of the same number. {_run()}"
            )
        notes = list(general)
        status = each.get("StatusCode", "Complete")
        if status != "Complete":
            notes.append(f"CloudWatch says {status} of {label}: figures may be missing")
        points = tuple((_time(at, name), _count(n, name)) for at, n in zip(times, values))
        yield _Result(label, identity, points, tuple(notes))


def _statistics(document: Mapping[str, Any], name: str) -> _Result:
    label = str(document.get("Label") or "")
    points = []
    for each in document["Datapoints"]:
        if not isinstance(each, Mapping) or "Sum" not in each:
            raise AnalyzerError(f"{name}: {label!r} has no Sum: ask with --statistics Sum")
        points.append((_time(each.get("Timestamp"), name), _count(each["Sum"], name)))
    return _Result(label, "", tuple(points), ())


def _time(value: object, name: str) -> datetime.datetime:
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.datetime.fromtimestamp(value, datetime.timezone.utc)
        time = datetime.datetime.fromisoformat(re.sub(r"[Zz]$", "+00:00", str(value)))
    except (ValueError, OverflowError, OSError):
        raise AnalyzerError(f"{name}: {str(value)[:40]!r} is not a time. {_run()}") from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=datetime.timezone.utc)
    return time.astimezone(datetime.timezone.utc)


def _count(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise AnalyzerError(f"{name}: {str(value)[:40]!r} is not a number of calls. {_run()}")
    if value != round(value):
        raise AnalyzerError(f"{name}: {value} calls cannot be a sum: ask for the statistic Sum")
    return round(value)


def _period_s(series: _Series, name: str) -> Optional[int]:
    """Return the period that labels state, else the one that the times' distances have.

    None where there is one time only. Times without a call may be left out, so distances tell
    at most; that is why the command puts the period into the label.
    """
    stated = {int(found) for _, label, _ in series for found in _PERIOD.findall(label)}
    if len(stated) > 1:
        raise AnalyzerError(f"{name}: labels state several periods: ask for one. {_run()}")
    if stated:
        return stated.pop()
    distances: set[int] = set()
    for points in series.values():
        times = sorted(round(each.timestamp()) for each in points)
        distances.update(after - before for before, after in zip(times, times[1:]))
    distances.discard(0)
    return math.gcd(*distances) if distances else None


def _bucket_s(series: _Series, period_s: int, name: str) -> int:
    starts = {round(each.timestamp()) % period_s for points in series.values() for each in points}
    bucket_s = math.gcd(period_s, *starts)
    if bucket_s % _MINUTE_S:
        raise AnalyzerError(
            f"{name}: periods begin within a minute. Ask for times and a period of whole"
            f" minutes. {_run()}"
        )
    return bucket_s


def _run() -> str:
    return f"Run\n  {command()}"
