"""Requests that were counted and have no line are missing; a true log misses none."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.report.findings import Shortfall, Span
from tests.unit.report.engine.lines import DAY, HOUR, MINUTE, START, Boot, Line, found_in

HOST = Boot("app", "b1", "i-0123456789abcdef0")


def shortfalls(directory: Path, lines: list[Line]) -> tuple[Shortfall, ...]:
    (host,) = found_in(directory, lines).hosts
    return host.shortfalls


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
    assert shortfalls(tmp_path, run()) == ()
    assert shortfalls(tmp_path, run()[:-1]) == ()
    assert shortfalls(tmp_path, run()[:-2]) == ()


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_lines_that_were_filtered_out_are_missing(tmp_path: Path, version: str) -> None:
    """By version; nothing of the other is missing."""
    (found,) = shortfalls(tmp_path, without(run(), version, 1))
    assert (found.version, found.missing) == (version, 1)
    assert found.span == Span(START, START + 3 * HOUR + 2 * MINUTE)


def test_an_end_counts_what_came_after_the_last_heartbeat(tmp_path: Path) -> None:
    """Its totals are of the whole run."""
    lines = run()
    lines = [*lines[:-2], lines[-1]]
    (found,) = shortfalls(tmp_path, lines)
    assert (found.version, found.missing) == ("v1", 1)


def test_an_end_counts_for_heartbeats_that_are_gone(tmp_path: Path) -> None:
    """Who takes out lines may take out the heartbeats, too."""
    lines = [each for each in run() if each["event"] != "heartbeat"]
    assert shortfalls(tmp_path, lines) == ()
    (found,) = shortfalls(tmp_path, without(lines, "v1", 2))
    assert (found.version, found.missing) == ("v1", 2)
    some = [each for each in run() if each["event"] != "heartbeat" or each is run()[3]]
    assert shortfalls(tmp_path, some) == ()


def test_a_request_may_be_counted_after_midnight(tmp_path: Path) -> None:
    """The answer is waited for, and a heartbeat is of both days."""
    day = START + DAY
    lines = [HOST.started(day - HOUR), HOST.call(day - MINUTE), HOST.beat(day, v1=0)]
    lines.append(HOST.beat(day + HOUR, v1=1))
    assert shortfalls(tmp_path, lines) == ()
    lines.append(HOST.beat(day + 2 * HOUR, v1=1))
    (found,) = shortfalls(tmp_path, lines)
    assert (found.counted, found.lines, found.missing) == (2, 1, 1)


def test_a_folded_line_counts_for_what_it_stands_for(tmp_path: Path) -> None:
    """Heartbeats count the calls."""
    counts = [{"version": "v1", "operation": "metadata", "outcome": "success", "count": 40}]
    lines = [HOST.started(START), HOST.call(START + MINUTE, repeated=counts)]
    assert shortfalls(tmp_path, [*lines, HOST.beat(START + HOUR, v1=40)]) == ()
    (found,) = shortfalls(tmp_path, [*lines, HOST.beat(START + HOUR, v1=41)])
    assert found.missing == 1


def test_an_interval_that_begins_before_the_log_is_not_compared(tmp_path: Path) -> None:
    """Its lines are in a file that is not there, rotated and deleted."""
    lines = [HOST.beat(START + HOUR, v1=5), HOST.beat(START + 2 * HOUR, v1=0)]
    assert shortfalls(tmp_path, lines) == ()
    late = [HOST.beat(START + 9 * HOUR, v1=5), HOST.stopped(START + 10 * HOUR, 90_000, v1=99)]
    assert shortfalls(tmp_path, [*lines, *late]) == ()
    (found,) = shortfalls(tmp_path, [*lines, HOST.beat(START + 3 * HOUR, v1=5)])
    assert found.missing == 5


def test_lines_that_were_not_written_are_not_missing_twice(tmp_path: Path) -> None:
    """The heartbeat tells of them itself."""
    lost = {"not_written": {"v1": 3, "v2": 0, "unknown": 0}}
    lines = [HOST.started(START), {**HOST.beat(START + HOUR, v1=3), **lost}]
    assert shortfalls(tmp_path, lines) == ()
    (found,) = shortfalls(tmp_path, [*lines[:1], {**HOST.beat(START + HOUR, v1=4), **lost}])
    assert found.missing == 1


def test_a_heartbeat_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    """As shippers may deliver it; its request's line is there once."""
    beat = HOST.beat(START + HOUR, v2=1)
    lines = [HOST.started(START, START), HOST.call(START + HOUR / 2, "v2"), beat, beat]
    (found,) = found_in(tmp_path, lines).hosts
    assert found.shortfalls == ()
