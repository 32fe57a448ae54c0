"""Collects what is known of one host for the rules of the verdict. Does no I/O."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from analyzer.report.cloudwatch.differences import Comparison, Difference
from analyzer.report.dormant.scanned import NO_SCANS, Scans
from analyzer.report.findings import Damage
from analyzer.report.hosts import Host, Span
from analyzer.report.result import CallerStanding, Standing
from analyzer.report.roster.instances import Instance
from analyzer.report.verdict.groups import Together
from analyzer.report.verdict.spans import DAY, total_s, uncovered, union

# Share of the time that may go unwatched: 100 minutes of a week. Restarts and reboots of the
# analyzer's host take a minute or so each.
TOLERANCE = 0.01


@dataclass(frozen=True)
class Evidence:
    """One host. ``period`` ends with the log, and begins its length before the host's last line.

    ``window`` is as long or longer: a rare caller's silence must have been watched. ``closed`` is
    when the host was not watched, but AWS counted no call without a token. ``off`` is when it was
    off. The later calls of the callers in ``unclear`` may have been IMDSv1. ``group`` is its group,
    and ``is_young`` says that the group has to speak for it. ``named`` is the instance of which
    this is the log by its name alone.
    """

    host: Host
    name: str
    now: datetime.datetime
    log_end: datetime.datetime
    period: Span
    window: Span
    callers: tuple[CallerStanding, ...]
    labels: Mapping[str, str]
    rhythms: Mapping[str, str]
    rare: datetime.timedelta
    off: tuple[Span, ...] = ()
    closed: tuple[Span, ...] = ()
    unclear: frozenset[str] = frozenset()
    damaged: int = 0
    unread: tuple[Damage, ...] = ()
    comparison: Optional[Comparison] = None
    group: Optional[Together] = None
    is_young: bool = False
    scans: Scans = NO_SCANS
    named: Optional[Instance] = None

    def having(self, standing: Standing) -> tuple[CallerStanding, ...]:
        """Return the callers of one standing."""
        return tuple(caller for caller in self.callers if caller.standing is standing)

    @property
    def gaps(self) -> tuple[Span, ...]:
        """The times in the window at which a call would have been missed, in order."""
        return uncovered(self.window, union((*self.host.covered, *self.off, *self.closed)))

    @property
    def covered_s(self) -> float:
        """The watched part of the window, in seconds."""
        return self.window.seconds - total_s(uncovered(self.window, self.host.covered))

    @property
    def own_end(self) -> datetime.datetime:
        """The last line of the host, if that is before the log's end."""
        return min(self.window.end, self.host.last_at)

    @property
    def least(self) -> datetime.timedelta:
        """The shortest time of which a share may go unwatched: the period."""
        return self.own_end - self.period.start

    def is_of_window(self, at: datetime.datetime) -> bool:
        """Tell whether something that happened counts."""
        return at >= self.window.start

    def missing(self, *, is_within: bool, is_covered: bool) -> tuple[Difference, ...]:
        """Return periods of CloudWatch's with calls that the log cannot account for.

        ``is_within``: in the period that is judged, or before; ``is_covered``: watched, or not.
        """
        differences = self.comparison.of_host(self.host.key) if self.comparison else ()
        return tuple(
            each
            for each in differences
            if each.missing
            and each.is_covered == is_covered
            and (each.period.end > self.period.start) == is_within
        )


def too_much(of: Evidence) -> bool:
    """Tell whether too much of the time went unwatched.

    Of any stretch up to the end, as long as the period or longer, a share is allowed: a longer
    window never excuses a gap of the last week. A gap of a day is too long for every window.
    """
    gone_s = 0.0
    for gap in reversed(of.gaps):
        gone_s += gap.seconds
        length = max(of.own_end - gap.start, of.least)
        if gap.seconds >= DAY.total_seconds() or gone_s > TOLERANCE * length.total_seconds():
            return True
    return False


def allowed_s(of: Evidence) -> float:
    """Return how long the period may go unwatched."""
    return TOLERANCE * of.least.total_seconds()
