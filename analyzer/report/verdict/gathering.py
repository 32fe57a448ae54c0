"""Gathers the evidence on one host: its callers, its group's, and what had to be watched."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import replace
from typing import Optional

from analyzer.report.callers import Sighting
from analyzer.report.hosts import Host, Span
from analyzer.report.result import STANDINGS, CallerStanding, Standing
from analyzer.report.verdict.boots import ATTACH_MAX, BOOT_LASTS, off
from analyzer.report.verdict.case import Case
from analyzer.report.verdict.evidence import TOLERANCE, Evidence
from analyzer.report.verdict.groups import Pool, Together, former_callers, names_of
from analyzer.report.verdict.intervals import Rhythm, quiet_since, rhythm
from analyzer.report.verdict.named import maybe_named
from analyzer.report.verdict.spans import before, is_covered, overlaps, total_s, uncovered, union
from analyzer.report.verdict.standings import Ground, Launch, standing, unnamed


def together(case: Case, pool: Pool) -> Together:
    """Return what is known of a group."""
    until = min(case.end, max(host.last_at for host in pool.hosts))
    window = Span(until - case.period, case.end)
    gone_s = total_s(uncovered(window, pool.watched(window.start)))
    launches = pool.watched_launches(window)
    return Together(
        pool=pool,
        launches=pool.launches(),
        former=_callers_of_former(case, pool),
        watched_launches=launches,
        watched_s=window.seconds - gone_s,
        is_watched=gone_s <= TOLERANCE * case.period.total_seconds() and launches > 0,
    )


def evidence_of(case: Case, host: Host, shown: str, group: Optional[Together]) -> Evidence:
    """Return what is known of one host; ``shown`` is its name where others have it, too."""
    period = Span(min(case.end, host.last_at) - case.period, case.end)
    own = own_callers(case, host, group)
    former = () if group is None else group.former
    is_young = group is not None and group.is_watched and _is_young(case, host, period)
    window = _window(case, host, own, period)
    if is_young:
        attached = host.boots[0].at + ATTACH_MAX
        window = Span(min(max(window.start, attached), window.end), window.end)
    return Evidence(
        host=host,
        name=shown,
        now=case.now,
        log_end=case.last_at,
        period=period,
        window=window,
        callers=tuple(_ranked([*own, *(replace(each, host=host.key) for each in former)])),
        labels=case.labels,
        rhythms=_rhythms(case, host),
        rare=case.rare,
        off=_off(case, host),
        unclear=_unclear(case, host),
        closed=_closed(case, host),
        damaged=case.findings.damaged,
        unread=case.findings.unread,
        comparison=case.comparison,
        group=group,
        is_young=is_young,
        scans=case.scans,
        named=maybe_named(host, case.places.instances.get(host.key)),
    )


def own_callers(case: Case, host: Host, group: Optional[Together]) -> tuple[CallerStanding, ...]:
    """Return the callers that used IMDSv1 on a host, the worst first."""
    names = frozenset(names_of(host))
    launches = tuple(Launch(boot, host.covered) for boot in host.boots)
    if group is not None:
        names |= {group.pool.name}
        launches += group.launches
    until = min(case.end, host.last_at)
    ground = Ground(
        host=host.key,
        names=names,
        period_start=until - case.period,
        until=until,
        watched=union((*host.covered, *_closed(case, host))),
        boots=host.boots,
        launches=launches,
        rare=case.rare,
        today=case.now.date(),
        accepted=case.accepted,
        programs=case.programs,
        off=off(host.boots),
        of_group=None if group is None else group.launches,
    )
    return tuple(_ranked(standing(each, ground) for each in _sightings(case, host)))


def window_of_gone(case: Case, host: Host) -> Span:
    """Return the period of an instance that does not run: it ends with its last line."""
    until = min(case.end, host.last_at)
    return Span(until - case.period, until)


def _callers_of_former(case: Case, pool: Pool) -> tuple[CallerStanding, ...]:
    """Return the callers of a group's former instances, judged by the group's later ones."""
    until = min(case.end, max(host.last_at for host in pool.hosts))
    watched = pool.watched(until - case.period)
    ground = Ground(
        host=pool.name,
        names=pool.names,
        period_start=until - case.period,
        until=until,
        watched=watched,
        boots=pool.boots,
        launches=pool.launches(),
        rare=case.rare,
        today=case.now.date(),
        accepted=case.accepted,
        programs=case.programs,
    )
    return tuple(
        _watched_by_group(standing(sighting, ground, former), ground)
        for sighting, former in former_callers(pool, case.callers, case.successors)
    )


def _watched_by_group(caller: CallerStanding, on: Ground) -> CallerStanding:
    """Return the caller as due if the group was not watched through its silence."""
    if caller.standing is not Standing.SILENT:
        return caller
    silence = max(on.period, Rhythm(caller.interval).silence(on.rare))
    window = Span(on.until - silence, on.until)
    gaps = uncovered(window, on.watched)
    ended: Optional[datetime.datetime] = None
    while total_s(gaps) > TOLERANCE * window.seconds:
        ended, gaps = gaps[0].end, gaps[1:]
    if ended is None:
        return caller
    return replace(caller, standing=Standing.DUE, safe_on=ended + silence)


def _sightings(case: Case, host: Host) -> tuple[Sighting, ...]:
    found = tuple(case.callers.get(host.key, ()))
    further = unnamed(host, found)
    return found if further is None else (*found, further)


def _ranked(callers: Iterable[CallerStanding]) -> list[CallerStanding]:
    """Return the worst first, and of these the one that called last."""
    by_time = sorted(callers, key=lambda each: (each.last_v1_at, each.caller), reverse=True)
    return sorted(by_time, key=lambda each: STANDINGS.index(each.standing))


def _window(case: Case, host: Host, callers: Iterable[CallerStanding], period: Span) -> Span:
    """Return what must have been watched: the period, or the longest silence that counts."""
    silences = [
        Rhythm(caller.interval).silence(case.rare)
        for caller in callers
        if caller.standing is Standing.SILENT
    ]
    until = min(case.end, host.last_at)
    starts = (before(until, silence, off(host.boots)) for silence in silences)
    return Span(min([period.start, *starts]), period.end)


def _closed(case: Case, host: Host) -> tuple[Span, ...]:
    return () if case.comparison is None else tuple(case.comparison.silent.get(host.key, ()))


def _off(case: Case, host: Host) -> tuple[Span, ...]:
    """Return when it was off, as far as AWS counted no call of it that is missing."""
    differences = () if case.comparison is None else case.comparison.of_host(host.key)
    counted = [each.period for each in differences if each.missing and each.host == host.key]
    return tuple(
        span for span in off(host.boots) if not any(overlaps(span, each) for each in counted)
    )


def _unclear(case: Case, host: Host) -> frozenset[str]:
    """Return the callers whose calls after the last IMDSv1 call were not clear."""
    return frozenset(
        each.caller
        for each in case.callers.get(host.key, ())
        if quiet_since(each) > each.last_v1_at
    )


def _rhythms(case: Case, host: Host) -> dict[str, str]:
    named = ((each.caller, rhythm(each.v1).name) for each in case.callers.get(host.key, ()))
    return {caller: name for caller, name in named if name is not None}


def _is_young(case: Case, host: Host, period: Span) -> bool:
    """Tell whether it was launched within the period, and watched from its start."""
    first = host.boots[0] if host.boots else None
    if first is None or first.booted_at is None or first.attached_s is None:
        return False
    if first.attached_s > ATTACH_MAX.total_seconds() or first.booted_at <= period.start:
        return False
    attached = first.booted_at + ATTACH_MAX
    until = min(attached + BOOT_LASTS, case.end, host.last_at)
    return attached >= until or is_covered(Span(attached, until), host.covered)
