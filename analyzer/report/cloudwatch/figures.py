"""Joins CloudWatch's answers to time series, and tells of which instance and metric each is.

``MetadataNoToken`` counts tokenless calls that succeeded, ``MetadataNoTokenRejected`` those that
were refused. Both are per instance, and 0 where all calls had a token.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from analyzer.errors import AnalyzerError
from analyzer.report.cloudwatch.answers import SeriesPart, is_another_metric, read_answers, run
from analyzer.report.cloudwatch.question import NO_TOKEN, PERIOD_S, REJECTED
from analyzer.report.hosts import Span

_MINUTE_S = 60

_METRIC = re.compile(r"metadata_?no_?token(_?rejected)?", re.IGNORECASE)
# An Id is short, as CloudWatch allows no other characters in it.
_METRIC_ID = re.compile(r"no_?token(_?rejected)?|(rejected)", re.IGNORECASE)
_PERIOD = re.compile(r"\bMetadataNoToken(?:Rejected)?\s+(\d{2,6})\b")
_INSTANCE = re.compile(r"\bi-[0-9a-f]{8,17}\b", re.ASCII)
_INSTANCE_ID = re.compile(r"(?<![0-9A-Za-z])i_?([0-9a-f]{17}|[0-9a-f]{8})(?![0-9A-Za-z])")
# What a SEARCH for one metric is labelled with: the instance, and nothing that tells the metric.
_BARE = re.compile(r"(?:AWS/EC2\W+|InstanceId\W+)*i-[0-9a-f]{8,17}\W*", re.ASCII)


@dataclass(frozen=True)
class Series:
    """AWS's counts of one metric, by the start of each period.

    ``instance`` is None where nothing says of which instance it is, or it is of several.
    ``is_certain`` tells whether the answer says that it is whole, and of this metric.
    """

    metric: str
    instance: Optional[str]
    counts: Mapping[datetime.datetime, int]
    is_certain: bool = True


@dataclass(frozen=True)
class Total:
    """AWS's count for one instance over a span that is not divided into periods."""

    metric: str
    instance: str
    span: Span
    count: int


@dataclass(frozen=True)
class CloudWatch:
    """All counts that AWS gave.

    The engine must count in buckets of ``bucket_s``, aligned with UTC: it is the period, or less
    where the periods do not begin at multiples of it. ``point_s`` is how long a time series'
    point stands for at least. ``is_partial``: the file does not hold all that was asked for.
    """

    period_s: int
    bucket_s: int
    series: tuple[Series, ...]
    notes: tuple[str, ...] = ()
    point_s: int = PERIOD_S
    is_partial: bool = False
    totals: tuple[Total, ...] = ()

    @property
    def instances(self) -> frozenset[str]:
        """The instances with figures of their own."""
        return frozenset(each.instance for each in self.series if each.instance)


