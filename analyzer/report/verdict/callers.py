"""Judges the callers that used IMDSv1. Each rule returns its sentence, or None."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional

from analyzer.report.formats.wording import at, lasting, number
from analyzer.report.result import CallerStanding, Standing
from analyzer.report.verdict.boots import is_launch_seen
from analyzer.report.verdict.evidence import Evidence
from analyzer.report.verdict.intervals import RARE
from analyzer.report.verdict.names import named


def v1_calls(of: Evidence) -> Optional[str]:
    """Say who used v1 within the period."""
    callers = of.having(Standing.CALLS)
    if not callers:
        return None
    last = at(max(caller.last_v1_at for caller in callers))
    return (
        f"{still(callers)} v1, the last on {last}: {named(callers, of.labels)}. Fix"
        f" {'it' if len(callers) == 1 else 'them'}"
    )


def v1_rejected(of: Evidence) -> Optional[str]:
    """Say whose v1 calls are refused already."""
    callers = of.having(Standing.REJECTED)
    if not callers:
        return None
    return (
        f"{still(callers)} v1 and {'is' if len(callers) == 1 else 'are'} refused, so they fail"
        f" already: {named(callers, of.labels)}. Fix them"
    )


def rare_caller(of: Evidence) -> Optional[str]:
    """Say whose next v1 call may still come, and until when."""
    callers = of.having(Standing.DUE)
    if not callers:
        return None
    notes = {caller.caller: _due(caller, of) for caller in callers}
    return (
        f"{number(len(callers), 'rare caller')} used v1 before the period, and may again:"
        f" {named(callers, of.labels, notes)}. Fix or accept them, or wait"
    )


def boot_caller(of: Evidence) -> Optional[str]:
    """Say who used v1 at boot, and was not seen to boot since."""
    callers = of.having(Standing.AWAITS_BOOT)
    if not callers:
        return None
    what = (
        "reboot it"
        if of.group is None
        else "launch an instance of its group: a reboot shows nothing of what runs at launch"
    )
    return (
        f"{number(len(callers), 'caller')} used v1 at boot, and no boot since was watched from"
        f" its start: {named(callers, of.labels)}. With the analyzer started at boot, {what}"
    )


def less_silence(of: Evidence) -> Optional[str]:
    """Say that ``--rare`` asks for less silence than a monthly caller may keep."""
    if of.rare >= RARE:
        return None
    return (
        f"only {lasting(of.rare)} of silence were asked for (--rare), not {lasting(RARE)}: a"
        " monthly caller that was seen once may call again"
    )


def accepted(of: Evidence) -> Optional[str]:
    """Say which callers somebody decided not to count."""
    callers = of.having(Standing.ACCEPTED)
    if not callers:
        return None
    notes = {
        caller.caller: f"accepted by {decided.by} until {decided.until}: {decided.why}"
        for caller in callers
        if (decided := caller.accepted) is not None
    }
    return f"{number(len(callers), 'caller')} accepted: {named(callers, of.labels, notes)}"


def mended(of: Evidence) -> Optional[str]:
    """Say which callers use v2 since."""
    callers = of.having(Standing.SPEAKS_V2)
    if not callers:
        return None
    notes = {
        caller.caller: f"v2 since {at(caller.since)}"
        for caller in callers
        if caller.since is not None
    }
    return f"switched to v2: {named(callers, of.labels, notes)}"


def stopped_calling(of: Evidence) -> Optional[str]:
    """Say who used v1, and has stopped."""
    callers = [*of.having(Standing.SILENT), *of.having(Standing.BOOTED)]
    if not callers:
        return None
    notes: Mapping[str, str] = {
        caller.caller: _booted(caller, of)
        for caller in callers
        if caller.standing is Standing.BOOTED
    }
    return f"no longer used v1: {named(callers, of.labels, notes)}"


def _booted(caller: CallerStanding, of: Evidence) -> str:
    boots = of.host.boots
    is_at_launch = is_launch_seen(boots) and boots[0].at <= caller.last_v1_at < boots[1].at
    if of.group is None and is_at_launch:
        return "not at the last boot, but perhaps again when its like is launched"
    return "not at the last boot"


def still(callers: Sequence[CallerStanding]) -> str:
    """Say how many callers still use something."""
    return f"{number(len(callers), 'caller')} still {'uses' if len(callers) == 1 else 'use'}"


def _due(caller: CallerStanding, of: Evidence) -> str:
    if caller.interval is None:
        asked = lasting(of.rare)
        how = f"seen too briefly to know how often it calls, so {asked} and a day are asked for"
    else:
        how = of.rhythms.get(caller.caller) or f"every {lasting(caller.interval)} at most"
    if caller.caller in of.unclear:
        how += ", its later calls were not clear"
    until = f", clear on {at(caller.safe_on)} if it does not call" if caller.safe_on else ""
    return how + until
