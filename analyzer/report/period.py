"""Parses times and lengths of time as people and the AWS CLI write them."""

from __future__ import annotations

import datetime
import re

from analyzer.errors import ConfigError

_LENGTH = re.compile(r"(\d{1,5})\s*([smhdw])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_length(text: str) -> datetime.timedelta:
    """Return a length such as ``90m``, ``36h``, ``7d`` or ``2w``. Raises ConfigError."""
    match = _LENGTH.fullmatch(text.strip())
    if match is None or not int(match[1]):
        raise ConfigError(f"{text!r} is not a length of time: write 90m, 36h, 7d or 2w")
    return datetime.timedelta(**{_UNITS[match[2]]: int(match[1])})


def read_time(text: str, now: datetime.datetime) -> datetime.datetime:
    """Return a time: ISO 8601, in UTC where it does not say, or a length before ``now``.

    Raises ConfigError.
    """
    if _LENGTH.fullmatch(text.strip()):
        return now - read_length(text)
    try:
        return read_iso(text.strip())
    except ValueError:
        raise ConfigError(
            f"{text!r} is not a time: write 2026-11-21, 2026-11-21T18:50:00Z, or 7d for as long ago"
        ) from None


def read_iso(text: str) -> datetime.datetime:
    """Return a time in ISO 8601, in UTC where it does not say. Raises ValueError, OverflowError."""
    time = datetime.datetime.fromisoformat(re.sub(r"[zZ]\Z", "+00:00", text))
    if time.tzinfo is None:
        time = time.replace(tzinfo=datetime.timezone.utc)
    return time.astimezone(datetime.timezone.utc)
