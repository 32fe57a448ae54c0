"""Judges the calls. Each rule returns its sentence, or None if it does not apply."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Optional

from analyzer.report.findings import CAPTURE_HOST, Findings, Group, Host
from analyzer.report.formats.wording import at, label, lasting, listed, number
from analyzer.report.result import Difference
from analyzer.report.verdict.evidence import DAY, Evidence, is_refused_only, last_v1, maybe_interval

HOUR = datetime.timedelta(hours=1)
# How far clocks of hosts and of whoever judges may differ.
CLOCKS_DIFFER = datetime.timedelta(minutes=5)


def v1_calls(of: Evidence) -> Optional[str]:
    """Say who used v1 within the period."""
    if not of.is_v1_left or of.host.last_v1_at is None:
        return None
    callers = [each for each in of.present if not is_refused_only(each)]
    if of.present and not callers:
        return None
    last = f"the last on {at(of.host.last_v1_at)}"
    if not callers:
        return f"{of.host.requests.get('v1', 0)} calls used v1, {last}"
    return f"{_still(callers)} v1, {last}: {_named(callers, of.host)}"


def v1_rejected(of: Evidence) -> Optional[str]:
    """Say whose v1 calls are refused already."""
    callers = [each for each in of.present if is_refused_only(each)]
    if not of.is_v1_left or not callers:
        return None
    return (
        f"{_still(callers)} v1 and {'is' if len(callers) == 1 else 'are'} refused: they"
        f" fail already: {_named(callers, of.host)}"
    )


def unnamed_capture(of: Evidence) -> Optional[str]:
    """Say that nobody said which host was watched."""
    if of.host.name != CAPTURE_HOST:
        return None
    return "a capture does not say of which host it is: `imds-analyzer replay --host NAME` does"


def unaccounted_calls(of: Evidence) -> Optional[str]:
    """Say which calls AWS counted and the analyzer did not see."""
    missing = of.missing(is_within=True, is_covered=True)
    if not missing:
        return None
    return (
        f"AWS counted {_calls(missing)} without a token that were not recorded, though the"
        f" analyzer was running: {_periods(missing)}. Another instance's figures, or a caller"
        " that the analyzer cannot see"
    )


def unwatched_calls(of: Evidence) -> Optional[str]:
    """Say which calls AWS counted while nobody watched."""
    missing = of.missing(is_within=True, is_covered=False)
    if not missing:
        return None
    return (
        f"AWS counted {_calls(missing)} without a token while the analyzer was not running:"
        f" {_periods(missing)}"
    )


def unaccounted_earlier(of: Evidence) -> Optional[str]:
    """Say which calls from before the period were not seen."""
    missing = of.missing(is_within=False, is_covered=True)
    if not missing:
        return None
    return (
        f"before the period, AWS counted {_calls(missing)} without a token that were not"
        f" recorded, though the analyzer was running: {_periods(missing)}"
    )


def accounted(of: Evidence) -> Optional[str]:
    """Say that all that AWS counted was recorded."""
    if of.comparison is None or any(each.missing for each in of.comparison.differences):
        return None
    notes = f"; but {of.comparison.notes[0]}" if of.comparison.notes else ""
    return (
        f"all {of.comparison.counted} calls without a token that AWS counted in"
        f" {number(of.comparison.periods, 'period')} are accounted for{notes}"
    )


def damage(lines: int) -> str:
    """Say that lines could not be read."""
    return (
        f"{number(lines, 'line')} could not be read, and may have been v1 calls: repair or leave"
        " out the files that the report names"
    )


def damaged_input(of: Evidence) -> Optional[str]:
    """Say that lines could not be read, if so."""
    return damage(of.damaged) if of.damaged else None


def no_lines(findings: Findings) -> str:
    """Say that there is nothing to judge."""
    return (
        f"no host's lines in {number(findings.files, 'file')}: is this the analyzer's log, and"
        " do --since and --until leave any of it?"
    )


def clock_ahead(of: Evidence) -> Optional[str]:
    """Say that lines are from the future."""
    if of.host.last_at <= of.now + CLOCKS_DIFFER:
        return None
    return f"its last line is from the future, {at(of.host.last_at)}: set the clock"


def old_log(of: Evidence) -> Optional[str]:
    """Say that the log ends long ago."""
    if of.now - of.log_end <= DAY:
        return None
    return (
        f"the last line is from {at(of.log_end)}, {lasting(of.now - of.log_end)} ago: nothing is"
        " known of the time since"
    )


def lost_events(of: Evidence) -> Optional[str]:
    """Say that requests may be missing."""
    lost = [each for each in of.host.losses if each.is_request and each.at >= of.window.start]
    if not lost:
        return None
    reasons = ", ".join(sorted({each.reason for each in lost}))
    return (
        f"{number(sum(each.count for each in lost), 'event')} lost or not written, so requests"
        f" may be missing ({reasons}), last on {at(max(each.at for each in lost))}"
    )


def lost_answers(of: Evidence) -> Optional[str]:
    """Say that outcomes or callers may be missing."""
    lost = [each for each in of.host.losses if not each.is_request and each.at >= of.window.start]
    count = sum(each.count for each in lost)
    return f"outcome or caller of {number(count, 'request')} may be missing" if lost else None


def unknown_versions(of: Evidence) -> Optional[str]:
    """Say that requests could not be read."""
    last = of.host.last_unknown_at
    if last is None or last < of.period.start:
        return None
    count = of.host.requests.get("unknown", 0)
    return f"{number(count, 'request')} could not be read whole, the last on {at(last)}"


def no_requests(of: Evidence) -> Optional[str]:
    """Say that nothing called at all."""
    if any(of.host.requests.values()) or of.host.other_clouds:
        return None
    return (
        "no request at all was recorded: ask IMDS for a token on this host, and see whether that"
        " reaches the log"
    )


def recent_boot(of: Evidence) -> Optional[str]:
    """Say that it booted just now. The first boot is when it was first seen, not a boot."""
    last = max((each.at for each in of.host.boots[1:]), default=None)
    if last is None or of.period.end - last >= HOUR:
        return None
    return f"booted on {at(last)}, less than an hour before the end: not all may have called yet"


def rare_caller(of: Evidence) -> Optional[str]:
    """Say whose next v1 call may still come."""
    if not of.due:
        return None
    first = of.due[0]
    interval = maybe_interval(first) or DAY
    return (
        f"{number(len(of.due), 'rare caller')} used v1 before the period, and may again:"
        f" {_named(of.due, of.host)};"
        f" {lasting(interval)} must pass without a v1 call"
    )


def boot_caller(of: Evidence) -> Optional[str]:
    """Say who used v1 at boot, and was not seen to boot since."""
    if not of.waiting:
        return None
    return (
        f"{number(len(of.waiting), 'caller')} used v1 only on days when the host booted, and it"
        f" has not booted since: {_named(of.waiting, of.host)}"
    )


def stopped_calling(of: Evidence) -> Optional[str]:
    """Say who used v1 before the period."""
    if not of.stopped:
        return None
    return f"no longer used v1 within the period: {_named(of.stopped, of.host)}"


def recent_deployment(of: Evidence) -> Optional[str]:
    """Say that something was started in the last day."""
    deployed = of.host.deployed_at
    if deployed is None or of.period.end - deployed >= DAY:
        return None
    return (
        f"a process of a service or container was started on {at(deployed)}, less than a day"
        " before the end: what it calls later has not been seen"
    )


def boot_seen(of: Evidence) -> Optional[str]:
    """Say when a reboot was seen."""
    boots = [each.at for each in of.host.boots[1:] if each.at >= of.window.start]
    return f"a reboot on {at(max(boots))} was watched: callers at boot were seen" if boots else None


def no_boot_seen(of: Evidence) -> Optional[str]:
    """Say that no reboot was seen."""
    if boot_seen(of) is not None:
        return None
    return "no reboot within the window: what calls only at boot has not been seen"


def of_hosts(having: Sequence[Evidence], total: int, text: str) -> str:
    """Say of which hosts something is so, with the first one's text."""
    names = listed([each.host.name for each in having])
    first = "" if len(having) == 1 else f"{having[0].host.name}: "
    many = f"all {total} hosts" if len(having) == total else f"{len(having)} of {total} hosts"
    return f"{many} ({names}): {first}{text}"


