"""The reader of SQLite files agrees with SQLite."""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.software.managers.sqlite import Damaged, Database

KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.binary(max_size=3000),
)


def _made(path: Path, rows: list[tuple[str, object]], page: int = 512) -> Database:
    path.unlink(missing_ok=True)
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA page_size = {page}")
    for pragma in ("synchronous = OFF", "journal_mode = MEMORY"):  # no file has to outlive a crash
        database.execute(f"PRAGMA {pragma}")
    database.execute("CREATE TABLE t (key TEXT, value)")
    database.execute("CREATE INDEX t_key ON t (key)")
    database.executemany("INSERT INTO t VALUES (?, ?)", rows)
    database.commit()
    database.close()
    return Database(io.BytesIO(path.read_bytes()))


@given(st.lists(st.tuples(KEYS, VALUES), max_size=60))
def test_it_reads_what_sqlite_wrote(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, object]]
) -> None:
    """All rows, each row by its id, and each key by the index."""
    read = _made(tmp_path_factory.getbasetemp() / "some.db", rows)
    roots = read.roots()
    found = dict(read.rows(roots["t"]))
    assert [tuple(found[number]) for number in sorted(found)] == rows
    for number, row in enumerate(rows, 1):
        assert tuple(read.row(roots["t"], number)) == row
        ids = {entry[1] for entry in read.keys(roots["t_key"], row[0].encode())}
        assert ids == {place for place, other in enumerate(rows, 1) if other[0] == row[0]}
    assert read.row(roots["t"], len(rows) + 1) == []


@pytest.mark.parametrize("page", [512, 4096, 65536])
def test_many_rows(tmp_path: Path, page: int) -> None:
    """Trees of several levels, and keys that go on over overflow pages."""
    rows: list[tuple[str, object]] = [
        (f"name{number % 700}" + "x" * (number % 5 * 400), number) for number in range(5000)
    ]
    read = _made(tmp_path / "many.db", rows, page)
    roots = read.roots()
    assert len(list(read.rows(roots["t"]))) == len(rows)
    for number in (1, 77, 4999, 5000):
        assert tuple(read.row(roots["t"], number)) == rows[number - 1]
    wanted = {number for number, row in enumerate(rows, 1) if row[0] == rows[77][0]}
    assert {entry[1] for entry in read.keys(roots["t_key"], rows[77][0].encode())} == wanted


@given(st.binary(max_size=4096), st.integers(0, 8000))
def test_what_is_damaged_is_said(
    tmp_path_factory: pytest.TempPathFactory, patch: bytes, place: int
) -> None:
    """Bytes in the wrong place give Damaged, or rows; a page that leads to itself ends."""
    path = tmp_path_factory.getbasetemp() / "whole.db"
    if not path.exists():
        _made(path, [(f"k{number}", b"v" * number) for number in range(300)])
    raw = path.read_bytes()
    damaged = io.BytesIO(raw[:place] + patch + raw[place + len(patch) :])
    try:
        read = Database(damaged)
        for root in read.roots().values():
            for _ in zip(range(1000), read.rows(root)):
                pass
            list(zip(range(1000), read.keys(root, b"k7")))
    except Damaged:
        pass
