"""Finds how often a caller calls, from the days on which it was seen.

The longest pause between two calls is the interval. After as much silence, and a margin, the next
call would have come.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from analyzer.report.callers import Sighting
from analyzer.report.hosts import Span
from analyzer.report.verdict.spans import DAY, extent, longest_pause, union

# Asked for where the interval is unknown, with a day more: from one first Monday to the next can be
# five weeks.
RARE = 35 * DAY
# A caller's interval is known once it was seen over so long a time. Then a week's job has come
# twice, with half a day of jitter on each side, and a job of working days has had its weekend.
# A burst of calls, or a job that is tried again a day later, says nothing of the interval.
KNOWN_AFTER = 6 * DAY
# A caller without a longer pause may be a job of one week of the month, or of ten days.
DENSE_PAUSE = 4 * DAY
DENSE_KNOWN_AFTER = 10 * DAY
# Share of an interval that its next call may be late: four days of a month, a day of a week.
LATE_SHARE = 8
LATE_MIN = DAY
# A run is so far from its time: summer time moves it by an hour, and it is early or late by more.
_AROUND = datetime.timedelta(hours=2, minutes=30)
_HOUR = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class Rhythm:
    """Interval of calls, None if unknown. ``name`` is a word for it, such as ``weekly``.

    ``early`` and ``late`` are how far a run of a named rhythm came from its time.
    """

    interval: Optional[datetime.timedelta]
    name: Optional[str] = None
    early: datetime.timedelta = datetime.timedelta(0)
    late: datetime.timedelta = datetime.timedelta(0)

    def silence(self, rare: datetime.timedelta) -> datetime.timedelta:
        """Return how long a silence shows that it has stopped."""
        if self.interval is None:
            return rare + LATE_MIN
        return self.interval + margin(self.interval)

    def due(self, run: int, last: datetime.datetime) -> tuple[Span, ...]:
        """Return when that run after the last one may come; all of it counts.

        An interval of nothing, as of calls without a pause, is taken as a day.
        """
        kind = next((each for each in _KINDS if each.name == self.name), None)
        if kind is None:
            interval = self.interval or DAY
            at = last + interval + (run - 1) * max(interval, DAY)
            return (Span(max(last, at - _AROUND), at + _AROUND),)
        first, end = last + run * kind.first - self.early, last + run * kind.last + self.late
        spans = [Span(first - kind.around, end + kind.around)]
        if kind.or_after is not None:
            at = last + run * kind.first + kind.or_after
            spans.append(Span(at - _AROUND, at + _AROUND))
        return tuple(spans)


@dataclass(frozen=True)
class _Kind:
    """A rhythm of the calendar: its shortest and longest distance as seen, and as it may be.

    The next run comes ``first`` to ``last`` after one, ``around`` earlier or later, or
    ``or_after`` the first.
    """

    name: str
    shortest: datetime.timedelta
    longest: datetime.timedelta
    may_be: datetime.timedelta
    first: datetime.timedelta
    last: datetime.timedelta
    around: datetime.timedelta = _HOUR
    or_after: Optional[datetime.timedelta] = None


# With a day of jitter each. Months are of 28 to 31 days; from a 15th to the next 1st are 17. From
# one first Monday (patch Tuesday) to the next are four weeks or five.
_KINDS = (
    _Kind("weekly", 6 * DAY, 8 * DAY, 7 * DAY, 7 * DAY, 7 * DAY, _AROUND),
    _Kind("twice a month", 13 * DAY, 18 * DAY, 17 * DAY, 14 * DAY, 17 * DAY),
    _Kind("monthly", 27 * DAY, 36 * DAY, 35 * DAY, 28 * DAY, 31 * DAY, or_after=7 * DAY),
)


def margin(interval: datetime.timedelta) -> datetime.timedelta:
    """Return how late the next call may be."""
    return max(LATE_MIN, interval / LATE_SHARE)


def quiet_since(caller: Sighting) -> datetime.datetime:
    """Return its last call that was IMDSv1, or was not clear and may have been."""
    return max([caller.last_v1_at, *(span.end for span in caller.unclear)])


def rhythm(spans: Sequence[Span]) -> Rhythm:
    """Return how often a caller calls; ``spans`` are its days' calls, in order."""
    if extent(spans) < KNOWN_AFTER:
        return Rhythm(None)
    longest = longest_pause(union(spans))
    if longest < DENSE_PAUSE and extent(spans) < DENSE_KNOWN_AFTER:
        return Rhythm(None)
    starts = _runs(spans)
    kind = _kind(starts)
    if kind is None:
        return Rhythm(longest)
    interval = max(longest, kind.may_be)
    if kind.first < kind.last:
        return Rhythm(interval, kind.name)
    distances = _distances(starts)
    early, late = kind.first - min(distances), max(distances) - kind.last
    none = datetime.timedelta(0)
    return Rhythm(interval, kind.name, max(none, early), max(none, late))


def _runs(spans: Sequence[Span]) -> list[datetime.datetime]:
    """Return when each run began. Calls on two neighbouring days are one run, as over midnight."""
    starts: list[datetime.datetime] = []
    for span in spans:
        if not starts or span.start.date() - starts[-1].date() > DAY:
            starts.append(span.start)
    return starts


def _distances(starts: Sequence[datetime.datetime]) -> list[datetime.timedelta]:
    return [after - before for before, after in zip(starts, starts[1:])]


def _kind(starts: Sequence[datetime.datetime]) -> Optional[_Kind]:
    distances = _distances(starts)
    if not distances:
        return None
    for kind in _KINDS:
        if all(kind.shortest <= distance <= kind.longest for distance in distances):
            return kind
    return None
