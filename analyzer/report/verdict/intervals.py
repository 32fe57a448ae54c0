"""Finds how often a caller calls, from the days on which it was seen.

The longest pause between two calls is the interval. After as much silence, and a margin, the next
call would have come.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from analyzer.report.findings import Span
from analyzer.report.verdict.spans import DAY, extent, longest_pause, union

# Asked for where the interval is unknown: a month, and a few days more.
RARE = 35 * DAY
# A caller's interval is known once it was seen over so long a time. Then a week's job has come
# twice, with half a day of jitter on each side, and a job of working days has had its weekend.
# A burst of calls, or a job that is tried again a day later, says nothing of the interval.
KNOWN_AFTER = 6 * DAY
# Share of an interval that its next call may be late: four days of a month, a day of a week.
LATE_SHARE = 8
LATE_MIN = DAY


@dataclass(frozen=True)
class Rhythm:
    """How often it calls. ``interval`` is None if that is unknown, ``name`` such as ``weekly``."""

    interval: Optional[datetime.timedelta]
    name: Optional[str] = None

    def silence(self, rare: datetime.timedelta) -> datetime.timedelta:
        """Return how long a silence shows that it has stopped."""
        if self.interval is None:
            return rare
        return self.interval + margin(self.interval)


@dataclass(frozen=True)
class _Kind:
    """A rhythm of the calendar: its shortest and longest distance as seen, and as it may be."""

    name: str
    shortest: datetime.timedelta
    longest: datetime.timedelta
    may_be: datetime.timedelta


# With a day of jitter each. Months are of 28 to 31 days; from a 15th to the next 1st are 17.
_KINDS = (
    _Kind("weekly", 6 * DAY, 8 * DAY, 7 * DAY),
    _Kind("twice a month", 13 * DAY, 18 * DAY, 17 * DAY),
    _Kind("monthly", 27 * DAY, 32 * DAY, 31 * DAY),
)


def margin(interval: datetime.timedelta) -> datetime.timedelta:
    """Return how late the next call may be."""
    return max(LATE_MIN, interval / LATE_SHARE)


def rhythm(spans: Sequence[Span]) -> Rhythm:
    """Return how often a caller calls; ``spans`` are its days' calls, in order."""
    if extent(spans) < KNOWN_AFTER:
        return Rhythm(None)
    longest = longest_pause(union(spans))
    kind = _kind(_runs(spans))
    if kind is None:
        return Rhythm(longest)
    return Rhythm(max(longest, kind.may_be), kind.name)


def _runs(spans: Sequence[Span]) -> list[datetime.datetime]:
    """Return when each run began. Calls on two neighbouring days are one run, as over midnight."""
    starts: list[datetime.datetime] = []
    for span in spans:
        if not starts or span.start.date() - starts[-1].date() > DAY:
            starts.append(span.start)
    return starts


def _kind(starts: Sequence[datetime.datetime]) -> Optional[_Kind]:
    distances = [after - before for before, after in zip(starts, starts[1:])]
    if not distances:
        return None
    for kind in _KINDS:
        if all(kind.shortest <= distance <= kind.longest for distance in distances):
            return kind
    return None
