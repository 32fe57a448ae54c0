"""Folded lines count as the calls that they stand for: in reports, in tail, and in what is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.logline.caller import Identity
from analyzer.logline.line import parse
from analyzer.recorder.records import Outcome, Record, Response, Version
from analyzer.recorder.repeats import Repeats
from analyzer.recorder.sinks.file import open_file
from analyzer.recorder.sinks.jsonl import JsonlSink
from analyzer.recorder.sinks.log import LineLog
from analyzer.recorder.sinks.writer import count_lines
from analyzer.report.engine.duckdb import gather
from analyzer.report.engine.gathering import Options
from analyzer.report.findings import Findings
from analyzer.report.inputs import open_inputs
from analyzer.tail.callers import Callers
from analyzer.tail.layout import Layout, symbols
from tests.sends import process_of
from tests.unit.recorder.sinks.test_jsonl import RECORD

PER_S = 10
RESPONSES = (None, Response(Outcome.SUCCESS, 200), Response(Outcome.NOT_FOUND, 404))


def stream() -> list[Record]:
    """Return 2001 calls of three programs within two minutes, in all versions and some outcomes."""
    records = []
    for number in range(2001):
        name = ("curl", "worker", "agent")[number % 7 % 3]
        process = process_of(RECORD.caller)._replace(
            pid=len(name), name=name, executable=f"/usr/bin/{name}", args=(name,)
        )
        identity = Identity(name, "", "program", f"uid=1001;program={name}")
        version = (Version.V1, Version.V2, Version.V2, Version.UNKNOWN)[number % 4]
        operation = ("credentials", "metadata", "token")[number % 5 % 3]
        verdict = RECORD.verdict._replace(
            version=version, operation=operation, reason=f"reason_{version.value}"
        )
        records.append(
            RECORD._replace(
                at_ns=RECORD.at_ns + number * 60_000_000,
                caller=RECORD.caller._replace(process=process, ancestors=(), identity=identity),
                verdict=verdict,
                response=RESPONSES[number % 11 % 3],
            )
        )
    return records


def written(path: Path, per_s: int) -> int:
    """Write the stream, four seconds of it in each; returns the number of lines."""
    repeats = Repeats(per_s)
    sink = JsonlSink(LineLog(open_file(str(path))), lambda: "host", "boot")
    lines = [
        line
        for number, record in enumerate(stream())
        for line in repeats.add(record, number * 15_000_000)
    ]
    lines += repeats.flush()
    for line in lines:
        sink.write(line)
    sink.close()
    return len(lines)


@pytest.fixture
def logs(tmp_path: Path) -> tuple[Path, Path]:
    """Return the same calls as a log without folding, and with it."""
    plain, folded = tmp_path / "plain.jsonl", tmp_path / "folded.jsonl"
    assert written(plain, 0) == 2001
    assert written(folded, PER_S) < 1500
    return plain, folded


def findings(path: Path) -> Findings:
    with open_inputs([str(path)]) as files:
        return gather(files, Options())


def test_reports_are_the_same(logs: tuple[Path, Path]) -> None:
    """By caller, version, reason, operation and outcome, and over time."""
    plain, folded = map(findings, logs)
    assert plain.lines == 2001
    assert folded.lines < 1500
    assert sum(tally.requests for group in plain.groups for tally in group.tallies) == 2001
    assert len(folded.groups) == len(plain.groups) == 3
    for one, other in zip(plain.groups, folded.groups):
        assert one.key == other.key
        assert one.tallies == other.tallies
        assert (one.first_at, one.last_at, one.last_v1_at) == (
            other.first_at,
            other.last_at,
            other.last_v1_at,
        )
        assert other.example["imds"]["version"] == one.example["imds"]["version"]
    assert plain.timeline == folded.timeline
    assert plain.hosts == folded.hosts


def test_tail_counts_the_same(logs: tuple[Path, Path]) -> None:
    """In its table, by version, and in its trend."""
    tables = []
    for path in logs:
        callers = Callers()
        for raw in path.read_bytes().splitlines():
            line = parse(raw)
            assert line is not None
            callers.add(line)
        now_s = callers.newest_s or 0
        ranked = callers.ranked()
        tables.append({key: (each.counts, sum(each.trend(now_s))) for key, each in ranked})
    assert tables[0] == tables[1]
    assert sum(sum(counts.values()) for counts, _ in tables[0].values()) == 2001


def test_lines_that_cannot_be_written_are_counted_as_calls(logs: tuple[Path, Path]) -> None:
    """By version."""
    plain, folded = (count_lines(path.read_bytes()) for path in logs)
    assert plain == folded
    assert sum(plain.values()) == 2001


def test_a_row_says_how_often(logs: tuple[Path, Path]) -> None:
    """An ordinary one says nothing of it."""
    layout = Layout(symbols("utf-8"), is_utc=True)
    rows: dict[int, str] = {}
    for raw in logs[1].read_bytes().splitlines():
        line = parse(raw)
        assert line is not None
        rows[line.calls] = "".join(span.text for span in layout.rows(line)[-1])
    assert "\N{MULTIPLICATION SIGN}" not in rows.pop(1)
    assert rows
    assert all(row.endswith(f"\N{MULTIPLICATION SIGN}{calls}") for calls, row in rows.items())


def test_what_is_no_count_is_one_call() -> None:
    """Whatever others have written there."""
    for repeated in ("1", '[{"count":-4}]', '[{"count":true},7]', '{"count":9}', '[{"count":1e9}]'):
        line = parse(b'{"event":"imds_request","imds":{"repeated":%b}}' % repeated.encode())
        assert line is not None
        assert line.calls == 1