def callers_of_hosts(having: Sequence[Evidence], total: int) -> str:
    """Say who still uses v1, and on which hosts."""
    callers = list({caller.key: caller for each in having for caller in each.present}.values())
    names = listed([each.host.name for each in having])
    if not callers:
        return f"{len(having)} of {total} hosts still have calls that use v1: {names}"
    return f"{_still(callers)} v1, on {len(having)} of {total} hosts ({names}): {_named(callers)}"


def _named(groups: Sequence[Group], host: Optional[Host] = None) -> str:
    """Name callers, with their last v1 calls; on one host, as far as that can be told."""
    parts = []
    for each in groups:
        last = each.last_v1_at if host is None else last_v1(each, host)
        calls = number(each.count("v1"), "call")
        parts.append(f"{label(each)} ({calls}, last on {at(last)})" if last else label(each))
    return listed(parts)


def _still(callers: Sequence[Group]) -> str:
    return f"{number(len(callers), 'caller')} still {'uses' if len(callers) == 1 else 'use'}"


def _calls(differences: Sequence[Difference]) -> str:
    return number(sum(each.missing for each in differences), "call")


def _periods(differences: Sequence[Difference]) -> str:
    parts = [
        f"{each.missing} in the {lasting(each.period.end - each.period.start)} from"
        f" {at(each.period.start)}"
        for each in differences
    ]
    return listed(parts)
