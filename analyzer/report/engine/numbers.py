"""The numbers in lines about the analyzer itself: which of them can be right.

A line with one that cannot is damaged: what was lost is then unknown, which is not the same as 0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from analyzer.report.engine.sql import fill, matches

# A quadrillion: more than a host can lose, and few enough to be added up without rounding.
COUNT = r"^[0-9]{1,15}([.]0*)?\z"
# 31 years, in seconds. A host may have slept between two heartbeats.
SECONDS_MAX = 1_000_000_000
VERSIONS = ("v1", "v2", "unknown")

# Event: its counts and its times that are always there.
_ALWAYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "heartbeat": ((), ("interval_s",)),
    "analyzer_stopped": ((), ("uptime_s",)),
    "events_lost": (("count",), ()),
}
_NOT_WRITTEN_IN = ("heartbeat", "events_lost")


def count(column: str) -> str:
    """Write the expression for a count; it is null where that is none."""
    return fill(
        "CASE WHEN $is_one THEN try_cast($column AS DOUBLE) END",
        is_one=matches(column, COUNT),
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
    cases = []
    for event, (counts, times) in _ALWAYS.items():
        parts = [f"{count(name)} IS NOT NULL" for name in counts]
        parts += [f"{seconds(name)} IS NOT NULL" for name in times]
        if event in _NOT_WRITTEN_IN:
            names = [f"not_written.{version}" for version in VERSIONS]
            parts += [f"({name} IS NULL OR {count(name)} IS NOT NULL)" for name in names]
        cases.append(f"WHEN '{event}' THEN {' AND '.join(parts)}")
    return f"CASE event {' '.join(cases)} ELSE TRUE END"


def are_right_in(line: Mapping[str, object]) -> bool:
    """Tell the same of a line that Python has read."""
    event = line.get("event")
    counts, times = _ALWAYS.get(event, ((), ())) if isinstance(event, str) else ((), ())
    found = [line.get(name) for name in counts]
    not_written = line.get("not_written")
    if event in _NOT_WRITTEN_IN and isinstance(not_written, dict):
        found += [not_written[name] for name in VERSIONS if not_written.get(name) is not None]
    return all(map(_is_count, found)) and all(_is_time(line.get(name)) for name in times)


def _is_count(value: object) -> bool:
    return re.match(COUNT.replace(r"\z", r"\Z"), _text(value)) is not None


def _is_time(value: object) -> bool:
    try:
        return 0 <= float(_text(value)) <= SECONDS_MAX
    except ValueError:
        return False


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
