"""Compares the figures of one host, or of all together, period by period. Does no I/O."""

from __future__ import annotations

import bisect
import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from analyzer.report.cloudwatch.differences import Difference
from analyzer.report.cloudwatch.question import NO_TOKEN, REJECTED
from analyzer.report.findings import Tokenless
from analyzer.report.hosts import Host, Span

METRICS = (NO_TOKEN, REJECTED)
Counts = Mapping[datetime.datetime, int]


@dataclass(frozen=True)
class Compared:
    """The comparison of one host's figures, or of all together."""

    differences: tuple[Difference, ...]
    starts: frozenset[datetime.datetime]
    counted: int
    recorded: int
    shifted: int  # calls that were counted in the period beside that in which they were recorded

    @property
    def is_contradicted(self) -> bool:
        """True if AWS did not count calls of the log: figures are missing, or another's."""
        return any(each.recorded > each.counted for each in self.differences)


def compare_periods(
    counts: Mapping[str, Counts],
    period: datetime.timedelta,
    calls: Sequence[Tokenless],
    hosts: Sequence[Host],
) -> Compared:
    """Return where AWS's counts by metric and the calls of some hosts do not agree.

    A call at a period's border may be counted on the other side of it: such pairs in neighbouring
    periods agree.
    """
    differences: list[Difference] = []
    counted = recorded = shifted = 0
    starts: set[datetime.datetime] = set()
    spent: Counter[datetime.datetime] = Counter()
    for metric in METRICS:
        if not counts.get(metric):
            continue
        rows = [
            replace(row, unanswered=row.unanswered - spent[row.period.start])
            for row in _rows(metric, counts[metric], period, calls, hosts)
        ]
        # One uncertain call can account for one that AWS counted, of either metric.
        for row in rows:
            spent[row.period.start] += min(row.unanswered, max(0, row.counted - row.recorded))
        starts.update(counts[metric], (each.period.start for each in rows))
        counted += sum(each.counted for each in rows)
        recorded += sum(each.recorded for each in rows)
        left, moved = _without_shifted(rows)
        differences += left
        shifted += moved
    return Compared(tuple(differences), frozenset(starts), counted, recorded, shifted)


def compare_total(
    metric: str, span: Span, counted: int, calls: Sequence[Tokenless], host: Host
) -> Difference:
    """Return what AWS counted over a span, and what was recorded in it."""
    inside = [each for each in calls if span.start <= each.start < span.end]
    return Difference(
        metric,
        span,
        counted,
        sum(each.success if metric == NO_TOKEN else each.rejected for each in inside),
        sum(each.uncertain for each in inside),
        _Covered(host.covered).holds(span),
    )


def _rows(
    metric: str,
    counts: Counts,
    length: datetime.timedelta,
    calls: Sequence[Tokenless],
    hosts: Sequence[Host],
) -> list[Difference]:
    """Return all periods with calls from the first to the last; what CloudWatch left out is 0."""
    first, last = min(counts), max(counts)
    inside: dict[datetime.datetime, list[Tokenless]] = {}
    for each in calls:
        start = first + (each.start - first) // length * length
        if first <= start <= last:
            inside.setdefault(start, []).append(each)
    covered = [_Covered(each.covered) for each in hosts]
    rows = []
    for start in sorted({*(at for at, count in counts.items() if count), *inside}):
        of_period = inside.get(start, ())
        period = Span(start, start + length)
        rows.append(
            Difference(
                metric,
                period,
                counts.get(start, 0),
                sum(each.success if metric == NO_TOKEN else each.rejected for each in of_period),
                sum(each.uncertain for each in of_period),
                bool(covered) and all(each.holds(period) for each in covered),
            )
        )
    return rows


class _Covered:
    """Answers quickly whether a host was watched."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = sorted(spans, key=lambda each: each.start)
        self._starts = [each.start for each in self._spans]

    def holds(self, period: Span) -> bool:
        """Tell whether one span, which overlaps no other, holds the period whole."""
        place = bisect.bisect_right(self._starts, period.start) - 1
        return place >= 0 and period.end <= self._spans[place].end


def _without_shifted(rows: Sequence[Difference]) -> tuple[list[Difference], int]:
    """Leave out what agrees, and what a neighbouring period makes up for; count the latter."""
    surplus = [max(0, each.recorded - each.counted) for each in rows]
    left: list[Difference] = []
    moved = 0
    evened: set[int] = set()
    for index, row in enumerate(rows):
        taken: dict[int, int] = {}
        open_count = row.missing
        for other in (index - 1, index + 1):
            if open_count and 0 <= other < len(rows) and _are_neighbours(row, rows[other]):
                taken[other] = min(open_count, surplus[other])
                open_count -= taken[other]
        if row.missing and not open_count:
            for other, count in taken.items():
                surplus[other] -= count
            moved += row.missing
            evened.add(index)
    for index, row in enumerate(rows):
        is_surplus = row.recorded > row.counted and surplus[index] > 0
        if index not in evened and (row.missing or is_surplus):
            left.append(row)
    return left, moved


def _are_neighbours(one: Difference, other: Difference) -> bool:
    return one.period.end == other.period.start or other.period.end == one.period.start
