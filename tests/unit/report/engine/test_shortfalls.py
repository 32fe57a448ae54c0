"""Requests that were counted and have no line are missing; a true log misses none."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.logline.fields import VERSIONS
from analyzer.report.engine.bounds import MINUTE_US
from analyzer.report.engine.rows import Rows, microseconds_of
from analyzer.report.engine.shortfalls import gather_shortfalls
from analyzer.report.engine.sql import query
from analyzer.report.hosts import Shortfall, Span
from tests.unit.report.engine.lines import (
    DAY,
    HOUR,
    MINUTE,
    START,
    Boot,
    Line,
    found_in,
    name_of,
    on_hosts_of_their_own,
)

HOST = Boot("app", "b1", "i-0123456789abcdef0")


def shortfalls(directory: Path, *logs: Sequence[Line]) -> list[tuple[Shortfall, ...]]:
    """Return what is missing of each log; each is of a host of its own."""
    found = {
        host.key: host.shortfalls for host in found_in(directory, on_hosts_of_their_own(logs)).hosts
    }
    return [found[name_of(number)] for number in range(len(logs))]


def run(hours: int = 3) -> list[Line]:
    """Return a run with a call of v1 and one of v2 in each hour, all of them counted."""
    lines = [HOST.started(START)]
    for hour in range(hours):
        at = START + hour * HOUR
        lines += [HOST.call(at + MINUTE), HOST.call(at + 2 * MINUTE, "v2")]
        lines.append(HOST.beat(at + HOUR, v1=1, v2=1))
    lines.append(HOST.call(START + hours * HOUR + MINUTE))
    uptime = hours * 3600 + 120
    lines.append(HOST.stopped(START + uptime * MINUTE / 60, uptime, v1=hours + 1, v2=hours))
    return lines


def without(lines: list[Line], version: str, most: int) -> list[Line]:
    """Leave out the first lines of a version."""
    found = [each for each in lines if each.get("imds", {}).get("version") == version][:most]
    return [each for each in lines if each not in found]


def test_a_true_log_misses_nothing(tmp_path: Path) -> None:
    """With a run to its end, one that goes on, and one that a crash ended."""
    assert shortfalls(tmp_path, run(), run()[:-1], run()[:-2]) == [(), (), ()]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_lines_that_were_filtered_out_are_missing(tmp_path: Path, version: str) -> None:
    """By version, with the interval; nothing of the other is missing."""
    ((found,),) = shortfalls(tmp_path, without(run(), version, 1))
    assert (found.version, found.missing) == (version, 1)
    assert found.span == Span(START, START + HOUR)


@pytest.mark.parametrize(
    ("interval", "twice"), [(MINUTE, 9), (5 * MINUTE, 1), (HOUR, 1), (HOUR, 4), (HOUR, 6)]
)
def test_a_surplus_in_another_interval_hides_nothing(
    tmp_path: Path, interval: datetime.timedelta, twice: int
) -> None:
    """Neither before nor after. But within minutes, lines may have been counted late."""
    lines = [HOST.started(START)]
    for number in range(12):
        lines.append(HOST.call(START + (number + 0.3) * interval))
        lines.append(HOST.beat(START + (number + 1) * interval, interval.total_seconds(), v1=1))
    again = [HOST.call(START + (twice + 0.4) * interval, key=f"app-{n}") for n in range(9)]
    whole, (found,) = shortfalls(tmp_path, [*lines, *again], [*lines[:11], *lines[12:], *again])
    assert whole == ()
    assert (found.missing, found.span.start) == (1, START + 5 * interval)


def test_an_end_of_an_interval_may_be_within_a_minute(tmp_path: Path) -> None:
    """A request counts in the interval that comes to it, and in one."""
    lines = [HOST.started(START)]
    calls = [HOST.call(START + MINUTE / 4), HOST.call(START + 3 * MINUTE / 4)]
    beats = [HOST.beat(START + each * MINUTE / 2, 30, v1=1) for each in (1, 2)]
    beats += [HOST.beat(START + each * MINUTE / 2, 30) for each in (3, 4, 5, 6, 7, 8)]
    whole, (found,) = shortfalls(tmp_path, [*lines, *calls, *beats], [*lines, *calls[:1], *beats])
    assert whole == ()
    assert found.missing == 1


def test_a_line_counts_for_an_answer_that_comes_late(tmp_path: Path) -> None:
    """It is counted then. Minutes later, another request was counted."""
    beats = [HOST.beat(START + HOUR), HOST.beat(START + 2 * HOUR, v1=1)]
    late, (found,) = shortfalls(
        tmp_path,
        *(
            [HOST.started(START), HOST.call(START + HOUR - minutes * MINUTE), *beats]
            for minutes in (1, 10)
        ),
    )
    assert late == ()
    assert found.missing == 1


def test_an_end_counts_what_came_after_the_last_heartbeat(tmp_path: Path) -> None:
    """Its totals are of the whole run."""
    lines = run()
    lines = [*lines[:-2], lines[-1]]
    ((found,),) = shortfalls(tmp_path, lines)
    assert (found.version, found.missing) == ("v1", 1)


def test_an_end_counts_for_heartbeats_that_are_gone(tmp_path: Path) -> None:
    """Who takes out lines may take out the heartbeats, too."""
    lines = [each for each in run() if each["event"] != "heartbeat"]
    one = [each for each in run() if each["event"] != "heartbeat" or each == run()[3]]
    assert len(one) == len(lines) + 1
    none_left, (found,), one_left = shortfalls(tmp_path, lines, without(lines, "v1", 2), one)
    assert (found.version, found.missing) == ("v1", 2)
    assert (none_left, one_left) == ((), ())


def test_a_request_may_be_counted_after_midnight(tmp_path: Path) -> None:
    """The answer is waited for, and a heartbeat is of both days."""
    day = START + DAY
    lines = [HOST.started(day - HOUR), HOST.call(day - MINUTE), HOST.beat(day, v1=0)]
    lines.append(HOST.beat(day + HOUR, v1=1))
    whole, (found,) = shortfalls(tmp_path, lines, [*lines, HOST.beat(day + 2 * HOUR, v1=1)])
    assert whole == ()
    assert (found.counted, found.lines, found.missing) == (1, 0, 1)


def test_a_folded_line_counts_for_what_it_stands_for(tmp_path: Path) -> None:
    """Heartbeats count the calls."""
    counts = [{"version": "v1", "operation": "metadata", "outcome": "success", "count": 40}]
    lines = [HOST.started(START), HOST.call(START + MINUTE, repeated=counts)]
    whole, (found,) = shortfalls(
        tmp_path, *([*lines, HOST.beat(START + HOUR, v1=count)] for count in (40, 41))
    )
    assert whole == ()
    assert found.missing == 1


def test_an_interval_that_begins_before_the_log_is_not_compared(tmp_path: Path) -> None:
    """Its lines are in a file that is not there, rotated and deleted."""
    lines = [HOST.beat(START + HOUR, v1=5), HOST.beat(START + 2 * HOUR, v1=0)]
    late = [HOST.beat(START + 9 * HOUR, v1=5), HOST.stopped(START + 10 * HOUR, 90_000, v1=99)]
    first, later, (found,) = shortfalls(
        tmp_path, lines, [*lines, *late], [*lines, HOST.beat(START + 3 * HOUR, v1=5)]
    )
    assert (first, later) == ((), ())
    assert found.missing == 5


def test_lines_that_were_not_written_are_not_missing_twice(tmp_path: Path) -> None:
    """The heartbeat tells of them itself."""
    lost = {"not_written": {"v1": 3, "v2": 0, "unknown": 0}}
    lines = [HOST.started(START), {**HOST.beat(START + HOUR, v1=3), **lost}]
    more = [*lines[:1], {**HOST.beat(START + HOUR, v1=4), **lost}]
    told, (found,) = shortfalls(tmp_path, lines, more)
    assert told == ()
    assert found.missing == 1


def test_a_heartbeat_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    """As shippers may deliver it; its request's line is there once."""
    beat = HOST.beat(START + HOUR, v2=1)
    lines = [HOST.started(START, START), HOST.call(START + HOUR / 2, "v2"), beat, beat]
    (found,) = found_in(tmp_path, lines).hosts
    assert found.shortfalls == ()


