"""Says what a verdict cannot know, and judges boots and deployments just before its end."""

from __future__ import annotations

import datetime
from typing import Optional

from analyzer.report.formats.wording import at
from analyzer.report.hosts import Span
from analyzer.report.verdict.boots import is_watched
from analyzer.report.verdict.evidence import TOLERANCE, Evidence
from analyzer.report.verdict.spans import DAY, total_s, uncovered

HOUR = datetime.timedelta(hours=1)
_TRACEPOINT, _PACKETS = "core/tracepoint", "packet/"


def recent_boot(of: Evidence) -> Optional[str]:
    """Say that it booted just now. If a group speaks for it, its age does not matter."""
    last = last_boot(of)
    if of.is_young or last is None or of.own_end - last >= HOUR:
        return None
    return (
        f"booted on {at(last)}, less than an hour before the end: wait, because not all may have"
        " called yet"
    )


def last_boot(of: Evidence) -> Optional[datetime.datetime]:
    """Return the last boot. A first one without a time is only where the log begins."""
    boots = of.host.boots
    known = [each.at for n, each in enumerate(boots) if n > 0 or each.booted_at is not None]
    return max(known, default=None)


def recent_deployment(of: Evidence) -> Optional[str]:
    """Say that something was started in the last day."""
    deployed = of.host.deployed_at
    if deployed is None or of.own_end - deployed >= DAY:
        return None
    return (
        f"a process of a service or container was started on {at(deployed)}, less than a day"
        " before the end: what it calls later has not been seen"
    )


def boot_seen(of: Evidence) -> Optional[str]:
    """Say when a boot was watched."""
    boots = [
        each.at
        for each in of.host.boots
        if each.at >= of.window.start and is_watched(each, of.host.covered)
    ]
    return f"the boot on {at(max(boots))} was watched: callers at boot were seen" if boots else None


def no_boot_seen(of: Evidence) -> Optional[str]:
    """Say that no boot was seen."""
    if boot_seen(of) is not None:
        return None
    return (
        "no boot was watched within the window: what calls only at boot has not been seen there"
        f"{_ask(of)}"
    )


def no_month_start(of: Evidence) -> Optional[str]:
    """Say that no first day of a month was watched whole."""
    day = of.window.start.replace(hour=0, minute=0, second=0, microsecond=0)
    while day + DAY <= of.window.end:
        span = Span(day, day + DAY)
        gone_s = total_s(uncovered(span, of.host.covered))
        if day.day == 1 and day >= of.window.start and gone_s <= TOLERANCE * span.seconds:
            return None
        day += DAY
    return f"no first day of a month was watched: monthly jobs have not been seen{_ask(of)}"


def blind_spots(of: Evidence) -> Optional[str]:
    """Say that how it was watched has blind spots."""
    kinds = [
        probe for probe in of.host.probes if probe == _TRACEPOINT or probe.startswith(_PACKETS)
    ]
    if not kinds:
        return None
    return f"{', '.join(kinds)} cannot see every call (docs/security.md, blind spots){_ask(of)}"


def _ask(of: Evidence) -> str:
    return "" if of.comparison else "; compare with CloudWatch (--against)"
