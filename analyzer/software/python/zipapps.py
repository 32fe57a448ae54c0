"""Reads the distributions that a zipapp or pex holds, from the archive's table of contents."""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from analyzer.software.found import Library
from analyzer.software.python.dists import dist_of, normalised
from analyzer.software.python.requirements import required
from analyzer.software.root import Root
from analyzer.software.wanted import PYPI

# The end record, with a comment of at most 64 KiB before the end of the file.
_END_MAX = 22 + 65535
# A table of contents has 100 bytes for each file; botocore's 3,000 are the most known of one.
_CONTENTS_MAX = 4 << 20
_DISTS_MAX = 256
_PACKED_MAX, _METADATA_MAX = 16384, 16384
_ENTRY = re.compile(rb"((?:[\w.+-]+/){0,4}?)([A-Za-z0-9][\w.+-]{1,200}\.dist-info)/METADATA\Z")
_METADATA = b".dist-info/METADATA"
_SIGNATURE = b"PK\x01\x02"
_STORED, _DEFLATED = 0, 8


class _Member(NamedTuple):
    """A file's METADATA in the archive: what it belongs to and where it is."""

    folder: str
    dist_info: str
    method: int
    packed: int
    offset: int


def libraries(root: Root, path: str) -> Iterator[Library]:
    """Yield the wanted libraries of an archive; nothing of another file. Raises OSError, Spent."""
    with root.open(path) as file:
        contents, shift = _contents(root, file)
        members = list(_members(contents))
        wanted = {normalised(each.dist_info.split("-")[0]): each for each in members}
        if not wanted.keys() & PYPI.keys():
            return
        asks: dict[str, list[str]] = {}
        for member in members:
            dist = dist_of(member.dist_info)
            if dist is None:
                continue
            for key, _ in required(_read(root, file, member, shift)):
                asks.setdefault(key, []).append(f"{dist.key} {dist.version}".strip())
    for member in members:
        dist = dist_of(member.dist_info)
        if dist is not None and dist.key in PYPI:
            place = f"{path}!/{member.folder}{PYPI[dist.key]}"
            by = tuple(asks.get(dist.key, ())[:8])
            yield Library("pypi", dist.key, dist.version, place, by)


def _contents(root: Root, file: BinaryIO) -> tuple[bytes, int]:
    """Return the table of contents, and how far a `#!` line moved all that it places."""
    size = os.fstat(file.fileno()).st_size
    tail = _at(root, file, max(0, size - _END_MAX), _END_MAX)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        return b"", 0
    length, offset = struct.unpack_from("<II", tail, at + 12)
    start = size - len(tail) + at - length
    if start < 0:
        return b"", 0
    return _at(root, file, start, min(length, _CONTENTS_MAX)), start - offset


def _members(contents: bytes) -> Iterator[_Member]:
    at, left = contents.find(_METADATA), _DISTS_MAX
    while at >= 0 and left:
        left -= 1
        end = at + len(_METADATA)
        begin = contents.rfind(_SIGNATURE, max(0, end - 1024), end)
        at = contents.find(_METADATA, end)
        if begin < 0 or begin + 46 > end:
            continue
        method, packed = (struct.unpack_from(code, contents, begin + where)[0]
                          for code, where in (("<H", 10), ("<I", 20)))  # fmt: skip
        length, offset = (struct.unpack_from(code, contents, begin + where)[0]
                          for code, where in (("<H", 28), ("<I", 42)))  # fmt: skip
        match = _ENTRY.fullmatch(contents[begin + 46 : begin + 46 + length])
        if match is not None:
            yield _Member(match[1].decode(), match[2].decode(), method, packed, offset)


def _read(root: Root, file: BinaryIO, member: _Member, shift: int) -> bytes:
    """Return the beginning of a member, b"" for a damaged one."""
    head = _at(root, file, member.offset + shift, 30)
    if len(head) < 30 or not head.startswith(b"PK\x03\x04"):  # noqa: PLR2004 (the format's)
        return b""
    name, extra = struct.unpack_from("<HH", head, 26)
    start = member.offset + shift + 30 + name + extra
    raw = _at(root, file, start, min(member.packed, _PACKED_MAX))
    if member.method == _STORED:
        return raw[:_METADATA_MAX]
    if member.method != _DEFLATED:
        return b""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw, _METADATA_MAX)
    except zlib.error:
        return b""


def _at(root: Root, file: BinaryIO, offset: int, most: int) -> bytes:
    if offset < 0:
        return b""
    if root.budget is not None:
        root.budget.read(most)
    return os.pread(file.fileno(), most, offset)