# One log: intervals of so many minutes, with so many requests counted, and so many written.
LOGS = st.tuples(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 3), st.integers(0, 3)), max_size=30),
    st.integers(0, 59),
)


# Ten logs in an example: the query compares each by itself, and takes as long to plan for one.
@given(st.lists(LOGS, min_size=10, max_size=10))
@settings(max_examples=10)
def test_no_fewer_are_missing_than_can_be_shown(
    logs: list[tuple[list[tuple[int, int, int]], int]],
) -> None:
    """Against a comparison that gives each interval the oldest lines that it can have counted."""
    stories = []
    for intervals, seconds in logs:
        at = START + datetime.timedelta(seconds=seconds)
        marks: list[Mark] = [("analyzer_started", at, None, None)]
        stretches, times = [], []
        for minutes, counted, written in intervals:
            end = at + minutes * MINUTE
            times += [at + (end - at) * (n + 1) / (written + 1) for n in range(written)]
            marks.append(("heartbeat", end, minutes * 60, counted))
            stretches.append((at, end, counted))
            at = end
        stories.append((marks, times, least_missing(stretches, times)))
    for found, (_, _, shown) in zip(missing_of(stories), stories):
        assert bool(found) == bool(shown)
        assert sum(each.missing for each in found) <= shown


def _values(row: tuple[object, ...]) -> str:
    return f"({', '.join('NULL' if each is None else repr(each) for each in row)})"


