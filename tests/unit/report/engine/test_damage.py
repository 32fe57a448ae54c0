"""Damaged input is counted and named, and costs nothing but itself."""

from __future__ import annotations

import dataclasses
import datetime
import gzip
import json
from pathlib import Path

import duckdb
import pytest

from analyzer.errors import AnalyzerError
from analyzer.logline.line import LINE_MAX
from analyzer.report.engine.duckdb import gather
from analyzer.report.engine.gathering import Options
from analyzer.report.findings import DAMAGE_LISTED_MAX, Findings
from analyzer.report.inputs import open_inputs
from tests.fleet.lines import Fleet, write_fleet

GOOD = json.dumps(
    {
        "timestamp": "2026-11-21T18:50:01.123456Z",
        "event": "heartbeat",
        "interval_s": 60.0,
        "host": {"name": "h", "boot_id": "b"},
    }
).encode()
# Line, and what is said of it.
DAMAGED: tuple[tuple[bytes, str], ...] = (
    (b"not JSON", "is not JSON"),
    (GOOD[:40], "is not whole JSON"),
    (GOOD + GOOD, "is not whole JSON"),
    (b"\0" * 40, "is not JSON"),
    (b'{"event":"a\xffb"}', "is not UTF-8"),
    (b"42", "is not a line of the analyzer's"),
    (b"[1]", "is not a line of the analyzer's"),
    (b'{"some":"body else\'s"}', "is not a line of the analyzer's"),
    (GOOD.replace(b'"timestamp"', b'"time"'), "is not a line of the analyzer's"),
    (GOOD.replace(b'"heartbeat"', b'"imds_request"'), "is not a line of the analyzer's"),
)


def findings(*paths: Path) -> Findings:
    with open_inputs([str(path) for path in paths]) as files:
        return gather(files, Options())


def without_examples(found: Findings) -> Findings:
    """Leave out what a table says in another form: its times are of its own type."""
    groups = tuple(dataclasses.replace(each, example={}) for each in found.groups)
    return dataclasses.replace(found, groups=groups)


def test_each_damaged_line_is_counted_and_named(tmp_path: Path) -> None:
    """By file and number; blank lines count as lines of the file only."""
    file = tmp_path / "imds.jsonl"
    lines = [part for line, _ in DAMAGED for part in (GOOD, line, b"")]
    file.write_bytes(b"\n".join(lines))
    found = findings(file)
    assert found.lines == len(DAMAGED)
    assert found.damaged == len(DAMAGED)
    assert [(each.file, each.line, each.problem) for each in found.damage] == [
        (str(file), 3 * at + 2, problem) for at, (_, problem) in enumerate(DAMAGED)
    ]


# Numbers that cannot be right, as JSON. The first are no numbers of events.
ABSURD = (
    *('"many"', "null", "true", "[1, 2]", '{"a": {"b": [1]}}', "-5", "-0.5", '"NaN"', '""'),
    *("1e30", "1e400", '"Infinity"', "9223372036854775807", "9223372036854775808", "9" * 4000),
)
NUMBERED = {
    "events_lost": ("count", '{"count":%s,"reason":"ring_buffer_full"'),
    "heartbeat": ("interval_s", '{"interval_s":%s'),
    "analyzer_stopped": ("uptime_s", '{"uptime_s":%s'),
    "events_lost with not_written": (
        "not_written",
        '{"not_written":{"v1":%s},"count":3,"reason":"log_not_written"',
    ),
    "heartbeat with not_written": ("not_written", '{"not_written":{"v2":%s},"interval_s":60'),
}


def numbered(kind: str, value: str) -> bytes:
    """Return a line of this kind, with a number that is written like this."""
    common = json.loads(GOOD)
    del common["interval_s"]
    rest = json.dumps({**common, "event": kind.split(maxsplit=1)[0]})[1:]
    return f"{NUMBERED[kind][1] % value},{rest}".encode()


