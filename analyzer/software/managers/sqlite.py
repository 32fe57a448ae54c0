"""Reads tables of an SQLite file by a descriptor, a page at a time.

SQLite's library opens by path alone and follows links, so it would read the host's database where
a container's is meant. The format: https://www.sqlite.org/fileformat2.html. What is in a
write-ahead log is not seen: rpm checkpoints when it closes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, Union

Value = Union[int, float, str, bytes, None]

_MAGIC = b"SQLite format 3\0"
_TABLE_INNER, _INDEX_INNER, _TABLE_LEAF, _INDEX_LEAF = 5, 2, 13, 10
# Deep enough for 10^12 rows; a page that leads back to itself ends here.
_DEPTH_MAX = 12
# A package's header with long changelogs has some 5 MiB.
_PAYLOAD_MAX = 16 << 20
_WIDTHS = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)


class Damaged(ValueError):
    """The file is not what SQLite writes."""


class _Page(NamedTuple):
    kind: int
    raw: bytes
    cells: tuple[int, ...]
    right: int


class Database:
    """One file. All methods raise OSError, and Damaged for what SQLite would not write."""

    def __init__(self, file: BinaryIO) -> None:
        """Read the header."""
        self._file = file
        head = file.read(100)
        if len(head) < 100 or not head.startswith(_MAGIC):  # noqa: PLR2004 (the header's size)
            raise Damaged("no SQLite header")
        size = int.from_bytes(head[16:18], "big")
        self._size = 65536 if size == 1 else size
        if self._size < 512 or self._size & (self._size - 1):  # noqa: PLR2004 (the least page)
            raise Damaged("no page size")
        self._usable = self._size - head[20]

    def roots(self) -> dict[str, int]:
        """Return the root page of each table and index, by name."""
        return {
            str(row[1]): row[3]
            for _, row in self.rows(1)
            if len(row) > 3 and isinstance(row[3], int)  # noqa: PLR2004 (type, name, table, root)
        }

    def rows(self, root: int) -> Iterator[tuple[int, list[Value]]]:
        """Yield row id and values of each row of a table."""
        yield from self._rows(root, 0)

    def row(self, root: int, wanted: int) -> list[Value]:
        """Return the values of a row by its id; [] if there is none."""
        number = root
        for _ in range(_DEPTH_MAX):
            page = self._page(number)
            if page.kind == _TABLE_LEAF:
                for at in page.cells:
                    size, place = _varint(page.raw, at)
                    key, place = _varint(page.raw, place)
                    if key == wanted:
                        return _record(self._payload(page.raw, place, size, is_table=True))
                return []
            if page.kind != _TABLE_INNER:
                raise Damaged("not a table")
            number = page.right
            for at in page.cells:
                if wanted <= _varint(page.raw, at + 4)[0]:
                    number = int.from_bytes(page.raw[at : at + 4], "big")
                    break
        raise Damaged("too deep")

    def keys(self, root: int, wanted: bytes) -> Iterator[list[Value]]:
        """Yield the entries of an index whose first column is this text (BINARY collation)."""
        yield from self._keys(root, wanted, 0)

    def _rows(self, number: int, depth: int) -> Iterator[tuple[int, list[Value]]]:
        page = self._checked(number, depth)
        for at in page.cells:
            if page.kind == _TABLE_INNER:
                yield from self._rows(int.from_bytes(page.raw[at : at + 4], "big"), depth + 1)
                continue
            if page.kind != _TABLE_LEAF:
                raise Damaged("not a table")
            size, place = _varint(page.raw, at)
            key, place = _varint(page.raw, place)
            yield key, _record(self._payload(page.raw, place, size, is_table=True))
        if page.kind == _TABLE_INNER:
            yield from self._rows(page.right, depth + 1)

    def _keys(self, number: int, wanted: bytes, depth: int) -> Iterator[list[Value]]:
        page = self._checked(number, depth)
        if page.kind not in (_INDEX_INNER, _INDEX_LEAF):
            raise Damaged("not an index")
        is_inner = page.kind == _INDEX_INNER
        for at in page.cells:
            size, place = _varint(page.raw, at + 4 if is_inner else at)
            entry = _record(self._payload(page.raw, place, size, is_table=False))
            first = (
                entry[0].encode("utf-8", "surrogateescape") if isinstance(entry[0], str) else b""
            )
            if is_inner and wanted <= first:
                yield from self._keys(
                    int.from_bytes(page.raw[at : at + 4], "big"), wanted, depth + 1
                )
            if first == wanted:
                yield entry
            if first > wanted:
                return
        if is_inner:
            yield from self._keys(page.right, wanted, depth + 1)

    def _checked(self, number: int, depth: int) -> _Page:
        if depth > _DEPTH_MAX:
            raise Damaged("too deep")
        return self._page(number)

    def _page(self, number: int) -> _Page:
        if number < 1:
            raise Damaged("no such page")
        self._file.seek((number - 1) * self._size)
        raw = self._file.read(self._size)
        at = 100 if number == 1 else 0
        if len(raw) < self._size:
            raise Damaged("cut")
        kind, _, count, _, _ = struct.unpack_from(">BHHHB", raw, at)
        is_inner = kind in (_TABLE_INNER, _INDEX_INNER)
        start = at + (12 if is_inner else 8)
        if start + 2 * count > len(raw):
            raise Damaged("too many cells")
        cells = struct.unpack_from(f">{count}H", raw, start)
        right = int.from_bytes(raw[at + 8 : at + 12], "big") if is_inner else 0
        return _Page(kind, raw, cells, right)

    def _payload(self, raw: bytes, at: int, size: int, *, is_table: bool) -> bytes:
        """Return a cell's content, the part on overflow pages included."""
        if size > _PAYLOAD_MAX:
            raise Damaged("too large")
        usable = self._usable
        most = usable - 35 if is_table else (usable - 12) * 64 // 255 - 23
        if size <= most:
            return raw[at : at + size]
        least = (usable - 12) * 32 // 255 - 23
        here = least + (size - least) % (usable - 4)
        here = here if here <= most else least
        parts, left = [raw[at : at + here]], size - here
        number = int.from_bytes(raw[at + here : at + here + 4], "big")
        while left > 0 and number > 0:
            self._file.seek((number - 1) * self._size)
            page = self._file.read(self._size)
            if len(page) < self._size:
                raise Damaged("cut")
            parts.append(page[4 : 4 + min(left, usable - 4)])
            left -= usable - 4
            number = int.from_bytes(page[:4], "big")
        return b"".join(parts)


