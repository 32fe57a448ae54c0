"""How times, numbers, hosts and callers are written in sentences."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from analyzer.report.findings import Group

# What a sentence names; the lists and tables have them all.
NAMED_MAX = 3

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


def at(time: datetime.datetime) -> str:
    """Write a time, to the minute."""
    return time.astimezone(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def lasting(time: datetime.timedelta) -> str:
    """Write how long something takes, in its two largest units."""
    seconds = int(time.total_seconds())
    if seconds >= _DAY_S:
        days, rest = divmod(seconds, _DAY_S)
        return f"{days} d {rest // _HOUR_S} h" if rest >= _HOUR_S else f"{days} d"
    if seconds >= _HOUR_S:
        return f"{seconds // _HOUR_S} h {seconds % _HOUR_S // _MINUTE_S} min"
    return f"{seconds // _MINUTE_S} min" if seconds >= _MINUTE_S else f"{seconds} s"


def number(count: int, what: str, plural: str = "") -> str:
    """Write how many of something."""
    return f"{count} {what}" if count == 1 else f"{count} {plural or what + 's'}"


def listed(texts: Sequence[str]) -> str:
    """Name the first few, and say how many more there are."""
    more = f" and {len(texts) - NAMED_MAX} more" if len(texts) > NAMED_MAX else ""
    return ", ".join(texts[:NAMED_MAX]) + more


def label(group: Group) -> str:
    """Return what a caller is called: the program, and who had it called."""
    key = group.key
    return key.program if key.launcher is None else f"{key.program} from {key.launcher}"
