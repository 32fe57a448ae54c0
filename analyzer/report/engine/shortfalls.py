"""Compares the requests that heartbeats counted with those that lines stand for.

The recorder counts a request when its line is due: when the answer came, or was waited for. A line
has the time at which the request began. So a request may be counted in an interval after its own,
never in one before. What a day has in lines and has not counted evens out the next day's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from analyzer.logline.fields import VERSIONS
from analyzer.report.engine.bounds import DAY_US
from analyzer.report.engine.rows import Ask, at, by_first
from analyzer.report.engine.sql import query
from analyzer.report.findings import Shortfall, Span

# Of one host; the oldest are left out.
SHORTFALLS_MAX = 200

# Host, boot and probe: what writes one log.
_Writer = tuple[str, str, str]
# By day and version.
_Lines = Mapping[tuple[int, str], int]


class _Counted(NamedTuple):
    """What was counted in a stretch of time. ``is_run``: all of a run, not the intervals of a day.

    ``counts`` are in the order of VERSIONS.
    """

    is_run: bool
    day_us: int
    start_us: int
    end_us: int
    counts: tuple[int, ...]
    not_written: int


def gather_shortfalls(ask: Ask, window: Mapping[str, int]) -> dict[str, tuple[Shortfall, ...]]:
    """Return what is missing on each host, in the order of time; of the window, if only in part."""
    lines: dict[_Writer, dict[tuple[int, str], int]] = defaultdict(dict)
    for host, boot, probe, day_us, version, requests in ask(query("request_lines")):
        lines[host, boot, probe][int(day_us), version] = int(requests)
    counted: dict[_Writer, list[_Counted]] = defaultdict(list)
    for host, boot, probe, is_run, day_us, start_us, end_us, *counts, lost in ask(
        query("counted_requests", until=window["until"])
    ):
        numbers = tuple(int(count) for count in counts)
        counted[host, boot, probe].append(
            _Counted(bool(is_run), int(day_us), int(start_us), int(end_us), numbers, int(lost))
        )
    found = [
        (writer[0], shortfall)
        for writer, stretches in counted.items()
        for shortfall in missing(stretches, lines.get(writer, {}))
        if shortfall.span.end > at(window["since"])
    ]
    ordered = sorted(found, key=lambda each: (each[1].span.start, each[1].version))
    return {
        host: tuple(shortfall for (shortfall,) in rows)[-SHORTFALLS_MAX:]
        for host, rows in by_first(ordered).items()
    }


def missing(stretches: Iterable[_Counted], lines: _Lines) -> list[Shortfall]:
    """Return what is missing of one log."""
    found: list[Shortfall] = []
    days = [each for each in stretches if not each.is_run]
    runs = [each for each in stretches if each.is_run]
    for number, version in enumerate(VERSIONS):
        found += _of_days(days, number, version, lines)
        for run in runs:
            first = run.start_us // DAY_US * DAY_US
            there = sum(lines.get((day, version), 0) for day in range(first, run.end_us, DAY_US))
            told = sum(
                each.missing
                for each in found
                if each.version == version and each.span.start >= at(run.start_us)
            )
            found += _shortfall(run, version, run.counts[number] - told, there)
    return found


def _of_days(days: Iterable[_Counted], number: int, version: str, lines: _Lines) -> list[Shortfall]:
    found: list[Shortfall] = []
    # What the day before had in lines and had not counted.
    left, left_of = 0, 0
    for day in days:
        own = lines.get((day.day_us, version), 0)
        before = lines.get((day.day_us - DAY_US, version), 0)
        carried = left if left_of == day.day_us - DAY_US else before
        short = _shortfall(day, version, day.counts[number], own + carried)
        found += short
        left = 0 if short else min(own, max(0, own + carried - day.counts[number]))
        left_of = day.day_us
    return found


def _shortfall(stretch: _Counted, version: str, counted: int, lines: int) -> list[Shortfall]:
    # A heartbeat does not say of which version the lines were that were not written.
    expected = counted - stretch.not_written
    if expected <= lines:
        return []
    return [Shortfall(Span(at(stretch.start_us), at(stretch.end_us)), version, expected, lines)]
