"""Damaged input is counted and named, and costs nothing but itself."""

from __future__ import annotations

import dataclasses
import datetime
import gzip
import json
from pathlib import Path

import duckdb
import pytest

from analyzer.report.engine.damage import LINE_MAX
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
    file.write_bytes(GOOD + b"\n" + b"x" * (3 * LINE_MAX) + b"\n" + GOOD + b"\n")
    found = findings(file)
    assert (found.lines, found.damaged) == (2, 1)
    assert [(each.line, each.problem) for each in found.damage] == [(2, "is longer than 16 MiB")]


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
