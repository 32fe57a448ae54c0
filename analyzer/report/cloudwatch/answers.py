"""Reads what the AWS CLI prints: the answers of get-metric-data and get-metric-statistics.

One file holds one or several answers, one behind the other: pages, batches or instances.
"""

from __future__ import annotations

import datetime
import functools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from analyzer.errors import AnalyzerError
from analyzer.report.aws_cli import CLI_ERROR, NoDocumentError, documents
from analyzer.report.cloudwatch.question import command
from analyzer.report.period import read_iso
from analyzer.report.whole_file import read_whole

# A week of 5-minute figures for 400 instances has 120 MB.
SIZE_MAX = 256 << 20
# Two weeks of minutes; the same times occur in each instance's figures.
_TIMES_KEPT_MAX = 20_160
# How much a SEARCH returns at most; what is beyond is not there.
_SEARCH_MAX = 500


@dataclass(frozen=True)
class SeriesPart:
    """A part of one time series. ``notes`` say why figures may be missing."""

    label: str
    id: str
    points: tuple[tuple[datetime.datetime, int], ...]
    is_complete: bool = True  # as its StatusCode says
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class AnswersFile:
    """The answers of a file. ``notes`` say why some may be missing: none does if it is whole."""

    answers: tuple[SeriesPart, ...]
    notes: tuple[str, ...]


def read_answers(path: Path) -> AnswersFile:
    """Read a file. Raises AnalyzerError, which says what it is instead, and what to run."""
    name = str(path)
    found = [(each, tuple(_answers(each, name))) for each in _documents(path)]
    notes: dict[str, None] = {}
    following = [{(part.id, part.label) for part in parts} for _, parts in found[1:]]
    for (document, parts), after in zip(found, [*following, set()]):
        is_continued = any((part.id, part.label) in after for part in parts)
        notes.update(dict.fromkeys(_missing(document, parts, is_continued=is_continued)))
    return AnswersFile(tuple(part for _, parts in found for part in parts), tuple(notes))


def run() -> str:
    """Return what to run for a file that can be read."""
    return f"Run\n  {command()}"


def _missing(
    document: Mapping[str, Any], answers: tuple[SeriesPart, ...], *, is_continued: bool
) -> Iterator[str]:
    """Say why a document may not hold all that was asked for."""
    if document.get("NextToken") and not is_continued:
        yield "CloudWatch has more figures than the file holds: leave out --max-items"
    for said in _said(document):
        yield f"CloudWatch says {said!r}: figures may be missing"
    series = {(each.id, each.label) for each in answers}
    for identity in sorted({each.id for each in answers}):
        if sum(1 for each, _ in series if each == identity) >= _SEARCH_MAX:
            yield f"a SEARCH returns {_SEARCH_MAX} series at most: instances may be missing"


def _said(holder: Mapping[str, Any]) -> Iterator[str]:
    messages = holder.get("Messages")
    for each in messages if isinstance(messages, list) else ():
        if isinstance(each, Mapping):
            yield str(each.get("Value") or each.get("Code") or "?")[:80]


def _documents(path: Path) -> Iterator[Mapping[str, Any]]:
    raw = read_whole(path, SIZE_MAX, "CloudWatch's figures", run(), "Ask for less time.")
    text = raw.decode("utf-8-sig", "replace").strip()
    if not text:
        raise AnalyzerError(f"{path}: is empty. {run()}")
    try:
        for document, _ in documents(text):
            if not isinstance(document, Mapping):
                raise AnalyzerError(
                    f"{path}: is JSON, but not what get-metric-data prints. {run()}"
                )
            yield document
    except NoDocumentError as error:
        raise AnalyzerError(f"{path}: {_instead(text[error.at :])}. {run()}") from None


def _instead(text: str) -> str:
    """Return what a text is that is not JSON."""
    match = CLI_ERROR.search(text)
    if match is not None:
        return f"holds no figures but the AWS CLI's error: {match[0]}"
    return "is not JSON; the AWS CLI may be set to another --output"


