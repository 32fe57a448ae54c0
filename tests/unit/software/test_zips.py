"""Entries of zip archives: found by the end of their names, in honest and in hostile archives."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from analyzer.software import zips
from analyzer.software.budget import Budget, Spent
from analyzer.software.source import Source
from tests.unit.software.jars import archive

SMALL = 4096


@contextmanager
def opened(tmp_path: Path, data: bytes, budget: Budget | None = None) -> Iterator[Source]:
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    with path.open("rb") as file:
        yield Source(file.fileno(), len(data), budget)


def names(source: Source, *ends: bytes) -> list[str]:
    directory = zips.maybe_directory(source)
    assert directory is not None
    return sorted(entry.name for entry in zips.entries(source, directory, ends))


def only(source: Source, end: bytes) -> zips.Entry:
    directory = zips.maybe_directory(source)
    assert directory is not None
    (entry,) = zips.entries(source, directory, [end])
    return entry


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_entry_is_found_and_read(tmp_path: Path, method: int) -> None:
    """Stored or deflated, whole or its beginning."""
    data = archive({"a/b.jar": b"0123456789" * 100, "a/b.jar/c": b"other"}, method)
    with opened(tmp_path, data) as source:
        assert names(source, b".jar") == ["a/b.jar"]
        entry = only(source, b".jar")
        assert (entry.method, entry.size) == (method, 1000)
        assert zips.content(source, entry, SMALL) == b"0123456789" * 100
        assert zips.content(source, entry, 5) == b"01234"


@pytest.mark.parametrize("comment", [b"", b"x" * 300, b"PK\5\6" + b"y" * 60_000])
def test_a_comment_and_a_script_around_the_archive_do_not_matter(
    tmp_path: Path, comment: bytes
) -> None:
    """Spring Boot's executable archives begin with a shell script."""
    made = io.BytesIO(b"#!/bin/bash\n" * 500)
    made.seek(0, io.SEEK_END)
    with zipfile.ZipFile(made, "a") as writer:
        writer.writestr("x.jar", b"inner")
        writer.comment = comment.replace(b"PK\5\6", b"PK\5\7")
    for data in (made.getvalue(), b"\0" * 1000 + made.getvalue()):
        with opened(tmp_path, data) as source:
            assert zips.content(source, only(source, b".jar"), SMALL) == b"inner"


def test_a_large_directory_is_read_in_pieces(tmp_path: Path) -> None:
    """Each entry is found once, also at the border of two pieces."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as writer:
        for number in range(9000):
            name = f"com/example/folder{number % 7}/name{number}" + "x" * (number % 13)
            writer.writestr(f"{name}.jar" if number % 3 == 0 else f"{name}.class", b"")
    with opened(tmp_path, made.getvalue()) as source:
        directory = zips.maybe_directory(source)
        assert directory is not None
        assert directory.size > 2 * zips._PIECE
        found = names(source, b".jar")
    assert len(found) == len(set(found)) == 3000


def test_zip64_is_understood(tmp_path: Path) -> None:
    """Sizes and offsets in the extra field, and the directory's place in the 64-bit record."""
    data = b"inner jar"
    name = b"lib/x.jar"
    local = struct.pack(
        "<4s5H3I2H", b"PK\3\4", 45, 0, 0, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, len(name), 0
    )
    extra = struct.pack("<2H3Q", 1, 24, len(data), len(data), 0)
    extra = struct.pack("<2H2s", 0x5455, 2, b"ts") + extra
    central = struct.pack(
        "<4s6H3I5H2I",
        *(b"PK\1\2", 45, 45, 0, 0, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, len(name), len(extra)),
        *(0, 0, 0, 0, 0xFFFFFFFF),
    )
    front = local + name + data
    directory = central + name + extra
    end64 = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, len(directory), len(front))
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(front) + len(directory), 1)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    with opened(tmp_path, front + directory + end64 + locator + end) as source:
        entry = only(source, b".jar")
        assert entry == zips.Entry("lib/x.jar", 0, len(data), len(data), 0)
        assert zips.content(source, entry, SMALL) == data


@pytest.mark.parametrize(
    "name", ["../../etc/x.jar", "/etc/x.jar", "a\nb.jar", "\x1b[2Jx.jar", "a/../x.jar", "\x7f.jar"]
)
def test_names_that_no_honest_archive_has_are_left_out(tmp_path: Path, name: str) -> None:
    """They would lead out of the archive, or write to a terminal."""
    with opened(tmp_path, archive({name: b"", "..x.jar": b"", "a..b/y.jar": b""})) as source:
        assert names(source, b".jar") == ["..x.jar", "a..b/y.jar"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\5\6",
        b"PK\5\6" + b"\xff" * 18,
        b"x" * 200_000,
        b"PK\1\2" * 5000 + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, 20_001, 0, 0),
        struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, 0xFFFFFFF0, 0, 0),
    ],
)
def test_what_is_no_archive_has_no_directory(tmp_path: Path, data: bytes) -> None:
    """Too short, cut, or with a size that does not fit."""
    with opened(tmp_path, data) as source:
        assert zips.maybe_directory(source) is None


