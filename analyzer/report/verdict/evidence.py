"""Collects what is known of one host for the rules of the verdict. Does no I/O."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

from analyzer.imds import AWS
from analyzer.report.findings import HOSTS_LISTED_MAX, Findings, Group, Host, Span
from analyzer.report.result import Comparison, Difference

REJECTED = "rejected"
DAY = datetime.timedelta(days=1)
# Share of the window that may go unwatched: 100 minutes of a week. Restarts and reboots of the
# analyzer's host take a minute or so each.
TOLERANCE = 0.01


@dataclass(frozen=True)
class Evidence:
    """One host. ``period`` is the last of its time, ``window`` that or longer.

    ``callers`` are the groups that have called v1 on this host; where so many hosts were listed
    of a group that this one may be missing, the group counts as one of them.
    """

    host: Host
    now: datetime.datetime
    log_end: datetime.datetime
    period: Span
    window: Span
    callers: tuple[Group, ...]
    damaged: int
    comparison: Optional[Comparison]

    @property
    def is_v1_left(self) -> bool:
        """Whether it called v1 within the period."""
        return self.host.last_v1_at is not None and self.host.last_v1_at >= self.period.start

    @property
    def present(self) -> tuple[Group, ...]:
        """The callers that called v1 within the period."""
        start = self.period.start
        return tuple(each for each in self.callers if last_v1(each, self.host) >= start)

    @property
    def stopped(self) -> tuple[Group, ...]:
        """The callers that called v1 before the period only."""
        start = self.period.start
        return tuple(each for each in self.callers if last_v1(each, self.host) < start)

    @property
    def due(self) -> tuple[Group, ...]:
        """The callers whose next v1 call may still come, as rarely as they call."""
        return tuple(
            each
            for each in self.stopped
            if (interval := maybe_interval(each)) is not None
            and self.period.end - last_v1(each, self.host) < interval
        )

    @property
    def waiting(self) -> tuple[Group, ...]:
        """The callers that called v1 on days of a boot only, with no boot since.

        The first boot is left out: it is the first line, whenever the host really booted.
        """
        days = {each.at.date() for each in self.host.boots[1:]}
        last_boot = max((each.at for each in self.host.boots), default=None)
        return tuple(
            each
            for each in self.stopped
            if last_boot is not None
            and days.issuperset(each.v1_days)
            and last_boot <= last_v1(each, self.host)
        )

    @property
    def uncovered(self) -> tuple[Span, ...]:
        """When in the window the analyzer was not running, in order."""
        return tuple(_uncovered(self.window, self.host.covered))

    @property
    def covered_s(self) -> float:
        """How much of the window was watched."""
        return self.window.seconds - sum(each.seconds for each in self.uncovered)

    @property
    def tolerance_s(self) -> float:
        """How much of the window may go unwatched."""
        return self.window.seconds * TOLERANCE

    def missing(self, *, is_within: bool, is_covered: bool) -> tuple[Difference, ...]:
        """Return periods of CloudWatch's with calls that the log cannot account for.

        ``is_within``: in the period that is judged, or before; ``is_covered``: watched, or not.
        """
        differences = self.comparison.differences if self.comparison else ()
        return tuple(
            each
            for each in differences
            if each.missing
            and each.host in (None, self.host.key)
            and each.is_covered == is_covered
            and (each.period.end > self.period.start) == is_within
        )


def maybe_interval(group: Group) -> Optional[datetime.timedelta]:
    """Return after how long a rare caller's next v1 call is overdue; None where it is not rare.

    Rare are callers that let a day or more pass in between: then the longest time between two
    days with calls, and a day more, as days say nothing of the hour.
    """
    days = sorted(group.v1_days)
    longest = max((after - before for before, after in zip(days, days[1:])), default=DAY)
    return longest + DAY if longest > DAY else None


def evidence_of(
    findings: Findings,
    period: datetime.timedelta,
    now: datetime.datetime,
    comparison: Optional[Comparison],
) -> tuple[Evidence, ...]:
    """Return what is known of each host, in the order of the findings."""
    last = findings.last_at
    if last is None:
        return ()
    end = min(last, now)
    judged = Span(end - period, end)
    on_host, everywhere = _callers(findings.groups)
    found = []
    for host in findings.hosts:
        listed = (*on_host.get(host.name, ()), *everywhere)
        callers = listed if host.last_v1_at is not None else ()
        longest = max(
            (
                interval
                for each in callers
                if last_v1(each, host) < judged.start
                and (interval := maybe_interval(each)) is not None
            ),
            default=period,
        )
        found.append(
            Evidence(
                host=host,
                now=now,
                log_end=last,
                period=judged,
                window=Span(end - max(period, longest), end),
                callers=callers,
                damaged=findings.damaged,
                comparison=comparison,
            )
        )
    return tuple(found)


def last_v1(group: Group, host: Host) -> datetime.datetime:
    """Return when a caller of this host can have called v1 there last."""
    return min(each for each in (group.last_v1_at, host.last_v1_at) if each is not None)


def is_refused_only(group: Group) -> bool:
    """Tell whether all of its v1 calls were refused, as they are once tokens are required."""
    return all(each.outcome == REJECTED for each in group.tallies if each.version == "v1")


def _callers(groups: Sequence[Group]) -> tuple[dict[str, list[Group]], list[Group]]:
    """Return the groups that used v1 by host, and those of which not all hosts were listed."""
    on_host: dict[str, list[Group]] = {}
    everywhere: list[Group] = []
    for each in groups:
        if each.key.provider != AWS or not each.count("v1"):
            continue
        if len(each.v1_hosts) >= HOSTS_LISTED_MAX:
            everywhere.append(each)
            continue
        for name in each.v1_hosts:
            on_host.setdefault(name, []).append(each)
    return on_host, everywhere


def _uncovered(window: Span, covered: Sequence[Span]) -> Iterator[Span]:
    at = window.start
    for each in sorted(covered, key=lambda span: span.start):
        if each.start > at:
            yield Span(at, min(each.start, window.end))
        at = max(at, each.end)
        if at >= window.end:
            return
    yield Span(at, window.end)
