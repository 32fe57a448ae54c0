"""Bounds the numbers that a line may count by or tell.

A line with one that cannot is damaged: what was lost is then unknown, which is not the same as 0.
``queries/numbers.sql`` says the same in SQL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from analyzer.logline.events import HEARTBEAT, LOST, REQUEST, STOPPED
from analyzer.logline.fields import VERSIONS
from analyzer.logline.line import CALLS_DIGITS

# A quadrillion: more than a host can lose, and few enough to be added up without rounding.
COUNT = r"^[0-9]{1,15}([.]0*)?\z"
# Of one kind, in a folded line.
CALLS = rf"^[1-9][0-9]{{0,{CALLS_DIGITS - 1}}}([.]0*)?\z"
# 31 years, in seconds. A host may have slept between two heartbeats.
SECONDS_MAX = 1_000_000_000


class Numbers(NamedTuple):
    """The numbers of an event: counts and times that are always there, and lines not written."""

    counts: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    has_not_written: bool = False


NUMBERS: Mapping[str, Numbers] = {
    HEARTBEAT: Numbers(times=("interval_s",), has_not_written=True),
    STOPPED: Numbers(times=("uptime_s",)),
    LOST: Numbers(has_not_written=True),
}
_NONE = Numbers()


def are_right_in(line: Mapping[str, object]) -> bool:
    """Tell whether a line has all numbers that it must have, and no impossible one."""
    event = line.get("event")
    if event == REQUEST:
        return _calls_are_right_in(line.get("imds"))
    numbers = NUMBERS.get(event, _NONE) if isinstance(event, str) else _NONE
    found = [line.get(name) for name in numbers.counts]
    not_written = line.get("not_written")
    if numbers.has_not_written and isinstance(not_written, dict):
        found += [not_written[name] for name in VERSIONS if not_written.get(name) is not None]
    return all(map(_is_count, found)) and all(_is_time(line.get(name)) for name in numbers.times)


def _calls_are_right_in(imds: object) -> bool:
    repeated = imds.get("repeated") if isinstance(imds, dict) else None
    if not isinstance(repeated, list):
        return True
    return all(_is_count(each.get("count"), CALLS) for each in repeated if isinstance(each, dict))


def _is_count(value: object, pattern: str = COUNT) -> bool:
    return re.match(pattern.replace(r"\z", r"\Z"), _text(value)) is not None


def _is_time(value: object) -> bool:
    try:
        return 0 <= float(_text(value)) <= SECONDS_MAX
    except ValueError:
        return False


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
