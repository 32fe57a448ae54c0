"""Writes the queries that read files, and parses every query once.

Files' names are in variables of DuckDB's: a query has the same text whatever files it reads.
"""

from __future__ import annotations

import atexit
import functools
import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from analyzer.report.engine.bounds import TIME
from analyzer.report.engine.columns import DUCKDB, FIELDS, Shape
from analyzer.report.engine.duckdb_files import Prepared, pattern
from analyzer.report.engine.sql import query
from analyzer.report.inputs import File

if TYPE_CHECKING:
    import duckdb

# About three times as many as one report asks.
_KEPT_STATEMENTS = 128


@functools.lru_cache(maxsize=_KEPT_STATEMENTS)
def statement_of(text: str) -> duckdb.Statement:
    """Parse a query. Of a small input's time that is a fifth; damaged files are asked twice."""
    import duckdb  # noqa: PLC0415 (an extra, and large)

    (statement,) = duckdb.extract_statements(text)
    return statement


# Python may be at its end before it frees what a module keeps: DuckDB's binding then complains.
atexit.register(statement_of.cache_clear)


def records_of(connection: duckdb.DuckDBPyConnection, prepared: Prepared) -> str:
    """Return the query for the records of files, for a question of one's own."""
    return query("duckdb_records", **_inputs_of(connection, prepared, "all"))


def example_texts_of(
    connection: duckdb.DuckDBPyConnection, prepared: Prepared, paths: Collection[str]
) -> str:
    """Return a query for the lines at the examples' times, in the files with these paths."""
    return query("duckdb_example_texts", **_inputs_of(connection, _only(prepared, paths), "some"))


def example_records() -> str:
    """Return the records of these lines, kept as ``example_texts``, with their lines."""
    return query("duckdb_example_records", **_fields())


def _only(prepared: Prepared, paths: Collection[str]) -> Prepared:
    """Leave out the files with other paths."""
    tables = (tuple(file for file in group if file.path in paths) for group in prepared.tables)
    return replace(
        prepared,
        files=tuple(file for file in prepared.files if file.path in paths),
        tables=tuple(filter(None, tables)),
    )


def _inputs_of(
    connection: duckdb.DuckDBPyConnection, prepared: Prepared, which: str
) -> dict[str, object]:
    """Return what the queries that read files are filled with; the files' names are kept."""

    def kept(name: str, files: Sequence[File]) -> str:
        variable = f"imds_{which}_{name}"
        paths = [pattern(each) for each in files]
        connection.execute(f"SET VARIABLE {variable} = $1", [paths])
        return f"getvariable('{variable}')"

    parts: list[dict[str, str]] = []
    for compression, is_gzip in (("uncompressed", False), ("gzip", True)):
        files = [each for each in prepared.files if each.is_gzip is is_gzip and not each.is_parquet]
        if files:
            parts.append({"compression": compression, "paths": kept(compression, files)})
    tables = [kept(f"table_{number}", group) for number, group in enumerate(prepared.tables)]
    return {"parts": parts, "parquet": tables, **_fields()}


def _fields() -> dict[str, object]:
    return {
        "fields": {name: DUCKDB.write(shape) for name, shape in FIELDS.items()},
        "structure": json.dumps({name: _structure(shape) for name, shape in FIELDS.items()}),
        "TIME": TIME,
    }


def _structure(shape: Shape) -> object:
    """Return a type as json_transform wants it."""
    if isinstance(shape, str):
        return DUCKDB.write(shape)
    if isinstance(shape, list):
        return [_structure(shape[0])]
    return {name: _structure(inner) for name, inner in shape.items()}