def _answers(document: Mapping[str, Any], name: str) -> Iterator[SeriesPart]:
    if isinstance(document.get("MetricDataResults"), list):
        for each in document["MetricDataResults"]:
            yield _metric_data(each, name)
        return
    if isinstance(document.get("Datapoints"), list):
        yield _statistics(document, name)
        return
    for key, what in _OTHERS.items():
        if key in document:
            raise AnalyzerError(f"{name}: is {what}. {run()}")
    raise AnalyzerError(f"{name}: is JSON, but not what get-metric-data prints. {run()}")


# A key of the document -> what the document is instead.
_OTHERS = {
    "Metrics": "what list-metrics prints: which figures there are, not the figures",
    "MetricDataQueries": "the question to get-metric-data, not its answer",
    "MetricStat": "the question to get-metric-data, not its answer",
    "MetricWidgetImage": "a picture of figures, not the figures",
    "Error": "an error, not figures",
    "message": "an error, not figures",
}


def _metric_data(result: object, name: str) -> SeriesPart:
    if not isinstance(result, Mapping):
        raise AnalyzerError(f"{name}: is not what get-metric-data prints. {run()}")
    label, identity = str(result.get("Label") or ""), str(result.get("Id") or "")
    times, values = result.get("Timestamps"), result.get("Values")
    if not isinstance(times, list) or not isinstance(values, list) or len(times) != len(values):
        raise AnalyzerError(
            f"{name}: {label!r} has no Timestamps and Values of the same number. {run()}"
        )
    notes = tuple(f"CloudWatch says {each!r} of {label}" for each in _said(result))
    answer = SeriesPart(label, identity, (), not notes, notes)
    if is_another_metric(label, identity):
        return answer
    status = result.get("StatusCode", "Complete")
    if status != "Complete":
        said = f"CloudWatch says {status} of {label}: figures may be missing"
        answer = replace(answer, is_complete=False, notes=(*notes, said))
    points = tuple((_time(at, name), _count(n, name)) for at, n in zip(times, values))
    return replace(answer, points=points)


# Metrics of an instance that are often asked for together with ours; they have fractions.
_ANOTHER = re.compile(
    r"\b(?:CPU(?:Utilization|Credit\w+|Surplus\w+)|Network(?:Packets)?(?:In|Out)|EBS\w+(?:Bytes|Ops"
    r"|Balance%)|Disk(?:Read|Write)(?:Bytes|Ops)|StatusCheckFailed\w*)(?!\w)",
    re.ASCII,
)
_OURS = re.compile(r"no_?token", re.IGNORECASE)


def is_another_metric(label: str, identity: str) -> bool:
    """Tell whether they name a metric of EC2's that does not count calls to IMDS."""
    is_ours = _OURS.search(label) or _OURS.search(identity)
    return is_ours is None and _ANOTHER.search(label) is not None


def _statistics(document: Mapping[str, Any], name: str) -> SeriesPart:
    label = str(document.get("Label") or "")
    points = []
    for each in document["Datapoints"]:
        if not isinstance(each, Mapping) or "Sum" not in each:
            raise AnalyzerError(f"{name}: {label!r} has no Sum: ask with --statistics Sum")
        points.append((_time(each.get("Timestamp"), name), _count(each["Sum"], name)))
    return SeriesPart(label, "", tuple(points))


def _time(value: object, name: str) -> datetime.datetime:
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.datetime.fromtimestamp(value, datetime.timezone.utc)
        return _written_time(str(value))
    except (ValueError, OverflowError, OSError):
        raise AnalyzerError(f"{name}: {str(value)[:40]!r} is not a time. {run()}") from None


_written_time = functools.lru_cache(maxsize=_TIMES_KEPT_MAX)(read_iso)


def _count(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise AnalyzerError(f"{name}: {str(value)[:40]!r} is not a number of calls. {run()}")
    if value != round(value):
        raise AnalyzerError(f"{name}: {value} calls cannot be a sum: ask for the statistic Sum")
    return round(value)
