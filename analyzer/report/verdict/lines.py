"""Judges lines that are lost, missing or not to be believed. Each rule returns its sentence."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Optional

from analyzer.report.findings import Damage, Findings
from analyzer.report.formats.wording import at, lasting, listed, number
from analyzer.report.hosts import CAPTURE_HOST, Odd, Shortfall
from analyzer.report.verdict.coverage import silent
from analyzer.report.verdict.evidence import Evidence
from analyzer.report.verdict.spans import DAY

# How far clocks of hosts and of whoever judges may differ.
CLOCKS_DIFFER = datetime.timedelta(minutes=5)

NOT_UNDERSTOOD, BEFORE_BOOT, TOO_EARLY = "not_understood", "before_boot", "too_early"
UNREADABLE_LOSS = "unreadable_loss"
_IMPOSSIBLE = {BEFORE_BOOT: "before its boot", TOO_EARLY: "from before IMDSv2 existed"}


def damage(lines: int) -> str:
    """Say that lines could not be read."""
    return (
        f"{number(lines, 'line')} could not be read, and may have been v1 calls: repair or leave"
        " out the files that the report names"
    )


def damaged_input(of: Evidence) -> Optional[str]:
    """Say that lines could not be read, if so."""
    return damage(of.damaged) if of.damaged else None


def unread(files: Sequence[Damage]) -> str:
    """Say that files were not read."""
    named = listed([f"{each.file} ({each.problem})" for each in files])
    return (
        f"{number(len(files), 'file was', 'files were')} not read, and may have v1 calls: {named}."
        " Repair them, or name only the files that are logs"
    )


def unread_files(of: Evidence) -> Optional[str]:
    """Say that files were not read, if so."""
    return unread(of.unread) if of.unread else None


def no_lines(findings: Findings) -> str:
    """Say that there is nothing to judge."""
    return (
        f"no host's lines in {number(findings.files, 'file')}: is this the analyzer's log, and"
        " do --since and --until leave any of it?"
    )


def left_out(findings: Findings) -> str:
    """Say that the end that was asked for hides IMDSv1 calls."""
    calls = sum(findings.left_out.values())
    on = f" on {number(len(findings.left_out), 'host')}" if len(findings.left_out) > 1 else ""
    were = "was" if calls == 1 else "were"
    return f"{number(calls, 'later IMDSv1 call')}{on} {were} left out by --until"


def ambiguous_host(of: Evidence) -> Optional[str]:
    """Say that two hosts have one name."""
    if of.host.overlap is None:
        return None
    return (
        f"two hosts have this name and no instance id, both with lines from"
        f" {at(of.host.overlap.start)} to {at(of.host.overlap.end)}: let the analyzer record"
        " instance ids, or give the files one at a time"
    )


def clock_ahead(of: Evidence) -> Optional[str]:
    """Say that lines are from the future."""
    if of.host.last_at <= of.now + CLOCKS_DIFFER:
        return None
    return f"its last line is from the future, {at(of.host.last_at)}: set the clock"


def impossible_time(of: Evidence) -> Optional[str]:
    """Say that lines have a time at which they cannot have been written."""
    odd = [each for each in of.host.odd if each.kind in _IMPOSSIBLE]
    if not odd:
        return None
    parts = [
        f"{number(each.count, 'line')} {_IMPOSSIBLE[each.kind]}, the last of {at(each.last_at)}"
        for each in odd
    ]
    return f"{listed(parts)}: set the clock, and judge the log from then on"


def not_understood(of: Evidence) -> Optional[str]:
    """Say that lines are in words that this version does not know."""
    odd = [each for each in _odd(of, NOT_UNDERSTOOD) if of.is_of_window(each.last_at)]
    if not odd:
        return None
    return (
        f"{number(sum(each.count for each in odd), 'line')} that this version does not understand"
        f" ({listed([each.example for each in odd])}), the last on"
        f" {at(max(each.last_at for each in odd))}: update imds-analyzer here, or see who wrote"
        " them"
    )


def unnamed_capture(of: Evidence) -> Optional[str]:
    """Say that nobody said which host was watched."""
    if of.host.name != CAPTURE_HOST:
        return None
    return "a capture does not say of which host it is: `imds-analyzer replay --host NAME` does"


def old_log(of: Evidence) -> Optional[str]:
    """Say that its lines end long ago. Beside a log that goes on, it fell silent instead."""
    if of.now - of.own_end <= DAY:
        return None
    if of.now - of.log_end <= DAY and silent(of) is not None:
        return None
    return (
        f"the last line is from {at(of.own_end)}, {lasting(of.now - of.own_end)} ago: collect the"
        " logs again, because nothing is known of the time since"
    )


def lost_events(of: Evidence) -> Optional[str]:
    """Say that requests may be missing."""
    lost = [each for each in of.host.losses if each.is_request and of.is_of_window(each.at)]
    unreadable = [each for each in _odd(of, UNREADABLE_LOSS) if of.is_of_window(each.last_at)]
    if not lost and not unreadable:
        return None
    parts = []
    if lost:
        count = sum(each.count for each in lost)
        reasons = ", ".join(sorted({each.reason for each in lost}))
        parts.append(f"{number(count, 'event')} lost or not written ({reasons})")
    if unreadable:
        count = sum(each.count for each in unreadable)
        parts.append(f"{number(count, 'loss', 'losses')} without a readable number")
    last = max((*(each.at for each in lost), *(each.last_at for each in unreadable)))
    return (
        f"{' and '.join(parts)}, so requests may be missing, last on {at(last)}: raise the"
        " analyzer's buffer or CPU, and wait"
    )


def missing_lines(of: Evidence) -> Optional[str]:
    """Say that the analyzer counted requests whose lines are not in the log."""
    short = [each for each in of.host.shortfalls if of.is_of_window(each.span.end)]
    if not short:
        return None
    return (
        f"the analyzer counted {number(sum(each.missing for each in short), 'request')} whose"
        f" lines are not here: {listed([_shortfall(each) for each in short])}. Give the whole"
        " log, without a filter"
    )


def lost_answers(of: Evidence) -> Optional[str]:
    """Say that outcomes or callers may be missing."""
    lost = [each for each in of.host.losses if not each.is_request and of.is_of_window(each.at)]
    count = sum(each.count for each in lost)
    return f"outcome or caller of {number(count, 'request')} may be missing" if lost else None


def unknown_versions(of: Evidence) -> Optional[str]:
    """Say that requests could not be read."""
    last = of.host.last_unknown_at
    if last is None or last < of.period.start:
        return None
    count = of.host.requests.get("unknown", 0)
    return (
        f"{number(count, 'request')} could not be read whole, the last on {at(last)}: see their"
        " caller, as they may be v1"
    )


def no_requests(of: Evidence) -> Optional[str]:
    """Say that nothing shows that capturing works. IMDSv1 calls of long ago do not."""
    last = of.host.last_v1_at
    if of.is_young or of.host.requests.get("v2", 0) or of.host.other_clouds:
        return None
    if last is not None and last >= of.period.start:
        return None
    return (
        "no request with a token was recorded: ask IMDS for a token on this host, and see whether"
        " that reaches the log"
    )


def _odd(of: Evidence, kind: str) -> list[Odd]:
    return [each for each in of.host.odd if each.kind == kind]


def _shortfall(each: Shortfall) -> str:
    return (
        f"{each.missing} of {each.counted} {each.version} from {at(each.span.start)} to"
        f" {at(each.span.end)}"
    )
