"""The numbers that lines count by, or tell about the analyzer itself: which can be right.

A line with one that cannot is damaged: what was lost is then unknown, which is not the same as 0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from analyzer.logline.events import HEARTBEAT, LOST, REQUEST, STOPPED
from analyzer.logline.fields import VERSIONS
from analyzer.report.engine.sql import fill, matches

# A quadrillion: more than a host can lose, and few enough to be added up without rounding.
COUNT = r"^[0-9]{1,15}([.]0*)?\z"
# Of one kind, in a folded line, which stands for a second.
CALLS = r"^[1-9][0-9]{0,8}([.]0*)?\z"
# 31 years, in seconds. A host may have slept between two heartbeats.
SECONDS_MAX = 1_000_000_000

# Event: its counts and its times that are always there.
_ALWAYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    HEARTBEAT: ((), ("interval_s",)),
    STOPPED: ((), ("uptime_s",)),
    LOST: (("count",), ()),
}
_NOT_WRITTEN_IN = (HEARTBEAT, LOST)


def count(column: str) -> str:
    """Write the expression for a count; it is null where that is none."""
    return _number(column, COUNT)


def calls(column: str) -> str:
    """Write the expression for the calls that a folded line stands for; null where it is none."""
    return _number(column, CALLS)


def _number(column: str, pattern: str) -> str:
    return fill(
        "CASE WHEN $is_one THEN try_cast($column AS DOUBLE) END",
        is_one=matches(column, pattern),
        column=column,
    )


def seconds(column: str) -> str:
    """Write the expression for a time in seconds; it is null where that is none."""
    return fill(
        "CASE WHEN try_cast($column AS DOUBLE) BETWEEN 0 AND $most THEN try_cast($column AS DOUBLE)"
        " END",
        column=column,
        most=SECONDS_MAX,
    )


def are_right() -> str:
    """Write the condition that a line has all numbers that it must have, and no impossible one."""
    cases = [f"WHEN '{REQUEST}' THEN {_calls_are_right()}"]
    for event, (counts, times) in _ALWAYS.items():
        parts = [f"{count(name)} IS NOT NULL" for name in counts]
        parts += [f"{seconds(name)} IS NOT NULL" for name in times]
        if event in _NOT_WRITTEN_IN:
            names = [f"not_written.{version}" for version in VERSIONS]
            parts += [f"({name} IS NULL OR {count(name)} IS NOT NULL)" for name in names]
        cases.append(f"WHEN '{event}' THEN {' AND '.join(parts)}")
    return f"CASE event {' '.join(cases)} ELSE TRUE END"


def _calls_are_right() -> str:
    wrong = f"CASE WHEN {calls('each.count')} IS NULL THEN '?' ELSE '' END"
    found = f"array_to_string(list_transform(imds.repeated, lambda each: {wrong}), '')"
    return f"coalesce({found}, '') = ''"


def are_right_in(line: Mapping[str, object]) -> bool:
    """Tell the same of a line that Python has read."""
    event = line.get("event")
    if event == REQUEST:
        return _calls_are_right_in(line.get("imds"))
    counts, times = _ALWAYS.get(event, ((), ())) if isinstance(event, str) else ((), ())
    found = [line.get(name) for name in counts]
    not_written = line.get("not_written")
    if event in _NOT_WRITTEN_IN and isinstance(not_written, dict):
        found += [not_written[name] for name in VERSIONS if not_written.get(name) is not None]
    return all(map(_is_count, found)) and all(_is_time(line.get(name)) for name in times)


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
