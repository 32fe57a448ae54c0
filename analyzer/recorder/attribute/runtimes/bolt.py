"""Looks up values in a bbolt database while its owner writes to it.

containerd and Podman before 5 keep their state in one. The format is that of page.go, bucket.go and
meta.go of go.etcd.io/bbolt. The owner's lock is not asked for. Pages that a state is made of are
not written again until the state after the next. So a look-up holds if no other state came
meanwhile, and is done again if one did.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, Optional

_MAGIC, _VERSION = 0xED0CDAED, 2
_META = struct.Struct("<IIIIQQQQQQ")
_META_SUMMED = 56
_PAGE = struct.Struct("<QHHI")
_BRANCH, _LEAF = 1, 2
_BRANCH_ITEM = struct.Struct("<IIQ")
_LEAF_ITEM = struct.Struct("<IIII")
_BUCKET = struct.Struct("<QQ")
_IS_BUCKET = 1
# The pages that a value may run over, and the levels of a tree: of both a hundred times the usual.
_PAGES_MAX, _DEPTH_MAX = 1024, 16
_ITEMS_MAX = 4096
_PAGE_SIZES = (4096, 8192, 16384, 32768, 65536)
# How often a look-up is done again while the owner writes.
_TRIES = 5


class Damaged(ValueError):
    """The file is not what bbolt writes, or is being written to."""


class _State(NamedTuple):
    page_size: int
    root: int
    number: int


class Bucket(NamedTuple):
    """A named set of keys: the page of its root, or the whole of it if it is small."""

    page: int
    whole: bytes = b""


class _Item(NamedTuple):
    key: bytes
    value: bytes
    is_bucket: bool


class Bolt:
    """A database at one state. All methods raise OSError, and Damaged."""

    def __init__(self, file: BinaryIO) -> None:
        """Take the newest state of a file that is open."""
        self._fd = file.fileno()
        self._state = self._newest()

    def root(self) -> Bucket:
        """Return the bucket that all others are in."""
        return Bucket(self._state.root)

    def is_present(self) -> bool:
        """Tell whether all that was read belongs together."""
        return self._newest().number == self._state.number

    def maybe_bucket(self, bucket: Optional[Bucket], *keys: bytes) -> Optional[Bucket]:
        """Return the bucket at a path below another."""
        for key in keys:
            found = None if bucket is None else self._maybe_item(bucket, key)
            if found is None or not found.is_bucket:
                return None
            bucket = _bucket(found.value)
        return bucket

    def maybe_value(self, bucket: Optional[Bucket], key: bytes) -> Optional[bytes]:
        """Return the value of a key."""
        found = None if bucket is None else self._maybe_item(bucket, key)
        return None if found is None or found.is_bucket else found.value

    def items(self, bucket: Optional[Bucket]) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values; those of buckets have no value. At most 4096."""
        if bucket is None:
            return
        for _, item in zip(range(_ITEMS_MAX), self._walk(self._page_of(bucket), 0)):
            yield item.key, b"" if item.is_bucket else item.value

    def _newest(self) -> _State:
        found = [
            state
            for size in _PAGE_SIZES
            for state in (self._maybe_state(0), self._maybe_state(size))
            if state is not None
        ]
        if not found:
            raise Damaged("no valid meta page")
        return max(found, key=lambda state: state.number)

    def _maybe_state(self, at: int) -> Optional[_State]:
        raw = os.pread(self._fd, _META.size, at + _PAGE.size)
        if len(raw) < _META.size:
            return None
        magic, version, size, _, root, _, _, _, number, checksum = _META.unpack(raw)
        if magic != _MAGIC or version != _VERSION or size not in _PAGE_SIZES:
            return None
        return _State(size, root, number) if checksum == _fnv(raw[:_META_SUMMED]) else None

    def _page_of(self, bucket: Bucket) -> bytes:
        return bucket.whole or self._page(bucket.page)

    def _page(self, number: int) -> bytes:
        size = self._state.page_size
        raw = os.pread(self._fd, size, number * size)
        if len(raw) < size:
            raise Damaged(f"no page {number}")
        found, _, _, overflow = _PAGE.unpack_from(raw)
        if found != number or overflow > _PAGES_MAX:
            raise Damaged(f"page {number} is another")
        return raw + os.pread(self._fd, overflow * size, (number + 1) * size) if overflow else raw

    def _maybe_item(self, bucket: Bucket, key: bytes) -> Optional[_Item]:
        page = self._page_of(bucket)
        for _ in range(_DEPTH_MAX):
            _, flags, count, _ = _unpacked(_PAGE, page, 0)
            if flags & _LEAF:
                return _maybe_in_leaf(page, count, key)
            if not flags & _BRANCH:
                break
            page = self._page(_child(page, count, key))
        raise Damaged("no leaf")

    def _walk(self, page: bytes, depth: int) -> Iterator[_Item]:
        _, flags, count, _ = _unpacked(_PAGE, page, 0)
        if depth > _DEPTH_MAX or not flags & (_LEAF | _BRANCH):
            raise Damaged("no leaf")
        for number in range(count):
            if flags & _LEAF:
                yield _leaf_item(page, number)
            else:
                yield from self._walk(self._page(_branch_item(page, number)[1]), depth + 1)


def _maybe_in_leaf(page: bytes, count: int, key: bytes) -> Optional[_Item]:
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        item = _leaf_item(page, middle)
        if item.key == key:
            return item
        low, high = (middle + 1, high) if item.key < key else (low, middle)
    return None


def _child(page: bytes, count: int, key: bytes) -> int:
    """Return the page of the last branch whose first key is not behind the key."""
    low, high = 0, count
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _branch_item(page, middle)[0] <= key else (low, middle)
    return _branch_item(page, low)[1]


def _branch_item(page: bytes, number: int) -> tuple[bytes, int]:
    at = _PAGE.size + number * _BRANCH_ITEM.size
    position, size, child = _unpacked(_BRANCH_ITEM, page, at)
    return _part(page, at + position, size), child


def _leaf_item(page: bytes, number: int) -> _Item:
    at = _PAGE.size + number * _LEAF_ITEM.size
    flags, position, key_size, value_size = _unpacked(_LEAF_ITEM, page, at)
    key = _part(page, at + position, key_size)
    value = _part(page, at + position + key_size, value_size)
    return _Item(key, value, bool(flags & _IS_BUCKET))


def _bucket(value: bytes) -> Bucket:
    page, _ = _unpacked(_BUCKET, value, 0)
    return Bucket(page, b"" if page else value[_BUCKET.size :])


def _unpacked(layout: struct.Struct, raw: bytes, at: int) -> tuple[int, ...]:
    try:
        return layout.unpack_from(raw, at)
    except struct.error:
        raise Damaged("cut off") from None


def _part(raw: bytes, at: int, size: int) -> bytes:
    if at + size > len(raw):
        raise Damaged("cut off")
    return raw[at : at + size]


def _fnv(raw: bytes) -> int:
    """Return the checksum of a meta page: FNV-1a of 64 bits."""
    total = 0xCBF29CE484222325
    for byte in raw:
        total = (total ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return total


class Lookup:
    """Opens a database for one look-up after another, until one holds."""

    def __init__(self, file: BinaryIO) -> None:
        """Take a file that is open."""
        self._file = file

    def __iter__(self) -> Iterator[Bolt]:
        """Yield the database until a look-up holds; raises OSError and Damaged."""
        for _ in range(_TRIES):
            database = Bolt(self._file)
            yield database
            if database.is_present():
                return
        raise Damaged("is written to all the time")