# A loss that cannot be read is told as one: see test_odd.py.
@pytest.mark.parametrize("kind", [kind for kind in NUMBERED if kind != "events_lost"])
def test_a_number_that_cannot_be_right_is_damage(tmp_path: Path, kind: str) -> None:
    """What was lost is not known then, which is not the same as nothing."""
    file = tmp_path / "imds.jsonl"
    # Left out is the count of a version of which nothing was lost.
    values = [each for each in ABSURD if each != "null" or "with" not in kind]
    file.write_bytes(b"\n".join(numbered(kind, value) for value in values))
    found = findings(file)
    assert (found.lines, found.damaged) == (0, len(values))
    assert {each.file for each in found.damage} == {str(file)}
    problems = {each.problem for each in found.damage}
    # Longer numbers than Python reads are no whole JSON to it.
    assert problems <= {"has a number that cannot be right", "is not whole JSON"}
    assert len(found.damage) == len(values)


def folded(value: str) -> bytes:
    """Return a line that stands for several calls, of which one count is written like this."""
    line = json.loads(GOOD)
    del line["interval_s"]
    counted = {"version": "v1", "operation": "get", "outcome": "success", "count": 5}
    line.update(
        event="imds_request",
        imds={
            "version": "v1",
            "reason": "no_token_header",
            "operation": "get",
            "provider": "aws",
            "repeated": [counted, {**counted, "version": "v2", "count": "COUNT"}],
        },
    )
    return json.dumps(line).replace('"COUNT"', value).encode()


def test_a_count_of_calls_that_cannot_be_right_is_damage(tmp_path: Path) -> None:
    """The calls of a folded line are none or too many then, not one."""
    file = tmp_path / "imds.jsonl"
    values = [*ABSURD, "0", "1000000000", "1.5"]
    file.write_bytes(b"\n".join(map(folded, values)))
    found = findings(file)
    assert (found.lines, found.damaged, len(found.damage)) == (0, len(values), len(values))


@pytest.mark.parametrize("value", ["1", "7.0", "999999999", '"12"'])
def test_a_count_of_calls_that_can_be_right_is_counted(tmp_path: Path, value: str) -> None:
    """All of its calls are."""
    file = tmp_path / "imds.jsonl"
    file.write_bytes(folded(value))
    found = findings(file)
    assert (found.lines, found.damaged) == (1, 0), found.damage
    (host,) = found.hosts
    assert host.requests == {"v1": 5, "v2": float(json.loads(value)), "unknown": 0}


@pytest.mark.parametrize("kind", NUMBERED)
def test_a_number_that_can_be_right_is_none(tmp_path: Path, kind: str) -> None:
    """Also large ones, and as a table has them that was made of the log."""
    file = tmp_path / "imds.jsonl"
    values = ("0", "7", "7.0", "999999999", '"12"')
    file.write_bytes(b"\n".join(numbered(kind, value) for value in values))
    found = findings(file)
    assert (found.lines, found.damaged) == (len(values), 0), found.damage


def test_the_largest_counts_are_added_up(tmp_path: Path) -> None:
    """Many of them, at one time and at several, without an overflow."""
    file = tmp_path / "imds.jsonl"
    largest = numbered("events_lost", "9" * 15)
    another = largest.replace(b"18:50:01", b"18:50:02")
    file.write_bytes(b"\n".join([largest] * 20_000 + [another] * 3))
    (host,) = findings(file).hosts
    assert sum(each.count for each in host.losses) == pytest.approx(20_003 * 1e15, rel=1e-9)


def test_lines_that_would_take_all_memory_are_left_out(tmp_path: Path) -> None:
    """Nested as deeply as they are long; the rest is read, and the file is named."""
    file = tmp_path / "imds.jsonl"
    file.write_bytes((GOOD + b"\n" + b"[" * (8 * LINE_MAX) + b"\n") * 20)
    with open_inputs([str(file)]) as files:
        found = gather(files, Options(memory="400MB"))
    assert (found.lines, found.damaged) == (20, 20)
    assert {(each.file, each.problem) for each in found.damage} == {
        (str(file), "is longer than 1 MiB")
    }