@dataclass
class _Collected:
    """A time series in the making; an answer is whole if its last page is."""

    label: str
    metric: str
    instance: Optional[str]
    is_assumed: bool
    is_complete: bool = True
    points: dict[datetime.datetime, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    ids: set[str] = field(default_factory=set)


def read(path: Path) -> CloudWatch:
    """Read one file: one or several answers, one behind the other.

    Raises AnalyzerError, which says what the file is instead and which command to run.
    """
    name = str(path)
    file = read_answers(path)
    notes = dict.fromkeys(file.notes)
    collected = _joined(_ours(file.answers), name, notes)
    points = [each.points for each in collected]
    if not any(points):
        raise AnalyzerError(
            f"{name}: holds no figure. An instance without figures may be of another account or"
            f" region, or did not run at the time. {run()}"
        )
    stated = _stated_s((each.label for each in file.answers), name)
    period_s = stated or _distance_s(points)
    if period_s is None:
        period_s = PERIOD_S
        notes[f"one time alone tells no period: {PERIOD_S} s is assumed"] = None
    return CloudWatch(
        period_s=period_s,
        bucket_s=_bucket_s(points, period_s, name),
        series=tuple(
            Series(
                each.metric,
                each.instance,
                dict(sorted(each.points.items())),
                each.is_complete and not each.is_assumed,
            )
            for each in collected
        ),
        notes=tuple(notes),
        point_s=stated or min(period_s, PERIOD_S),
        is_partial=bool(file.notes) or not all(each.is_complete for each in collected),
    )


def _joined(
    answers: Iterable[SeriesPart], name: str, notes: dict[str, None]
) -> tuple[_Collected, ...]:
    """Return the time series that answers are parts of; what is to be said goes to ``notes``."""
    collected: dict[tuple[str, ...], _Collected] = {}
    for each in answers:
        made = _collected(each, name)
        key = (made.metric, made.instance or "", *(() if made.instance else (each.label, each.id)))
        series = collected.setdefault(key, made)
        series.is_complete, series.notes = each.is_complete, each.notes
        series.is_assumed |= made.is_assumed
        series.ids.add(each.id)
        if _merge(series.points, each, name):
            notes[f"figures of {each.label} that occur twice were taken once"] = None
    for series in collected.values():
        notes.update(dict.fromkeys(series.notes))
    notes.update(dict.fromkeys(_assumed(collected.values(), name)))
    return tuple(collected.values())


def _ours(answers: Sequence[SeriesPart]) -> list[SeriesPart]:
    """Leave out other metrics, unless there is nothing else."""
    ours = [each for each in answers if not is_another_metric(each.label, each.id)]
    return ours or list(answers)


def _collected(answer: SeriesPart, name: str) -> _Collected:
    match = _METRIC.search(answer.label) or _METRIC_ID.search(answer.id)
    instances = set(_INSTANCE.findall(answer.label))
    if not instances:
        instances = {f"i-{each}" for each in _INSTANCE_ID.findall(answer.id)}
    if match is None and not _BARE.fullmatch(answer.label.strip()):
        raise AnalyzerError(
            f"{name}: neither Label {answer.label!r} nor Id {answer.id!r} says whether this is"
            f" {NO_TOKEN} or {REJECTED}. {run()}"
        )
    return _Collected(
        label=answer.label,
        metric=REJECTED if match is not None and any(match.groups()) else NO_TOKEN,
        instance=instances.pop() if len(instances) == 1 else None,
        is_assumed=match is None,
    )


def _assumed(collected: Iterable[_Collected], name: str) -> list[str]:
    """Say that nothing but the instance was known of series, which may be of either metric."""
    assumed = [each for each in collected if each.is_assumed]
    if not assumed:
        return []
    for each in assumed:
        if len(each.ids) > 1:
            ids = " and ".join(sorted(each.ids))
            raise AnalyzerError(
                f"{name}: neither Label {each.label!r} nor Ids {ids} say which figures are"
                f" {NO_TOKEN} and which {REJECTED}. {run()}"
            )
    return [
        (
            f"neither Label nor Id says of which metric the figures of {assumed[0].label} are:"
            f" {NO_TOKEN} is assumed, and figures of 0 prove nothing"
        )
    ]


def _merge(points: dict[datetime.datetime, int], answer: SeriesPart, name: str) -> bool:
    """Add a part to its series; tell whether some of it was there already."""
    is_twice = any(at in points for at, _ in answer.points)
    for at, count in answer.points:
        if points.setdefault(at, count) != count:
            raise AnalyzerError(
                f"{name}: two results are called {answer.label!r}, and differ at"
                f" {at.isoformat()}. Give each instance a Label of its own. {run()}"
            )
    return is_twice


def _stated_s(labels: Iterable[str], name: str) -> Optional[int]:
    """Return the period that labels state; None where none does."""
    stated = {int(found) for label in labels for found in _PERIOD.findall(label)}
    if len(stated) > 1:
        raise AnalyzerError(f"{name}: labels state several periods: ask for one. {run()}")
    return stated.pop() if stated else None


def _distance_s(series: Iterable[Iterable[datetime.datetime]]) -> Optional[int]:
    """Return the period that the times' distances have; None where there is one time only.

    Times without a call may be left out, so distances tell at most; that is why the command
    puts the period into the label.
    """
    distances: set[int] = set()
    for points in series:
        times = sorted(round(each.timestamp()) for each in points)
        distances.update(after - before for before, after in zip(times, times[1:]))
    distances.discard(0)
    return math.gcd(*distances) if distances else None


def _bucket_s(series: Iterable[Iterable[datetime.datetime]], period_s: int, name: str) -> int:
    starts = {round(each.timestamp()) % period_s for points in series for each in points}
    bucket_s = math.gcd(period_s, *starts)
    if bucket_s % _MINUTE_S:
        raise AnalyzerError(
            f"{name}: periods begin within a minute. Ask for times and a period of whole"
            f" minutes. {run()}"
        )
    return bucket_s
