"""Parses one line of the log; never raises, whatever the line holds."""

from __future__ import annotations

import calendar
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from analyzer.logline.events import METRICS

# The longest line a caller can bring about has 70 KB; a longer one than this is no line of ours.
LINE_MAX = 1 << 20

# Of one kind, in one folded line, which stands for a second.
CALLS_DIGITS = 9
CALLS_MAX = 10**CALLS_DIGITS - 1

_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z")


class Line(NamedTuple):
    """A line of the analyzer's. ``event`` is its kind, ``at_s`` its time since the Unix epoch."""

    fields: Mapping[str, Any]
    event: str
    at_s: Optional[float]

    def text(self, *path: str) -> str:
        """Return the string at a path of names, "" where there is none."""
        return text_at(self.fields, *path)

    def number(self, *path: str) -> Optional[int]:
        """Return the whole number at a path of names, None where there is none."""
        value = value_at(self.fields, *path)
        return value if type(value) is int else None

    @property
    def calls(self) -> int:
        """The number of calls that the line stands for: a folded one for several."""
        repeated = value_at(self.fields, "imds", "repeated")
        each = repeated if isinstance(repeated, list) else []
        counts = [value_at(one, "count") for one in each]
        known = (count for count in counts if type(count) is int and 0 < count <= CALLS_MAX)
        return max(1, sum(known))


def parse(raw: bytes) -> Optional[Line]:
    """Take a line apart; None where it is not one of the analyzer's."""
    if len(raw) >= LINE_MAX:  # the beginning of one that is longer, whatever that looks like
        return None
    try:
        fields = json.loads(raw.decode())
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    event = fields.get("event")
    if not isinstance(event, str) or not event:
        if not isinstance(fields.get("_aws"), dict):
            return None
        event = METRICS
    return Line(fields, event, _seconds(fields.get("timestamp")))


def value_at(fields: object, *path: str) -> object:
    """Return what stands at a path of names; None where there is nothing."""
    for name in path:
        if not isinstance(fields, Mapping):
            return None
        fields = fields.get(name)
    return fields


def text_at(fields: object, *path: str) -> str:
    """Return the string at a path of names, "" where there is none."""
    value = value_at(fields, *path)
    return value if isinstance(value, str) else ""


def _seconds(timestamp: object) -> Optional[float]:
    match = _TIME.fullmatch(timestamp) if isinstance(timestamp, str) else None
    if match is None:
        return None
    *parts, fraction = match.groups()
    year, month, day, hour, minute, second = map(int, parts)
    if not (year >= 1970 and 1 <= month <= 12 and 1 <= day <= 31):  # noqa: PLR2004 (a calendar)
        return None
    return calendar.timegm((year, month, day, hour, minute, second)) + float(f"0.{fraction or 0}")