Mark = tuple[str, datetime.datetime, Optional[int], Optional[int]]
Story = tuple[list[Mark], list[datetime.datetime], int]


def missing_of(stories: list[Story]) -> list[tuple[Shortfall, ...]]:
    """Ask the query about hosts whose tables have these heartbeats and times of calls."""
    beats = [
        (str(host), event, microseconds_of(at), *numbers)
        for host, (marks, _, _) in enumerate(stories)
        for event, at, *numbers in marks
    ]
    slices = [
        (str(host), microseconds_of(at) // MINUTE_US * MINUTE_US)
        for host, (_, times, _) in enumerate(stories)
        for at in times
    ]
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE call_counts (host TEXT, boot TEXT DEFAULT 'b',"
            " probe TEXT DEFAULT 'p', event TEXT, mark_us BIGINT, interval_s DOUBLE,"
            " uptime_s DOUBLE, not_written BIGINT DEFAULT 0, counted_v1 BIGINT,"
            " counted_v2 BIGINT DEFAULT 0, counted_unknown BIGINT DEFAULT 0,"
            " lines BIGINT DEFAULT 1, is_by_minute BOOLEAN DEFAULT FALSE,"
            " is_ours BOOLEAN DEFAULT TRUE)"
        )
        connection.execute(
            "CREATE TABLE slice_counts (host TEXT, boot TEXT DEFAULT 'b',"
            " probe TEXT DEFAULT 'p', version TEXT DEFAULT 'v1', slice_us BIGINT,"
            " requests BIGINT DEFAULT 1)"
        )
        for table, columns, rows in (
            ("call_counts", "(host, event, mark_us, interval_s, counted_v1)", beats),
            ("slice_counts", "(host, slice_us)", slices),
        ):
            values = ", ".join(map(_values, rows))
            if values:  # one statement: a thousand would take longer than the query
                connection.execute(f"INSERT INTO {table} {columns} VALUES {values}")  # noqa: S608
        window = {"since": 0, "until": 1 << 60}
        counted = query(
            "counted_lines",
            slice_us=MINUTE_US,
            until=window["until"],
            versions=VERSIONS,
            has_stops=True,
        )
        connection.execute(f"CREATE TABLE counted_lines AS {counted}")

        def ask(question: str) -> Rows:
            return connection.execute(question).fetchall()

        found = gather_shortfalls(ask, window)
    return [found.get(str(host), ()) for host in range(len(stories))]


def test_copies_of_a_log_hide_nothing(tmp_path: Path) -> None:
    """In each copy the same is missing."""
    whole, (found,) = shortfalls(tmp_path, run() * 2, without(run(), "v1", 1) * 3)
    assert whole == ()
    assert (found.version, found.missing) == ("v1", 3)


def least_missing(
    stretches: list[tuple[datetime.datetime, datetime.datetime, int]],
    times: list[datetime.datetime],
) -> int:
    """Return how many of the counted requests can have no line."""
    missing = 0
    slices = sorted(each.replace(second=0, microsecond=0) for each in times)
    for start, end, counted in stretches:
        for _ in range(counted):
            fit = [each for each in slices if each < end and each + 3 * MINUTE > start]
            if fit:
                slices.remove(fit[0])
            else:
                missing += 1
    return missing