def test_an_entry_with_a_wrong_offset_is_empty(tmp_path: Path) -> None:
    """It may point to the middle of another, or behind the end."""
    with opened(tmp_path, archive({"x.jar": b"1" * 99}, zipfile.ZIP_STORED)) as source:
        entry = only(source, b".jar")
        for offset in (1, 50, 1 << 40, 1 << 70):
            assert zips.content(source, entry._replace(offset=offset), SMALL) == b""


def test_damaged_and_unknown_compression_is_empty(tmp_path: Path) -> None:
    """Never an error."""
    with opened(tmp_path, archive({"x.jar": os.urandom(9000)})) as source:
        entry = only(source, b".jar")
        moved = entry._replace(method=zips.DEFLATED, offset=entry.offset)
        raw = zips.inside(source, moved).at(7, 500)
        assert zips.inflate(raw, SMALL) == b"" or len(zips.inflate(raw, SMALL)) <= SMALL
        assert zips.inflate(b"\xff" * 50, SMALL) == b""
        assert zips.content(source, entry._replace(method=12), SMALL) == b""


def test_a_bomb_is_inflated_up_to_the_bound(tmp_path: Path) -> None:
    """16 MB from 16 KB: a prefix is read, and a stream ends at its limit."""
    bomb = archive({"x.jar": b"\0" * (16 << 20)})
    with opened(tmp_path, bomb) as source:
        entry = only(source, b".jar")
        assert zips.content(source, entry, SMALL) == b"\0" * SMALL
        assert sum(map(len, zips.inflated(source, entry, 1 << 20))) == 1 << 20


def test_inflating_counts_in_the_budget(tmp_path: Path) -> None:
    """What comes out counts, not what goes in."""
    budget = Budget(bytes_max=1 << 20, files_max=9, cpu_s=60)
    with opened(tmp_path, archive({"x.jar": b"\0" * (16 << 20)}), budget) as source:
        entry = only(source, b".jar")
        with pytest.raises(Spent):
            list(zips.inflated(source, entry, 16 << 20))


def test_a_directory_made_of_hits_ends(tmp_path: Path) -> None:
    """A name that is found a million times costs no second."""
    many = b".jar" * 1_000_000
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(many), 0, 0)
    budget = Budget(bytes_max=1 << 30, files_max=9, cpu_s=1)
    with opened(tmp_path, many + end, budget) as source:
        assert names(source, b".jar") == []


def test_a_stream_is_searched_from_its_front() -> None:
    """Entries of a stored archive within are met, too, each once, wherever the pieces end."""
    inner = archive({"META-INF/maven/g/a/pom.properties": "version=1"})
    data = archive({f"f{n}.class": b"z" * 200 for n in range(400)} | {"lib/x.jar": inner}, 0)
    found = []
    for size in (100, 5000, 1 << 20):
        pieces = (data[at : at + size] for at in range(0, len(data), size))
        found.append([(e.name, e.method) for e in zips.streamed(pieces, [b".jar", b".properties"])])
    assert sorted(found[0]) == [("META-INF/maven/g/a/pom.properties", 8), ("lib/x.jar", 0)]
    assert sorted(found[1]) == sorted(found[2]) == sorted(found[0])
    (pom,) = zips.streamed(iter([data]), [b".properties"])
    assert zips.inflate(pom.data, SMALL) == b"version=1"


def test_a_damaged_stream_ends(tmp_path: Path) -> None:
    """What came before stands."""
    data = bytearray(archive({"x.jar": os.urandom(1 << 20)}))
    with opened(tmp_path, bytes(data)) as source:
        entry = only(source, b".jar")
        start = entry.offset + 30 + len("x.jar")
    data[start + 5000 : start + 5100] = zlib.compress(b"y" * 200).ljust(100, b"\xff")[:100]
    with opened(tmp_path, bytes(data)) as source:
        assert sum(map(len, zips.inflated(source, entry, 1 << 22))) <= 1 << 20


def test_an_encrypted_entry_is_left_out(tmp_path: Path) -> None:
    """Its data says nothing."""
    data = archive({"x.jar": b"1"})
    at = data.index(b"PK\1\2") + 8
    with opened(tmp_path, data[:at] + b"\1" + data[at + 1 :]) as source:
        assert names(source, b".jar") == []
