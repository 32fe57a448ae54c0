"""Prepares files so that DuckDB can read all of them, and sets aside those that it cannot."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from analyzer.report.engine.damage import checked, is_text, salvaged
from analyzer.report.engine.sql import query
from analyzer.report.engine.tables import COLUMNS, FOREIGN_COLUMNS
from analyzer.report.findings import Damage
from analyzer.report.inputs import File

if TYPE_CHECKING:
    import duckdb

_GLOB = re.compile(r"([*?\[])")


@dataclass(frozen=True)
class Prepared:
    """Files that DuckDB reads, what is wrong with some of them, and those that it does not read.

    ``tables`` are those of Parquet, in groups with the same columns.
    """

    files: tuple[File, ...]
    damage: tuple[Damage, ...] = ()
    unread: tuple[Damage, ...] = ()
    tables: tuple[tuple[File, ...], ...] = ()


def prepare(files: Iterable[File], directory: Path) -> Prepared:
    """Check gzip to its end and Parquet's columns; put links and copies into a directory."""
    import duckdb  # noqa: PLC0415 (an extra, and large)

    readable = checked([_nameable(file, directory) for file in files], directory)
    damage = tuple(one for each in readable for one in each.damage)
    kept: list[File] = []
    unread: list[Damage] = []
    tables: dict[str, list[File]] = {}
    with contextlib.ExitStack() as stack:
        connection: Optional[duckdb.DuckDBPyConnection] = None
        for file in (each.file for each in readable):
            if not file.is_parquet:
                kept.append(file)
                continue
            if connection is None:  # it takes as long as some of the queries
                connection = stack.enter_context(duckdb.connect())
            try:
                columns = _columns(connection, file)
            except duckdb.Error as error:
                unread.append(_unreadable(file, error))
                continue
            if columns is None:
                unread.append(Damage(file.name, None, FOREIGN_COLUMNS))
                continue
            kept.append(file)
            tables.setdefault(columns, []).append(file)
    groups = tuple(map(tuple, tables.values()))
    return Prepared(tuple(kept), damage, tuple(unread), groups)


def mended(prepared: Prepared, directory: Path) -> Prepared:
    """Look for what made DuckDB fail: lines without an end, and tables damaged inside.

    Returns the same where nothing is found.
    """
    import duckdb  # noqa: PLC0415 (an extra, and large)

    unread: dict[File, Damage] = {}
    with duckdb.connect() as connection:
        for file in prepared.files:
            if file.is_parquet:
                try:
                    connection.execute(query("duckdb_whole_table", paths=[pattern(file)]))
                except duckdb.Error as error:
                    unread[file] = _unreadable(file, error)
    found = salvaged([file for file in prepared.files if file not in unread], directory)
    damage = tuple(one for each in found for one in each.damage)
    if not damage and not unread:
        return prepared
    tables = ((file for file in group if file not in unread) for group in prepared.tables)
    return replace(
        prepared,
        files=tuple(each.file for each in found),
        damage=(*prepared.damage, *damage),
        unread=(*prepared.unread, *unread.values()),
        tables=tuple(group for group in map(tuple, tables) if group),
    )


def pattern(file: File) -> str:
    """Return a file's path as DuckDB takes it: what would be a pattern is a name here."""
    return _GLOB.sub(r"[\1]", file.path)


def _nameable(file: File, directory: Path) -> File:
    """Give a file whose path is not UTF-8 another one."""
    if is_text(file.path):
        return file
    link = directory / f"link-{len(list(directory.iterdir()))}"
    link.symlink_to(file.path)
    return file._replace(path=str(link))


def _columns(connection: duckdb.DuckDBPyConnection, file: File) -> Optional[str]:
    """Return the columns of a table, None where it has not those of lines."""
    rows = connection.execute(query("duckdb_columns", paths=[pattern(file)])).fetchall()
    if not COLUMNS.issubset(name for name, *_ in rows):
        return None
    return repr([(name, kind) for name, kind, *_ in rows])


def _unreadable(file: File, error: duckdb.Error) -> Damage:
    return Damage(
        file.name, None, f"is Parquet that cannot be read: {str(error).partition(chr(10))[0]}"
    )


def names(files: Sequence[File], most: int) -> str:
    """Name the first files, and how many there are."""
    named = ", ".join(each.name for each in files[:most])
    return named if len(files) <= most else f"{named} and {len(files) - most} more"
