"""Finds entries of a zip archive by the ends of their names, without reading all of them.

An archive of 100,000 entries has a directory of 10 MB. It is searched for names as bytes, a piece
at a time, which costs a tenth of parsing it. Offsets, sizes and names are as PKWARE's APPNOTE.TXT
says; what does not fit is skipped, since archives may be damaged or hostile.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

from analyzer.software.source import Source

STORED, DEFLATED = 0, 8

_PIECE = 256 * 1024
# A header with its name and extra fields; an entry with a longer one is not found.
_HEADER_MAX = 4096
# A directory made of such names would take seconds.
_HITS_MAX = 20_000
# 2 million entries; no JVM loads such an archive.
_DIRECTORY_MAX = 256 * 1024 * 1024

_END = struct.Struct("<4s4H2IH")
_LOCATOR64 = struct.Struct("<4sIQI")
_END64 = struct.Struct("<4sQ2H2I4Q")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")
_COMMENT_MAX = 0xFFFF
_IN_ZIP64 = 0xFFFFFFFF
_ZIP64_FIELD = 1
_ENCRYPTED = 1
_FIRST_PRINTABLE, _DELETE = 0x20, 0x7F


class Entry(NamedTuple):
    """A file in an archive: its name, compression method, sizes, and its local header's place."""

    name: str
    method: int
    packed: int
    size: int
    offset: int


class Directory(NamedTuple):
    """The place of the central directory; ``shift`` is what was put before the archive."""

    start: int
    size: int
    shift: int


def maybe_directory(source: Source) -> Optional[Directory]:
    """Find the central directory; None if the file is not a zip archive."""
    for tail_size in (_HEADER_MAX, _END.size + _COMMENT_MAX):
        start = max(0, source.size - tail_size)
        tail = source.at(start, tail_size)
        at = tail.rfind(b"PK\5\6", 0, max(0, len(tail) - _END.size + 4))
        if at >= 0 and len(tail) - at >= _END.size:
            return _maybe_located(source, tail, start, at)
        if start == 0:
            break
    return None


def _maybe_located(source: Source, tail: bytes, start: int, at: int) -> Optional[Directory]:
    _, _, _, _, _, size, offset, _ = _END.unpack_from(tail, at)
    end = start + at
    if at >= _LOCATOR64.size:
        signature, _, end64, _ = _LOCATOR64.unpack_from(tail, at - _LOCATOR64.size)
        if signature == b"PK\6\7":
            found = source.at(end64, _END64.size)
            if len(found) == _END64.size and found.startswith(b"PK\6\6"):
                size, offset = _END64.unpack(found)[8:]
                end = end64
    # A launch script may stand before the archive (Spring Boot), with or without new offsets.
    shift = end - size - offset
    if size > _DIRECTORY_MAX or shift < 0:
        return None
    return Directory(offset + shift, size, shift)


def entries(source: Source, directory: Directory, ends: Sequence[bytes]) -> Iterator[Entry]:
    """Yield the entries whose names end so, in no stated order."""
    left = _HITS_MAX
    step = _PIECE - _HEADER_MAX
    for start in range(0, directory.size, step):
        piece = source.at(directory.start + start, min(_PIECE, directory.size - start))
        for at, name_end in _name_ends(piece, ends, 0, len(piece), left):
            left -= 1
            entry = _maybe_entry(piece, at, name_end, step)
            if entry is not None:
                yield entry._replace(offset=entry.offset + directory.shift)


def _maybe_entry(piece: bytes, at: int, name_end: int, step: int) -> Optional[Entry]:
    """Return the entry whose name ends there; None if it is none, or belongs to the next piece."""
    head = piece.rfind(b"PK\1\2", max(0, at - _HEADER_MAX), at)
    if head < 0 or head >= step or head + _CENTRAL.size > len(piece):
        return None
    fields = _CENTRAL.unpack_from(piece, head)
    flags, method, packed, size, length, extra = (fields[at] for at in (3, 4, 8, 9, 10, 11))
    first = head + _CENTRAL.size
    if first + length != name_end or flags & _ENCRYPTED:
        return None
    name = maybe_name(piece[first:name_end])
    if name is None:
        return None
    values = _with_zip64(piece[name_end : name_end + extra], [size, packed, fields[16]])
    return Entry(name, method, values[1], values[0], values[2])


