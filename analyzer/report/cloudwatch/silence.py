"""Tells when AWS counted an instance's calls without a token and found none, and when it did not.

A point of 0 stands for its period. CloudWatch may leave out periods without a call to IMDS, so
a short hole between two points is one of these.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Mapping
from typing import Optional

from analyzer.report.hosts import Span

# A role's credentials last six hours at most: whatever uses them calls IMDS that often. A longer
# hole may be one of CloudWatch's own.
HOLE_MAX = datetime.timedelta(hours=6)


def silent(
    counts: Mapping[datetime.datetime, int],
    also: Collection[datetime.datetime],
    length: datetime.timedelta,
) -> tuple[Span, ...]:
    """Return the spans in which all counts are 0.

    ``also`` are further times at which calls were counted. A point stands for ``length``.
    """
    called = {at for at, count in counts.items() if count} | set(also)
    spans: list[Span] = []
    start: Optional[datetime.datetime] = None
    end = start
    for at in sorted({*counts, *called}):
        is_far = end is not None and at - end > HOLE_MAX
        if start is not None and end is not None and (at in called or is_far):
            spans.append(Span(start, min(end, at)))
            start = None
        if at not in called:
            start = at if start is None else start
            end = at + length
    if start is not None and end is not None:
        spans.append(Span(start, end))
    return tuple(spans)


def lacks(times: Collection[datetime.datetime], length: datetime.timedelta, window: Span) -> bool:
    """Tell whether a part of the window that is too long for a hole has no point."""
    return any(each.end - each.start > HOLE_MAX for each in _holes(times, length, window))


def _holes(
    times: Collection[datetime.datetime], length: datetime.timedelta, window: Span
) -> Iterator[Span]:
    at = window.start
    for each in sorted(times):
        if each >= window.end:
            break
        if each > at:
            yield Span(at, each)
        at = max(at, each + length)
    yield Span(at, max(at, window.end))