def test_files_that_are_too_much_are_named(tmp_path: Path) -> None:
    """The error says which, and what to do."""
    file = tmp_path / "imds.jsonl"
    line = GOOD.replace(b'"h"', b'"h%07d"')
    file.write_bytes(b"\n".join(line % number for number in range(100_000)))
    too_little = pytest.raises(AnalyzerError, match=r"(?s)not enough for .*imds.jsonl.*--memory")
    with open_inputs([str(file)]) as files, too_little:
        gather(files, Options(memory="20MB"))


def test_only_the_first_are_named(tmp_path: Path) -> None:
    """All are counted."""
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_bytes((GOOD + b"\ntorn\n") * 15)
    found = findings(tmp_path)
    assert (found.lines, found.damaged, len(found.damage)) == (30, 30, DAMAGE_LISTED_MAX)


@pytest.mark.parametrize(
    ("end", "problem"),
    [
        (lambda packed: packed[:-300], "its compressed data ends early: read up to there"),
        (lambda packed: packed + b"more", "followed by what is none: read up to there"),
        (lambda packed: packed[:2000] + b"\xff" * 300 + packed[2300:], ""),
    ],
    ids=["cut", "continued", "overwritten"],
)
def test_damaged_gzip_is_read_as_far_as_it_goes(tmp_path: Path, end: object, problem: str) -> None:
    """And other files wholly."""
    assert callable(end)
    lines = b"".join(
        GOOD.replace(b"18:50:01", b"18:%02d:%02d" % divmod(at, 60)) + b"\n" for at in range(3000)
    )
    (tmp_path / "whole.jsonl").write_bytes(GOOD + b"\n")
    (tmp_path / "imds.jsonl-20261121T233146Z.gz").write_bytes(end(gzip.compress(lines)))
    found = findings(tmp_path)
    assert 1 < found.lines <= 3001
    assert found.damage[0].problem.endswith(problem)
    assert found.damaged >= 1


def test_a_line_without_an_end_is_damage(tmp_path: Path) -> None:
    """Longer than any of the log's, it would not fit into memory."""
    file = tmp_path / "imds.jsonl"
    file.write_bytes(GOOD + b"\n" + b"x" * (50 * LINE_MAX) + b"\n" + GOOD + b"\n")
    found = findings(file)
    assert (found.lines, found.damaged) == (2, 1)
    assert [(each.line, each.problem) for each in found.damage] == [(2, "is longer than 1 MiB")]


def test_parquet_and_gzip_say_the_same_as_plain_lines(tmp_path: Path) -> None:
    """Whatever the form, the numbers are the same; only names of files differ."""
    write_fleet(tmp_path / "plain", Fleet(seed=5, hosts=1, requests=400, days=1))
    (log,) = (tmp_path / "plain").rglob("*.jsonl")
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    table = tmp_path / "imds.parquet"
    duckdb.read_json(str(log)).write_parquet(str(table))
    expected = findings(log)
    assert findings(packed) == expected
    assert without_examples(findings(table)) == without_examples(expected)
    assert [each.example.get("process", {}).get("args") for each in findings(table).groups] == [
        each.example.get("process", {}).get("args") for each in expected.groups
    ]


def test_a_window_leaves_out_what_is_outside_of_it(tmp_path: Path) -> None:
    """A heartbeat behind the end still covers what was before it."""
    file = tmp_path / "imds.jsonl"
    times = [f"2026-11-21T18:{minute:02}:30.000000Z" for minute in range(10)]
    file.write_bytes(
        b"".join(GOOD.replace(b"2026-11-21T18:50:01.123456Z", at.encode()) + b"\n" for at in times)
    )
    start = datetime.datetime(2026, 11, 21, 18, 2, tzinfo=datetime.timezone.utc)
    with open_inputs([str(file)]) as files:
        found = gather(files, Options(since=start, until=start.replace(minute=5)))
    (host,) = found.hosts
    assert found.lines == 3
    assert [(span.start, span.end) for span in host.covered] == [(start, start.replace(minute=5))]
