"""Computes with stretches of time: what is covered, what is not, and for how long."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence

from analyzer.report.hosts import Span

DAY = datetime.timedelta(days=1)


def union(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the same time in order, without overlaps. A call alone keeps its moment."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return tuple(merged)


def uncovered(window: Span, covered: Sequence[Span]) -> tuple[Span, ...]:
    """Return the parts of the window that are not covered, in order."""
    gaps = []
    at = window.start
    for span in sorted(covered, key=lambda span: span.start):
        if at >= window.end:
            break
        if span.start > at:
            gaps.append(Span(at, min(span.start, window.end)))
        at = max(at, span.end)
    if at < window.end:
        gaps.append(Span(at, window.end))
    return tuple(gaps)


def is_covered(span: Span, covered: Sequence[Span]) -> bool:
    """Tell whether all of it is covered."""
    return not uncovered(span, covered)


def after(
    start: datetime.datetime, length: datetime.timedelta, off: Sequence[Span]
) -> datetime.datetime:
    """Return when so much time has passed that is not in ``off``, which is in order."""
    end = start + length
    for span in off:
        if span.start < end and span.end > start:
            end += span.end - max(span.start, start)
    return end


def before(
    end: datetime.datetime, length: datetime.timedelta, off: Sequence[Span]
) -> datetime.datetime:
    """Return since when so much time has passed that is not in ``off``, which is in order."""
    start = end - length
    for span in reversed(off):
        if span.end > start and span.start < end:
            start -= min(span.end, end) - span.start
    return start


def total_s(spans: Iterable[Span]) -> float:
    """Return how long they are in all."""
    return sum(span.seconds for span in spans)


def overlaps(one: Span, other: Span) -> bool:
    """Tell whether two stretches have time in common."""
    return one.start < other.end and other.start < one.end


def longest_pause(spans: Sequence[Span]) -> datetime.timedelta:
    """Return the longest time between the end of one and the start of the next."""
    pauses = (after.start - before.end for before, after in zip(spans, spans[1:]))
    return max(pauses, default=datetime.timedelta(0))


def extent(spans: Sequence[Span]) -> datetime.timedelta:
    """Return the time from the first start to the last end."""
    if not spans:
        return datetime.timedelta(0)
    return max(span.end for span in spans) - spans[0].start
