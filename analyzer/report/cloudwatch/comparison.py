"""Compares AWS's count with what was recorded, period by period. Does no I/O."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from analyzer.report.cloudwatch.figures import CloudWatch
from analyzer.report.cloudwatch.question import NO_TOKEN, REJECTED
from analyzer.report.findings import Bucket, Findings, Host, Span
from analyzer.report.formats.wording import listed, number
from analyzer.report.result import Comparison, Difference

METRICS = (NO_TOKEN, REJECTED)


def compare(cloudwatch: CloudWatch, findings: Findings) -> Comparison:
    """Return where AWS's figures and the log do not agree.

    ``findings.timeline`` must have buckets of ``cloudwatch.bucket_s``. A call at a period's
    border may be counted on the other side of it: such pairs in neighbouring periods agree.
    """
    if cloudwatch.period_s % findings.bucket_s or cloudwatch.bucket_s % findings.bucket_s:
        raise ValueError("the timeline's buckets do not fit into CloudWatch's periods")
    hosts = _hosts(cloudwatch, findings)
    differences: list[Difference] = []
    counted = recorded = shifted = 0
    periods: set[datetime.datetime] = set()
    spent: Counter[datetime.datetime] = Counter()
    for metric in METRICS:
        counts = cloudwatch.counts.get(metric)
        if not counts:
            continue
        rows = [
            replace(row, unanswered=row.unanswered - spent[row.period.start])
            for row in _rows(metric, counts, cloudwatch.period_s, findings, hosts)
        ]
        # One call without an answer can account for one that AWS counted, of either metric.
        for row in rows:
            spent[row.period.start] += min(row.unanswered, max(0, row.counted - row.recorded))
        periods.update(each.period.start for each in rows)
        counted += sum(each.counted for each in rows)
        recorded += sum(each.recorded for each in rows)
        left, moved = _without_shifted(rows)
        differences += left
        shifted += moved
    notes = [*cloudwatch.notes, *_scope(cloudwatch, findings)]
    if shifted:
        were = "call was" if shifted == 1 else "calls were"
        notes.append(f"{shifted} {were} counted in the period beside that in which it was recorded")
    differences.sort(key=lambda each: (each.period.start, each.metric))
    return Comparison(len(periods), counted, recorded, tuple(differences), tuple(notes))


def _rows(
    metric: str,
    counts: Mapping[datetime.datetime, int],
    period_s: int,
    findings: Findings,
    hosts: Sequence[Host],
) -> list[Difference]:
    """Return all periods from the first to the last; what CloudWatch left out is 0."""
    length = datetime.timedelta(seconds=period_s)
    first, last = min(counts), max(counts)
    buckets: dict[datetime.datetime, list[Bucket]] = {}
    for each in findings.timeline:
        start = first + (each.start - first) // length * length
        if first <= start <= last:
            buckets.setdefault(start, []).append(each)
    rows = []
    for start in sorted({*counts, *buckets}):
        inside = buckets.get(start, ())
        unanswered = sum(each.tokenless_unanswered for each in inside)
        recorded = sum(
            each.tokenless_success if metric == NO_TOKEN else each.tokenless_rejected
            for each in inside
        )
        period = Span(start, start + length)
        is_covered = bool(hosts) and all(_is_covered(period, each.covered) for each in hosts)
        rows.append(
            Difference(metric, period, counts.get(start, 0), recorded, unanswered, is_covered)
        )
    return rows


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


def _is_covered(period: Span, covered: Sequence[Span]) -> bool:
    return any(each.start <= period.start and period.end <= each.end for each in covered)


def _hosts(cloudwatch: CloudWatch, findings: Findings) -> tuple[Host, ...]:
    """Return the hosts that the figures are of: those named, else all."""
    named = [each for each in findings.hosts if each.instance_id in cloudwatch.instances]
    return tuple(named) or findings.hosts


def _scope(cloudwatch: CloudWatch, findings: Findings) -> list[str]:
    """Return what the two are not of alike."""
    if not cloudwatch.instances:
        hosts = len(findings.hosts)
        if hosts == 1:
            return []
        return [
            (
                f"the labels name no instance; the log has {hosts} hosts, and the figures must be"
                " of all of them"
            )
        ]
    logged = {each.instance_id for each in findings.hosts}
    without_log = sorted(cloudwatch.instances - logged)
    without_figures = [
        each.name
        for each in findings.hosts
        if each.instance_id and each.instance_id not in cloudwatch.instances
    ]
    notes = []
    if without_log and None not in logged:
        many = number(len(without_log), "instance")
        notes.append(f"of {many} there are figures, but no log: {listed(without_log)}")
    if without_figures:
        many = number(len(without_figures), "host")
        notes.append(f"of {many} there is a log, but no figures: {listed(without_figures)}")
    return notes
