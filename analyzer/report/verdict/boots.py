"""Judges boots: which of them were watched from the start, and when a host was off."""

from __future__ import annotations

import datetime
from bisect import bisect_right
from collections.abc import Sequence
from typing import Optional

from analyzer.report.callers import Sighting
from analyzer.report.hosts import Boot, Host, Span
from analyzer.report.verdict.intervals import quiet_since
from analyzer.report.verdict.spans import DAY, is_covered, overlaps, uncovered

# From so soon after the boot on, the probe must be attached. Services of the system start later.
ATTACH_MAX = datetime.timedelta(seconds=60)
# How long a boot lasts: cloud-init and user data run in this time.
BOOT_LASTS = datetime.timedelta(minutes=10)


def is_watched(boot: Boot, covered: Sequence[Span], lasts: datetime.timedelta = BOOT_LASTS) -> bool:
    """Tell whether a boot was watched from the start and until its end."""
    if boot.booted_at is None or boot.attached_s is None:
        return False
    if boot.attached_s > ATTACH_MAX.total_seconds():
        return False
    attached = boot.booted_at + ATTACH_MAX
    return is_covered(Span(attached, attached + lasts), covered)


def clears(boot: Boot, covered: Sequence[Span], caller: Sighting, *, is_boot_only: bool) -> bool:
    """Tell whether this boot shows that a caller at boot has stopped.

    The probe must have been attached before the caller's earliest call. A caller that went on
    after its boot must have been quiet for a day.
    """
    lasts = BOOT_LASTS if is_boot_only else DAY
    if caller.boot_offset_s is not None:
        if boot.attached_s is None or boot.attached_s > caller.boot_offset_s:
            return False
        lasts = max(lasts, datetime.timedelta(seconds=2 * caller.boot_offset_s))
    if caller.boot_last_s is not None:  # user data may call long after the ten minutes
        lasts = max(lasts, datetime.timedelta(seconds=caller.boot_last_s))
    return boot.at > quiet_since(caller) and is_watched(boot, covered, lasts)


def is_boot_caller(caller: Sighting, boots: Sequence[Boot]) -> bool:
    """Tell whether it calls IMDSv1 at boot only, or only in the day that follows a boot."""
    if caller.is_boot_only:
        return True
    if not caller.v1_at_boot:
        return False
    times = sorted(boot.at for boot in boots)
    return all(_follows(span.start, times) for span in caller.v1)


def is_launch_seen(boots: Sequence[Boot]) -> bool:
    """Tell whether the first boot is the host's launch, as far as is known: the log begins in it.

    User data runs at launch, and mostly not again.
    """
    first = boots[0] if boots else None
    if first is None or first.booted_at is None:
        return False
    return first.first_at - first.booted_at <= BOOT_LASTS


def calls_at_launch(caller: Sighting, boots: Sequence[Boot]) -> bool:
    """Tell whether it called IMDSv1 before the host was first booted again."""
    return is_launch_seen(boots) and (len(boots) == 1 or caller.first_v1_at < boots[1].at)


def _follows(at: datetime.datetime, boots: Sequence[datetime.datetime]) -> bool:
    place = bisect_right(boots, at)
    return place > 0 and at - boots[place - 1] < DAY


def off(boots: Sequence[Boot]) -> tuple[Span, ...]:
    """Return when the host was off: from a clean stop to the next boot, and to its attachment."""
    spans = []
    for before, after in zip(boots, boots[1:]):
        if before.stopped_at is None or after.booted_at is None:
            continue
        attached = datetime.timedelta(seconds=max(0.0, after.attached_s or 0.0))
        end = after.booted_at + min(attached, ATTACH_MAX)
        if before.stopped_at < after.booted_at:
            spans.append(Span(before.stopped_at, end))
    return tuple(spans)


def unwatched_boot(host: Host, window: Span, covered: Sequence[Span]) -> Optional[Boot]:
    """Return the last boot within the window of which the start was not watched."""
    for boot in reversed(host.boots):
        if not window.start <= boot.at < window.end:
            continue
        if _is_unwatched(boot, window, covered, is_first=boot is host.boots[0]):
            return boot
    return None


def _is_unwatched(boot: Boot, window: Span, covered: Sequence[Span], *, is_first: bool) -> bool:
    if boot.booted_at is not None:
        start = boot.booted_at + ATTACH_MAX
        end = min(start + BOOT_LASTS, window.end)
        return start < end and not is_covered(Span(start, end), covered)
    if is_first:  # the log begins here, whenever the host booted
        return False
    before = Span(boot.first_at - ATTACH_MAX, boot.first_at + ATTACH_MAX)
    return any(overlaps(gap, before) for gap in uncovered(window, covered))
