"""Judges the time watched. Each rule returns its sentence, or None if it does not apply."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from typing import Optional

from analyzer.report.formats.wording import at, lasting, number
from analyzer.report.hosts import Span
from analyzer.report.verdict.boots import unwatched_boot
from analyzer.report.verdict.evidence import Evidence, allowed_s, too_much
from analyzer.report.verdict.spans import DAY, total_s, uncovered, union

# A gap at the same hour on so many days hides a daily job, however short it is.
RECURRING_DAYS = 3
_SLOT = datetime.timedelta(minutes=30)
_NEAR = datetime.timedelta(minutes=15)
# A host that was off most of the time must still have been watched for a day.
WATCHED_MIN = DAY


def not_covered(of: Evidence) -> Optional[str]:
    """Say that nothing of the window was watched."""
    if of.covered_s > 0:
        return None
    return (
        "no heartbeat of the analyzer is in the window, so it is unknown whether it was running:"
        " start it, and leave its heartbeats in the log"
    )


def short(of: Evidence) -> Optional[str]:
    """Say that watching began too late, or that the host was off for too long."""
    if of.covered_s <= 0:
        return None
    whole = lasting(of.window.end - of.window.start)
    if too_much(of) and leading_s(of) > allowed_s(of):
        begin = of.gaps[0].end
        young = " The group cannot speak for it yet." if of.group and _began(of) else ""
        return (
            f"watched since {at(begin)} only, for {_length(of.covered_s)} of the {whole} that are"
            f" judged: wait, or ask for less with --period.{young}"
        )
    if of.off and not of.is_young and of.covered_s < min(WATCHED_MIN, of.least).total_seconds():
        return (
            f"off for {_length(total_s(of.off))}, and watched for {_length(of.covered_s)} of the"
            f" {whole} that are judged: let it run for a day"
        )
    return None


def gaps(of: Evidence) -> Optional[str]:
    """Say that watching was interrupted too long, or not long enough in all."""
    if of.covered_s <= 0 or not too_much(of):
        return None
    inner = _inner(of)
    is_said = short(of) is not None or silent(of) is not None
    if is_said and total_s(inner) <= allowed_s(of):
        return None
    said = inner if total_s(inner) > allowed_s(of) else of.gaps
    longest = max(said, key=lambda gap: gap.seconds)
    return (
        f"not watched for {_length(total_s(said))} in {number(len(said), 'gap')}, the longest from"
        f" {at(longest.start)} to {at(longest.end)}: see why the analyzer stopped, and wait"
    )


def recurring_gap(of: Evidence) -> Optional[str]:
    """Say that a gap hides a boot, or one hour of the day, however short it is."""
    if of.covered_s <= 0:
        return None
    boot = unwatched_boot(of.host, of.window, union((*of.host.covered, *of.closed)))
    if boot is not None:
        return (
            f"the boot of {at(boot.at)} was not watched from its start: let the analyzer start at"
            " boot, and reboot the instance"
        )
    slot = recurring(of.gaps)
    if slot is None:
        return None
    hour = f"{slot // 2:02d}:{slot % 2 * 30:02d} UTC"
    return (
        f"not watched around {hour} on {RECURRING_DAYS} days or more, so a job at this hour is"
        " never seen: see what stops the analyzer then"
    )


def silent(of: Evidence) -> Optional[str]:
    """Say that watching ended too early."""
    if of.covered_s <= 0 or not too_much(of):
        return None
    trailing = [gap for gap in of.gaps if gap.end == of.window.end]
    if total_s(trailing) <= allowed_s(of) or trailing[-1].start == of.window.start:
        return None
    return (
        f"not watched since {at(trailing[-1].start)}: if the instance is gone, say so with"
        " --instances or leave its files out; else see why the analyzer stopped"
    )


def small_gaps(of: Evidence) -> Optional[str]:
    """Say that watching was interrupted a little."""
    if not of.gaps or too_much(of):
        return None
    return f"not watched for {_length(total_s(of.gaps))}, in {number(len(of.gaps), 'gap')}"


def was_off(of: Evidence) -> Optional[str]:
    """Say that the host was off: a clean stop, and a boot later."""
    inside = [span for span in of.off if span.end > of.window.start]
    if not inside:
        return None
    return f"it was off for {_length(total_s(inside))}, which is no gap: nothing ran"


def closed_by_cloudwatch(of: Evidence) -> Optional[str]:
    """Say that CloudWatch shows what nobody watched."""
    open_s = total_s(uncovered(of.window, union((*of.host.covered, *of.off))))
    closed_s = open_s - total_s(of.gaps)
    if closed_s <= 0:
        return None
    return (
        f"for {_length(closed_s)} in which it was not watched, AWS counted no call of it without"
        " a token"
    )


def young(of: Evidence) -> Optional[str]:
    """Say that the instance is younger than the period, and its group speaks for it."""
    if not of.is_young or of.group is None:
        return None
    pool, launches = of.group.pool, of.group.watched_launches
    return (
        f"it was launched within the period and watched since; its {pool.kind} {pool.name} was"
        f" watched all the time, with {number(launches, 'launch', 'launches')}"
    )


def leading_s(of: Evidence) -> float:
    """Return how long the window's begin was not watched."""
    return total_s(gap for gap in of.gaps if gap.start == of.window.start)


def _inner(of: Evidence) -> list[Span]:
    edges = (of.window.start, of.window.end)
    return [gap for gap in of.gaps if gap.start != edges[0] and gap.end != edges[1]]


def _began(of: Evidence) -> bool:
    return bool(of.host.boots) and of.host.boots[0].at > of.period.start


def recurring(stretches: Sequence[Span]) -> Optional[int]:
    """Return a half hour of the day that gaps on several days touch."""
    days: dict[int, set[datetime.date]] = {}
    for gap in stretches:
        if gap.seconds >= DAY.total_seconds():  # too long by itself
            continue
        for moment in _slots(gap):
            slot = moment.hour * 2 + moment.minute // 30
            days.setdefault(slot, set()).add(moment.date())
    often = (slot for slot, dates in sorted(days.items()) if len(dates) >= RECURRING_DAYS)
    return next(often, None)


def _slots(gap: Span) -> Iterable[datetime.datetime]:
    start = gap.start - _NEAR
    moment = start.replace(minute=start.minute // 30 * 30, second=0, microsecond=0)
    while moment < gap.end + _NEAR:
        yield moment
        moment += _SLOT


def _length(seconds: float) -> str:
    return lasting(datetime.timedelta(seconds=seconds))