def _with_zip64(extra: bytes, values: list[int]) -> list[int]:
    """Replace the values that do not fit in 32 bits, which the extra field has in this order."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        at += 4
        if kind == _ZIP64_FIELD:
            wide = extra[at : at + size]
            for number, value in enumerate(values):
                if value == _IN_ZIP64 and len(wide) >= 8:  # noqa: PLR2004 (64 bits)
                    (values[number],) = struct.unpack_from("<Q", wide)
                    wide = wide[8:]
            break
        at += size
    return values


def maybe_name(raw: bytes) -> Optional[str]:
    """Return a name as text; None for one that no honest archive has and a log must not."""
    name = raw.decode(errors="replace")
    if any(ord(each) < _FIRST_PRINTABLE or ord(each) == _DELETE for each in name):
        return None
    return None if ".." in name.split("/") or name.startswith("/") else name


def content(source: Source, entry: Entry, most: int) -> bytes:
    """Return the first ``most`` bytes of an entry, fewer if it is damaged."""
    raw = inside(source, entry)
    if entry.method == STORED:
        return raw.at(0, most)
    if entry.method != DEFLATED:
        return b""
    # What is deflated can be larger than it was by a thousandth.
    return inflate(raw.at(0, most + most // 1000 + 64), most)


def inflate(raw: bytes, most: int) -> bytes:
    """Return up to ``most`` bytes of deflated data, nothing if it is damaged."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw, most)
    except zlib.error:
        return b""


def inside(source: Source, entry: Entry) -> Source:
    """Return the data of an entry as it is in the archive; nothing if it has no local header."""
    header = source.at(entry.offset, _LOCAL.size)
    if len(header) < _LOCAL.size or not header.startswith(b"PK\3\4"):
        return source.part(0, 0)
    length, extra = _LOCAL.unpack(header)[9:]
    return source.part(entry.offset + _LOCAL.size + length + extra, entry.packed)


class Streamed(NamedTuple):
    """An entry that was met in a stream of an archive's bytes.

    ``place`` is the offset of its data in the stream. ``data`` is what follows, compressed or not.
    ``packed`` is 0 if the archive tells its size only afterwards.
    """

    name: str
    method: int
    place: int
    packed: int
    data: bytes


def streamed(pieces: Iterator[bytes], ends: Sequence[bytes]) -> Iterator[Streamed]:
    """Yield entries from the bytes of an archive, from its front, by their local headers.

    An archive inside a compressed entry cannot be read from its end without inflating all of it.
    The entries of archives that it holds uncompressed are found as well.
    """
    window, base, done, hits = b"", 0, 0, 0
    for piece in itertools.chain(pieces, (b"",)):
        window += piece
        # What is near the end is complete only with the next piece.
        limit = len(window) - (_HEADER_MAX if piece else 0)
        found = list(_name_ends(window, ends, max(0, done - base), limit, _HITS_MAX - hits))
        hits += len(found)
        for at, name_end in sorted(found):
            entry = _maybe_streamed(window, at, name_end, base)
            if entry is not None:
                yield entry
        if hits >= _HITS_MAX:
            return
        done = base + max(0, limit)
        # An entry's header stands before its name.
        keep = max(0, limit - _HEADER_MAX)
        base += keep
        window = window[keep:]


def _name_ends(
    window: bytes, ends: Sequence[bytes], start: int, limit: int, most: int
) -> Iterator[tuple[int, int]]:
    """Yield where names may end in a window, at most so many."""
    for end in ends:
        at = window.find(end, start)
        while 0 <= at < limit and most > 0:
            most -= 1
            yield at, at + len(end)
            at = window.find(end, at + len(end))


def _maybe_streamed(window: bytes, at: int, name_end: int, base: int) -> Optional[Streamed]:
    head = window.rfind(b"PK\3\4", max(0, at - _HEADER_MAX), at)
    if head < 0 or head + _LOCAL.size > len(window):
        return None
    fields = _LOCAL.unpack_from(window, head)
    length, extra = fields[9:]
    if head + _LOCAL.size + length != name_end:
        return None
    name = maybe_name(window[head + _LOCAL.size : name_end])
    if name is None:
        return None
    first = name_end + extra
    return Streamed(name, fields[3], base + first, fields[7], window[first : first + _HEADER_MAX])


def inflated(source: Source, entry: Entry, most: int) -> Iterator[bytes]:
    """Yield the bytes of a deflated entry a piece at a time, up to ``most`` in all."""
    raw = inside(source, entry)
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    offset, left = 0, most
    while left > 0 and not stream.eof:
        packed = stream.unconsumed_tail or raw.at(offset, _PIECE)
        if not stream.unconsumed_tail:
            offset += len(packed)
        if not packed:
            return
        try:
            piece = stream.decompress(packed, min(_PIECE, left))
        except zlib.error:
            return
        source.count(len(piece))
        left -= len(piece)
        if piece:
            yield piece