def _record(payload: bytes) -> list[Value]:
    """Return the values of a record."""
    size, at = _varint(payload, 0)
    place = size
    values: list[Value] = []
    while at < min(size, len(payload)):
        kind, at = _varint(payload, at)
        width = (kind - 12) // 2 if kind >= 12 else _WIDTHS[min(kind, 9)]  # noqa: PLR2004
        raw = payload[place : place + width]
        place += width
        values.append(_value(kind, raw))
    return values or [None]


def _value(kind: int, raw: bytes) -> Value:
    if kind >= 12:  # noqa: PLR2004 (even are blobs, odd are texts)
        return raw.decode("utf-8", "surrogateescape") if kind % 2 else raw
    if kind in (8, 9):
        return kind - 8
    if kind == 7:  # noqa: PLR2004
        return float(struct.unpack(">d", raw)[0]) if len(raw) == 8 else None  # noqa: PLR2004
    return int.from_bytes(raw, "big", signed=True) if kind else None


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """Return a number of up to nine bytes and the place behind it."""
    if at < len(raw) and raw[at] < 0x80:  # noqa: PLR2004 (one byte, as most have)
        return raw[at], at + 1
    value = 0
    for index in range(at, at + 8):
        if index >= len(raw):
            raise Damaged("cut")
        value = value << 7 | raw[index] & 0x7F
        if raw[index] < 0x80:  # noqa: PLR2004
            return value, index + 1
    if at + 8 >= len(raw):
        raise Damaged("cut")
    return value << 8 | raw[at + 8], at + 9
