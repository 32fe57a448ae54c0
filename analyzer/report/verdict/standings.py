"""Decides what each caller that used IMDSv1 means for the verdict on one host."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from analyzer.report.callers import FURTHER, Sighting
from analyzer.report.hosts import Boot, Host, Span
from analyzer.report.result import Acceptance, CallerStanding, Standing
from analyzer.report.verdict.boots import calls_at_launch, clears, is_boot_caller
from analyzer.report.verdict.intervals import LATE_SHARE, Rhythm, margin, quiet_since, rhythm
from analyzer.report.verdict.spans import DAY, after, extent, is_covered, longest_pause, union

# Time after the last heartbeat is not yet known to be watched.
_BEAT = datetime.timedelta(hours=1)
_NEVER = datetime.datetime.max.replace(tzinfo=datetime.timezone.utc)


@dataclass(frozen=True)
class Launch:
    """A boot, and when the host was watched on which it was."""

    boot: Boot
    covered: tuple[Span, ...]


@dataclass(frozen=True)
class Ground:
    """Facts for judging the callers of one host, or of its group's former instances.

    ``names`` are the host's, for ``--accept``. ``until`` is the last line's time. ``watched`` is
    when a call would have been seen, ``launches`` are the boots that can clear a caller at boot.
    ``of_group`` are those of its group, None without one. ``off`` is when the host was off: such
    time is no silence.
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
    off: tuple[Span, ...] = ()
    of_group: Optional[tuple[Launch, ...]] = None

    @property
    def period(self) -> datetime.timedelta:
        """The time for which no caller may have used IMDSv1."""
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
            safe_on = max(caller.last_v1_at + on.period, _clear_on(caller, rhythm_v1, on))
        elif _has_booted(caller, on):
            safe_on = caller.last_v1_at + on.period
    elif at_boot:
        kind = Standing.BOOTED if _has_booted(caller, on) else Standing.AWAITS_BOOT
    else:
        safe_on = _clear_on(caller, rhythm_v1, on)
        kind = Standing.DUE
        if safe_on < on.until:
            kind, safe_on = Standing.SILENT, None
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
    less than the interval is enough because runs are early or late. Calls of both kinds in turn
    show nothing: programs fall back, and some use IMDSv1 when they start.
    """
    if not caller.v2 or caller.v2[0].start <= caller.last_v1_at:
        return None
    if quiet_since(caller) > caller.v2[-1].end:
        return None
    interval = longest_pause(union((*caller.v1, *caller.v2)))
    long_enough = max(interval * (LATE_SHARE - 1) / LATE_SHARE, DAY)
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
    launches = on.launches
    # A reboot shows nothing of what runs at launch, and the group launches again.
    if on.of_group is not None and calls_at_launch(caller, on.boots):
        launches = on.of_group
    return any(
        clears(launch.boot, launch.covered, caller, is_boot_only=caller.is_boot_only)
        for launch in launches
    )


def _clear_on(caller: Sighting, of: Rhythm, on: Ground) -> datetime.datetime:
    """Return when its next call would have been seen, if all is watched from now on."""
    last = quiet_since(caller)
    silent_on = after(last, of.silence(on.rare), on.off)
    if of.interval is None:
        return silent_on
    # A gap of a minute can hide the one run of a job. One of its times must have been watched.
    watched = (*on.watched, Span(_watched_until(on), _NEVER))
    run = 1
    while not all(is_covered(span, watched) for span in of.due(run, last)):
        run += 1
    next_at = last + of.interval + (run - 1) * max(of.interval, DAY)
    seen_at = max(span.end for span in of.due(run, last))
    return max(silent_on, next_at + margin(of.interval), seen_at)


def _watched_until(on: Ground) -> datetime.datetime:
    """Return the end, or the last heartbeat before it."""
    if on.watched and on.until - _BEAT <= on.watched[-1].end < on.until:
        return on.watched[-1].end
    return on.until
