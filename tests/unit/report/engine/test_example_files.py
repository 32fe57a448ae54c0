"""Examples: the files that are read again for them, and the fields that are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest

from analyzer.report.engine.bounds import MICROSECONDS
from analyzer.report.engine.duckdb import _DuckDB, gather
from analyzer.report.engine.gathering import Options
from analyzer.report.engine.rows import Rows
from analyzer.report.engine.sql import query
from analyzer.report.inputs import open_inputs
from tests.unit.report.engine.lines import HOUR, START, Boot, Line, found_in

AT_US = 1_000 * MICROSECONDS


class Log(NamedTuple):
    """What tells one log from another."""

    name: str = "web"
    boot: str = "boot-1"
    instance: str = "i-1"
    probe: str = "core/fentry"


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """Return a database with the columns that the query reads, and one example."""
    of_log = ", ".join(f"{name} VARCHAR" for name in Log._fields)
    with duckdb.connect() as made:
        made.execute(
            f"CREATE TABLE line_counts ({of_log}, file VARCHAR, is_by_slice BOOLEAN,"
            " first_us BIGINT, last_us BIGINT)"
        )
        made.execute(f"CREATE TABLE example_requests ({of_log}, at_us BIGINT)")
        made.execute("INSERT INTO example_requests VALUES (?, ?, ?, ?, ?)", [*Log(), AT_US])
        yield made


def add(
    connection: duckdb.DuckDBPyConnection,
    file: str,
    first_us: int = AT_US,
    last_us: int = AT_US,
    log: Log = Log(),  # noqa: B008 (a tuple of text)
    is_by_slice: bool = True,
) -> None:
    """Add lines of a file."""
    connection.execute(
        "INSERT INTO line_counts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [*log, file, is_by_slice, first_us, last_us],
    )


def files(connection: duckdb.DuckDBPyConnection) -> list[str]:
    return sorted(file for (file,) in connection.execute(query("example_files")).fetchall())


@pytest.mark.parametrize(
    ("first_us", "last_us", "is_there"),
    [
        (AT_US, AT_US, True),
        (AT_US - 1, AT_US + 1, True),
        (AT_US, AT_US + 1, True),
        (AT_US - 1, AT_US, True),
        (AT_US - 2, AT_US - 1, False),
        (AT_US + 1, AT_US + 2, False),
    ],
)
def test_a_file_is_read_whose_lines_are_around_the_time(
    connection: duckdb.DuckDBPyConnection, first_us: int, last_us: int, is_there: bool
) -> None:
    add(connection, "a.jsonl", first_us, last_us)
    assert files(connection) == (["a.jsonl"] if is_there else [])


@pytest.mark.parametrize("name", Log._fields)
def test_a_file_of_another_log_is_not_read(
    connection: duckdb.DuckDBPyConnection, name: str
) -> None:
    add(connection, "own.jsonl")
    add(connection, "other.jsonl", log=Log(**{name: "another"}))
    assert files(connection) == ["own.jsonl"]


def test_all_files_with_the_time_are_read_and_each_once(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    for file in ("a.jsonl", "a.jsonl", "copy.jsonl.gz"):
        add(connection, file)
    connection.execute("INSERT INTO example_requests FROM example_requests")
    assert files(connection) == ["a.jsonl", "copy.jsonl.gz"]


def test_rows_that_keep_no_file_name_none(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "INSERT INTO line_counts VALUES (?, ?, ?, ?, NULL, FALSE, ?, ?)", [*Log(), AT_US, AT_US]
    )
    assert files(connection) == []


def test_only_the_file_with_the_last_call_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    ask = _DuckDB.ask

    def noted(engine: _DuckDB, question: str) -> Rows:
        rows = ask(engine, question)
        if question == query("example_files"):
            asked.extend(file for (file,) in rows)
        return rows

    monkeypatch.setattr(_DuckDB, "ask", noted)
    boot = Boot("web", "boot-1", "i-1")
    paths = [tmp_path / f"{number}.jsonl" for number in range(3)]
    calls = [boot.call(START + number * HOUR) for number in range(3)]
    for path, call in zip(paths, calls):
        path.write_text(json.dumps(call) + "\n")
    with open_inputs([str(path) for path in paths]) as inputs:
        found = gather(inputs, Options())
    assert asked == [str(paths[-1])]
    assert [group.example for group in found.groups] == [calls[-1]]


def asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: list[Line]
) -> tuple[list[Mapping[str, Any]], bool]:
    """Return the groups' examples, and whether all fields of lines were read for them."""
    asked: list[str] = []
    ask = _DuckDB.ask

    def noted(engine: _DuckDB, question: str) -> Rows:
        asked.append(question)
        return ask(engine, question)

    monkeypatch.setattr(_DuckDB, "ask", noted)
    found = found_in(tmp_path, calls)
    in_full = any("JOIN example_texts" not in each and "example_texts" in each for each in asked)
    return [group.example for group in found.groups], in_full


def test_two_callers_of_one_time_have_their_own_examples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The boot, the version and the caller tell them apart: no other field need be read."""
    boot, other = Boot("web", "boot-1", "i-1"), Boot("app", "boot-2", "i-2")
    calls = [boot.call(START, key="a"), boot.call(START, key="b"), other.call(START, key="c")]
    calls += [boot.call(START, "v2", key="a"), other.call(START, "unknown", key="a")]
    examples, in_full = asked_about(tmp_path, monkeypatch, calls)
    assert examples == calls[:3]
    assert not in_full


def test_of_two_calls_of_one_time_the_other_fields_tell_which_is_the_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the first by these, although the other's text comes first."""
    boot = Boot("web", "boot-1", "i-1")
    former, latter = (
        {"first": first, **boot.call(START), "url": {"path": path}}
        for path, first in (("/a", "z"), ("/b", "a"))
    )
    examples, in_full = asked_about(tmp_path, monkeypatch, [latter, former])
    assert examples == [former]
    assert in_full


def test_a_line_whose_caller_has_no_key_is_an_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As older releases wrote it; beside another caller's line all fields are read."""
    boot = Boot("web", "boot-1", "i-1")
    old = boot.call(START)
    del old["imds"]["caller"]
    other = boot.call(START, key="other")
    examples, in_full = asked_about(tmp_path, monkeypatch, [old, other])
    assert sorted(map(str, examples)) == sorted(map(str, [old, other]))
    assert in_full
    examples, in_full = asked_about(tmp_path, monkeypatch, [old])
    assert (examples, in_full) == ([old], False)
