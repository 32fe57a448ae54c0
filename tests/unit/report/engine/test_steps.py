"""A query that is taken apart into steps gives the same answer as in one."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from analyzer.report.engine import duckdb as engine
from analyzer.report.engine.gathering import Options
from analyzer.report.engine.rows import Rows
from analyzer.report.engine.sql import steps
from analyzer.report.findings import Findings
from analyzer.report.inputs import open_inputs
from tests.fleet.lines import Fleet, write_fleet

CHAIN = (
    "WITH ones AS (SELECT 1 AS x), twos AS (SELECT x + x AS y FROM ones),"
    " fours AS (SELECT a.y + b.y AS z FROM twos AS a JOIN twos AS b ON a.y = b.y),"
    " named AS (SELECT z FROM (WITH inner_part AS (SELECT 3 AS w) SELECT w AS z FROM inner_part))"
    " SELECT z FROM fours UNION ALL SELECT z FROM named ORDER BY z"
)


def test_parts_that_are_named_twice_are_kept_first() -> None:
    """What they are made of goes with them, what is named once with what names it."""
    (name, part), (_, last) = steps(CHAIN, "duckdb")
    assert name == "twos"
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE twos AS {part}")
        assert connection.execute("SELECT y FROM twos").fetchall() == [(2,)]
        assert connection.execute(last).fetchall() == [(3,), (4,)]
    assert "twos AS (" not in last.replace('"', "")


def test_a_query_without_such_parts_is_one_step() -> None:
    """Its answer has no name."""
    ((name, last),) = steps("SELECT 1 AS x", "spark")
    assert (name, last) == ("", "SELECT 1 AS `x`")


class _InSteps(engine._DuckDB):
    kept = 0

    def _first(self, question: str) -> str:
        *parts, (_, last) = steps(question, "duckdb")
        for name, part in parts:
            self._connection.execute(f"CREATE OR REPLACE TABLE {name} AS {part}")
            _InSteps.kept += 1
        return last

    def keep(self, name: str, question: str) -> None:
        super().keep(name, self._first(question))

    def ask(self, question: str) -> Rows:
        return super().ask(self._first(question))


def test_all_queries_say_the_same_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No part has the name of a table, or of another query's part that is still needed."""
    write_fleet(tmp_path, Fleet(seed=3, hosts=3, requests=200, days=2.5))

    def found() -> Findings:
        with open_inputs([str(tmp_path)]) as inputs:
            return engine.gather(inputs, Options(bucket_s=3600))

    expected = found()
    monkeypatch.setattr(engine, "_DuckDB", _InSteps)
    assert found() == expected
    assert _InSteps.kept > 3
