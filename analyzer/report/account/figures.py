"""Turns a snapshot's counts into CloudWatch's figures of each instance, hour by hour.

A snapshot names the hours with answered calls without a token, and how many hours had a figure at
all. An hour that it does not name had none only if all hours of the instance's life are counted.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Optional

from analyzer.account.model import Calls, InstanceFacts, Period
from analyzer.errors import AnalyzerError
from analyzer.report.account.snapshots import Snapshots
from analyzer.report.cloudwatch.figures import CloudWatch, Series, Total
from analyzer.report.cloudwatch.question import NO_TOKEN, REJECTED
from analyzer.report.cloudwatch.silence import HOLE_MAX
from analyzer.report.findings import Findings
from analyzer.report.hosts import Span
from analyzer.report.roster.instances import Roster

HOUR = datetime.timedelta(hours=1)
# EC2 sends its metrics every five minutes; some come later.
DELAY = datetime.timedelta(minutes=15)
_HOUR_S = 3600
_MINUTE_S = 60

Counts = Mapping[datetime.datetime, int]


def maybe_figures(snapshots: Snapshots) -> Optional[CloudWatch]:
    """Return the figures of all instances; None where CloudWatch was asked for none.

    An instance without figures has no series: the comparison names it.
    """
    series: list[Series] = []
    totals: list[Total] = []
    starts: set[int] = set()
    zeros = _Zeros()
    for snapshot, _, instance in snapshots.instances():
        period, calls = snapshot.metrics, instance.calls
        if period is None or calls is None:
            continue
        starts.add(round(period.start.timestamp()) % _HOUR_S)
        starts.update(round(each.at.timestamp()) % _HOUR_S for each in calls.hours)
        is_whole = is_whole_of(instance, period)
        start, end = _life(instance, period)
        # The hour that ran went on after CloudWatch was asked, and its figures come late.
        end = min(end, _hour(period, snapshot.taken_at - DELAY))
        counts = _counts(calls, zeros.of((start, end)) if is_whole else {})
        # Without one point nothing says that it was asked for.
        counts = counts or {_hour(period, period.start): 0}
        series.append(Series(NO_TOKEN, instance.id, counts, is_certain=is_whole))
        if calls.no_token_rejected:
            last = calls.last_rejected_at
            end = period.end if last is None else min(period.end, _hour(period, last) + HOUR)
            totals.append(
                Total(REJECTED, instance.id, Span(period.start, end), calls.no_token_rejected)
            )
    if not series:
        return None
    bucket_s = math.gcd(_HOUR_S, *starts)
    if bucket_s % _MINUTE_S:
        raise AnalyzerError(
            f"{snapshots.sources[0]}: hours in it begin within a minute. Make it anew with"
            " `imds-analyzer audit --output FILE`."
        )
    return CloudWatch(
        period_s=_HOUR_S,
        bucket_s=bucket_s,
        series=tuple(series),
        notes=tuple(_notes(snapshots)),
        point_s=_HOUR_S,
        totals=tuple(totals),
    )


def of_hosts(
    cloudwatch: CloudWatch, findings: Findings, roster: Roster
) -> tuple[CloudWatch, Findings]:
    """Return the figures and the findings for a comparison that knows whose each figure is.

    A host that the roster found by its name gets its id. Figures of an instance without a log are
    left out: they are no other host's, and the sets of instances have them.
    """
    ids = {each.host: each.id for each in roster.instances if each.host and each.id}
    hosts = tuple(
        replace(each, instance_id=ids.get(each.key, each.instance_id)) for each in findings.hosts
    )
    known = {each.instance_id for each in hosts if each.instance_id}
    series = tuple(
        each for each in cloudwatch.series if each.instance is None or each.instance in known
    )
    return replace(cloudwatch, series=series), replace(findings, hosts=hosts)


def is_whole_of(instance: InstanceFacts, period: Period) -> bool:
    """Tell whether each hour of an instance's life within the period was counted.

    CloudWatch may leave out hours without a call to IMDS, but not more in a row than
    credentials last. Without any figure nothing says that it counted at all.
    """
    calls = instance.calls
    if calls is None or calls.is_partial or not calls.hours_counted:
        return False
    start, end = _life(instance, period)
    hours = math.ceil((end - start) / HOUR)
    # More than there were: figures of a former run, which hide that later ones are missing.
    return 0 <= hours - calls.hours_counted <= HOLE_MAX / HOUR


def _life(instance: InstanceFacts, period: Period) -> tuple[datetime.datetime, datetime.datetime]:
    launched = instance.launched_at or period.start
    return _hour(period, max(period.start, launched)), period.end


def _hour(period: Period, at: datetime.datetime) -> datetime.datetime:
    """Return the beginning of the period's hour that a time is in."""
    return period.start + (at - period.start) // HOUR * HOUR


def _counts(calls: Calls, zeros: Counts) -> Counts:
    if not calls.hours:
        return zeros
    counts = dict(zeros)
    for each in calls.hours:
        counts[each.at] = counts.get(each.at, 0) + each.calls
    return dict(sorted(counts.items()))


class _Zeros:
    """Makes hours without a call once for all instances of one life: they are many and alike."""

    def __init__(self) -> None:
        self._made: dict[tuple[datetime.datetime, datetime.datetime], Counts] = {}

    def of(self, life: tuple[datetime.datetime, datetime.datetime]) -> Counts:
        """Return 0 for each hour."""
        if life not in self._made:
            self._made[life] = dict.fromkeys(_hours(*life), 0)
        return self._made[life]


def _hours(start: datetime.datetime, end: datetime.datetime) -> Iterator[datetime.datetime]:
    at = start
    while at < end:
        yield at
        at += HOUR


def _notes(snapshots: Snapshots) -> Sequence[str]:
    """Say of how many instances the figures are not whole, or not there."""
    unasked = partial = 0
    for snapshot, _, each in snapshots.instances():
        if each.state != "running":
            continue
        if each.calls is None or snapshot.metrics is None:
            unasked += 1
        elif each.calls.is_partial:
            partial += 1
    notes = []
    if unasked:
        notes.append(f"the snapshot has no figures of {_many(unasked)}")
    if partial:
        notes.append(f"CloudWatch's figures of {_many(partial)} were cut off")
    return notes


def _many(number: int) -> str:
    return "1 instance" if number == 1 else f"{number:,} instances"
