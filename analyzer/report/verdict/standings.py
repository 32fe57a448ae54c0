"""Decides what each caller that used IMDSv1 means for the verdict on one host."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from analyzer.report.findings import FURTHER, Boot, Host, Sighting, Span
from analyzer.report.result import Acceptance, CallerStanding, Standing
from analyzer.report.verdict.boots import clears, is_boot_caller
from analyzer.report.verdict.intervals import LATE_SHARE, Rhythm, margin, rhythm
from analyzer.report.verdict.spans import DAY, extent, is_covered, longest_pause, union

# The worst first.
ORDER = (
    Standing.CALLS,
    Standing.REJECTED,
    Standing.DUE,
    Standing.AWAITS_BOOT,
    Standing.ACCEPTED,
    Standing.SPEAKS_V2,
    Standing.BOOTED,
    Standing.SILENT,
)

# So far around the time of its next run, a job must have been watched.
_NEAR = datetime.timedelta(minutes=5)


@dataclass(frozen=True)
class Launch:
    """A boot, and when the host was watched on which it was."""

    boot: Boot
    covered: tuple[Span, ...]


@dataclass(frozen=True)
class Ground:
    """What the callers of one host, or of the former instances of its group, are judged by.

    ``names`` are the host's, for ``--accept``. ``until`` is the last line's time. ``watched`` is
    when a call would have been seen, ``launches`` are the boots that can clear a caller at boot.
    """

    host: str
    names: frozenset[str]
    period_start: datetime.datetime
    until: datetime.datetime
    watched: tuple[Span, ...]
    boots: tuple[Boot, ...]
    launches: tuple[Launch, ...]
    rare: datetime.timedelta
    today: datetime.date
    accepted: tuple[Acceptance, ...]
    programs: Mapping[str, str]

    @property
    def period(self) -> datetime.timedelta:
        """How long no caller may have used IMDSv1."""
        return self.until - self.period_start


def standing(caller: Sighting, on: Ground, former: Optional[str] = None) -> CallerStanding:
    """Return what a caller means for the host; ``former`` is where it was seen, if elsewhere."""
    rhythm_v1 = rhythm(caller.v1)
    acceptance = _acceptance(caller.caller, on)
    since = switched_at(caller)
    at_boot = is_boot_caller(caller, on.boots)
    safe_on: Optional[datetime.datetime] = None
    if acceptance is not None:
        kind = Standing.ACCEPTED
    elif since is not None and not at_boot:
        kind = Standing.SPEAKS_V2
    elif caller.last_v1_at >= on.period_start:
        is_refused = caller.v1_rejected >= caller.all_v1 > 0
        kind = Standing.REJECTED if is_refused else Standing.CALLS
        if not at_boot:
            safe_on = caller.last_v1_at + max(on.period, rhythm_v1.silence(on.rare))
        elif _has_booted(caller, on):
            safe_on = caller.last_v1_at + on.period
    elif at_boot:
        kind = Standing.BOOTED if _has_booted(caller, on) else Standing.AWAITS_BOOT
    else:
        safe_on = _due_until(caller, rhythm_v1, on)
        kind = Standing.SILENT if safe_on is None else Standing.DUE
    return CallerStanding(
        caller=caller.caller,
        host=on.host,
        standing=kind,
        calls=caller.all_v1,
        last_v1_at=caller.last_v1_at,
        interval=rhythm_v1.interval,
        since=since if kind is Standing.SPEAKS_V2 else None,
        safe_on=safe_on,
        accepted=acceptance,
        former=former,
    )


def switched_at(caller: Sighting) -> Optional[datetime.datetime]:
    """Return since when it calls IMDSv2 only; None as long as that is not shown.

    It must have called IMDSv1, and then IMDSv2, for its longest interval and for a day. An eighth
    less is enough because runs are early or late. Calls of both kinds in turn show nothing:
    programs fall back, and some use IMDSv1 when they start.
    """
    if not caller.v2 or caller.v2[0].start <= caller.last_v1_at:
        return None
    interval = longest_pause(union((*caller.v1, *caller.v2)))
    long_enough = max(interval, DAY) * (LATE_SHARE - 1) / LATE_SHARE
    if extent(caller.v1) < long_enough or extent(caller.v2) < long_enough:
        return None
    return caller.v2[0].start


def unnamed(host: Host, callers: Sequence[Sighting]) -> Optional[Sighting]:
    """Return the IMDSv1 calls of a host that no caller accounts for, as of one more caller."""
    last = host.last_v1_at
    if last is None:
        return None
    calls = host.requests.get("v1", 0) - sum(caller.all_v1 for caller in callers)
    if calls <= 0 and any(caller.last_v1_at >= last for caller in callers):
        return None
    return Sighting(FURTHER, host.key, (Span(last, last),), (), max(1, calls))


def _acceptance(caller: str, on: Ground) -> Optional[Acceptance]:
    """Return the decision that a caller does not matter, the one that ends last."""
    known_as = {caller, on.programs.get(caller, caller)} - {FURTHER}
    found = [
        each
        for each in on.accepted
        if each.caller in known_as
        and on.today <= each.until
        and (not each.hosts or not on.names.isdisjoint(each.hosts))
    ]
    return max(found, key=lambda each: each.until, default=None)


def _has_booted(caller: Sighting, on: Ground) -> bool:
    return any(
        clears(launch.boot, launch.covered, caller, is_boot_only=caller.is_boot_only)
        for launch in on.launches
    )


def _due_until(caller: Sighting, of: Rhythm, on: Ground) -> Optional[datetime.datetime]:
    """Return until when its next call may come; None if it would have been seen by now."""
    due = caller.last_v1_at + of.silence(on.rare)
    if on.until <= due:
        return due
    if of.interval is None:
        return None
    # A gap of a minute can hide the one run of a job. One of its times must have been watched.
    next_at = caller.last_v1_at + of.interval
    while next_at + margin(of.interval) < on.until:
        if is_covered(Span(next_at - _NEAR, next_at + _NEAR), on.watched):
            return None
        next_at += max(of.interval, DAY)
    return next_at + margin(of.interval)
