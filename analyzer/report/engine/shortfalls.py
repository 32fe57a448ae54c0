"""Compares the requests that heartbeats counted with those that lines stand for.

The recorder counts a request when its line is due: when the answer came, or was waited for. A line
has the time at which the request began. So a request may be counted in an interval after its own,
never in one before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from analyzer.report.engine.bounds import MINUTE_US
from analyzer.report.engine.rows import Ask, at
from analyzer.report.engine.sql import query
from analyzer.report.hosts import Shortfall, Span
from analyzer.report.inputs.file import File

# Of one host; the oldest are left out.
SHORTFALLS_MAX = 200
# Of so many bytes, the lines are compared by the minute: a table has at most a row for each line.
# Of more, by half an hour.
BY_MINUTE_BYTES = 256 << 20
# What compression makes of a log, about.
_PACKED = 10


class Missing(NamedTuple):
    """Requests without a line, as ``missing_lines.sql`` finds them."""

    version: str
    is_run: bool
    is_whole: bool
    start_us: int
    end_us: int
    counted: int
    missing: int


def slice_of(files: Iterable[File]) -> int:
    """Return how long the slices of time are in which lines are compared, in microseconds."""
    return MINUTE_US if unpacked_size(files) <= BY_MINUTE_BYTES else 30 * MINUTE_US


def unpacked_size(files: Iterable[File]) -> int:
    """Return about how many bytes files have as text."""
    return sum(file.size * (_PACKED if file.is_gzip or file.is_parquet else 1) for file in files)


def gather_shortfalls(ask: Ask, window: Mapping[str, int]) -> dict[str, tuple[Shortfall, ...]]:
    """Return what is missing on each host, in the order of time; of the window, if only in part."""
    if not ask(query("doubtful")):
        return {}
    of_log: dict[tuple[str, str, str], list[Missing]] = defaultdict(list)
    for host, boot, probe, version, is_run, is_whole, *numbers in ask(query("missing_lines")):
        row = Missing(version, bool(is_run), bool(is_whole), *(int(each) for each in numbers))
        of_log[host, boot, probe].append(row)
    found: dict[str, list[Shortfall]] = defaultdict(list)
    for (host, _, _), rows in of_log.items():
        for shortfall in shortfalls(rows):
            if shortfall.span.end > at(window["since"]):
                found[host].append(shortfall)
    return {
        host: tuple(sorted(own, key=lambda each: (each.span.start, each.version))[-SHORTFALLS_MAX:])
        for host, own in found.items()
    }


def shortfalls(rows: Sequence[Missing]) -> list[Shortfall]:
    """Return what is missing of one log, no request twice.

    Stretches of all time, and whole runs, have what the hours have, and perhaps more.
    """
    found: list[Shortfall] = []
    for row in sorted(rows, key=lambda row: (row.is_run, row.is_whole, row.end_us)):
        told = 0
        if row.is_run or row.is_whole:
            told = sum(
                shortfall.missing
                for shortfall in found
                if shortfall.version == row.version
                and at(row.start_us) <= shortfall.span.start < at(row.end_us)
            )
        if row.missing > told:
            span = Span(at(row.start_us), at(row.end_us))
            lines = row.counted - row.missing
            found.append(Shortfall(span, row.version, row.counted - told, lines))
    return found
