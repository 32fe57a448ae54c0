"""Finds when a verdict becomes SAFE, if nothing calls IMDSv1 and all is watched until then."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Callable, Optional

from analyzer.report.hosts import Span
from analyzer.report.result import CLEARED, Reason, Standing
from analyzer.report.verdict.boots import ATTACH_MAX, BOOT_LASTS, off, unwatched_boot
from analyzer.report.verdict.coverage import recurring
from analyzer.report.verdict.evidence import TOLERANCE, Evidence
from analyzer.report.verdict.intervals import Rhythm
from analyzer.report.verdict.lines import NOT_UNDERSTOOD, UNREADABLE_LOSS
from analyzer.report.verdict.remarks import HOUR, last_boot
from analyzer.report.verdict.spans import DAY, after, before, total_s, uncovered, union

Maybe = Optional[datetime.datetime]


def safe_on(of: Evidence, against: Sequence[Reason]) -> Maybe:
    """Return the date for one host; ``against`` are the reasons that keep it from SAFE.

    None if one of them does not pass with time alone. Never before the verdict's end: what does not
    pass by then is looked at again a day later.
    """
    if not against:
        return None
    dates = [_DATES[reason.code](of) if reason.code in _DATES else None for reason in against]
    found = latest(dates)
    if found is None:
        return None
    # A decision that ends before then no longer helps.
    ended = [
        caller.last_v1_at + max(_period(of), Rhythm(caller.interval).silence(of.rare))
        for caller in of.having(Standing.ACCEPTED)
        if caller.accepted is not None and caller.accepted.until < found.date()
    ]
    found = max([found, *ended])
    return found if found > of.window.end else of.window.end + DAY


def latest(dates: Iterable[Maybe]) -> Maybe:
    """Return the latest date; None if there is none, or if one of them is not known."""
    known = []
    for date in dates:
        if date is None:
            return None
        known.append(date)
    return max(known, default=None)


def _period(of: Evidence) -> datetime.timedelta:
    return of.own_end - of.period.start


def _silence(of: Evidence) -> datetime.timedelta:
    """Return the longest silence that is asked for; time in which the host was off is none."""
    silences = [
        Rhythm(caller.interval).silence(of.rare)
        for caller in of.callers
        if caller.standing not in CLEARED or caller.standing is Standing.SILENT
    ]
    return max(silences, default=datetime.timedelta(0))


def _length(of: Evidence) -> datetime.timedelta:
    """Return how long all must be in order: the period, or a caller's silence."""
    return max(_period(of), _silence(of))


def _passed(of: Evidence, at: datetime.datetime) -> datetime.datetime:
    """Return when all was in order for long enough since."""
    return max(at + _period(of), after(at, _silence(of), off(of.host.boots)))


def _callers(of: Evidence) -> Maybe:
    return latest(caller.safe_on for caller in of.callers if caller.standing not in CLEARED)


def _watched(of: Evidence) -> Maybe:
    """Return when the gaps that are too much have left the window."""
    length = _length(of)
    start = before(of.own_end, length, off(of.host.boots))
    window = Span(min(of.window.start, start), of.window.end)
    gaps = uncovered(window, union((*of.host.covered, *of.off, *of.closed)))
    if gaps and gaps[-1].end == window.end:  # nobody watches now
        if total_s(gaps[-1:]) > TOLERANCE * _period(of).total_seconds():
            return None
        gaps = gaps[:-1]
    date = of.window.end
    boot = unwatched_boot(of.host, window, union((*of.host.covered, *of.closed)))
    if boot is not None:
        date = max(date, _passed(of, boot.at + ATTACH_MAX + BOOT_LASTS))
    for place, gap in enumerate(gaps):
        if _is_fine(gaps[place:], length):
            break
        date = max(date, _passed(of, gap.end))
    return date


def _is_fine(gaps: Sequence[Span], length: datetime.timedelta) -> bool:
    return (
        total_s(gaps) <= TOLERANCE * length.total_seconds()
        and all(gap.seconds < DAY.total_seconds() for gap in gaps)
        and recurring(gaps) is None
    )


def _lost(of: Evidence) -> Maybe:
    times = [each.at for each in of.host.losses if each.is_request]
    times += [each.last_at for each in of.host.odd if each.kind == UNREADABLE_LOSS]
    return _passed(of, max(times))


def _missing(of: Evidence) -> Maybe:
    return _passed(of, max(each.span.end for each in of.host.shortfalls))


def _odd(of: Evidence) -> Maybe:
    times = [each.last_at for each in of.host.odd if each.kind == NOT_UNDERSTOOD]
    return _passed(of, max(times))


def _unknown(of: Evidence) -> Maybe:
    last = of.host.last_unknown_at
    return None if last is None else last + _period(of)


def _booted(of: Evidence) -> Maybe:
    last = last_boot(of)
    return None if last is None else last + HOUR


def _counted(of: Evidence) -> Maybe:
    missing = of.missing(is_within=True, is_covered=True) + of.missing(
        is_within=True, is_covered=False
    )
    return max(each.period.end for each in missing) + _period(of)


# Reasons that pass with time. All others need somebody to do something.
_DATES: Mapping[str, Callable[[Evidence], Maybe]] = {
    "v1_calls": _callers,
    "v1_rejected": _callers,
    "rare_caller": _callers,
    "boot_caller": _callers,
    "short": _watched,
    "gaps": _watched,
    "recurring_gap": _watched,
    "lost_events": _lost,
    "missing_lines": _missing,
    "not_understood": _odd,
    "unknown_versions": _unknown,
    "recent_boot": _booted,
    "unwatched_calls": _counted,
}
