"""Recognises a file by its first bytes; its name says nothing.

In a folder, a file is a log if a line of the analyzer's is near its beginning. A file that the
user names is taken for a log unless it is known to be something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Optional

from analyzer.logline.line import LINE_MAX, parse
from analyzer.report.inputs.file import File
from analyzer.report.inputs.packed import Pieces

_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"
# Both ends of Parquet have its name, and before the last is the length of the description.
_PARQUET_END_BYTES, _PARQUET_LEAST_BYTES = 8, 12

_UNPACK = "unpack it, or use gzip"
_CAPTURE = "is a packet capture: read it with imds-analyzer replay"
_UTF_16 = "is UTF-16: convert it to UTF-8"
# What is not read: where its mark is, the mark, and what to say.
_FOREIGN: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x28\xb5\x2f\xfd", f"is compressed with zstd: {_UNPACK}"),
    (0, b"\xfd7zXZ\0", f"is compressed with xz: {_UNPACK}"),
    (0, b"BZh", f"is compressed with bzip2: {_UNPACK}"),
    (0, b"PK\x03\x04", f"is compressed with zip: {_UNPACK}"),
    (0, b"7z\xbc\xaf\x27\x1c", f"is compressed with 7-Zip: {_UNPACK}"),
    (0, b"\x04\x22\x4d\x18", f"is compressed with lz4: {_UNPACK}"),
    (0, b"\xff\x06\x00\x00sNaPpY", f"is compressed with snappy: {_UNPACK}"),
    (0, b"LZIP", f"is compressed with lzip: {_UNPACK}"),
    (0, b"\x1f\x9d", f"is compressed with compress: {_UNPACK}"),
    (0, b"PARE", "is encrypted Parquet: decrypt it"),
    (257, b"ustar", "is a tar archive: unpack it"),
    (0, b"\xd4\xc3\xb2\xa1", _CAPTURE),
    (0, b"\xa1\xb2\xc3\xd4", _CAPTURE),
    (0, b"\x4d\x3c\xb2\xa1", _CAPTURE),
    (0, b"\xa1\xb2\x3c\x4d", _CAPTURE),
    (0, b"\x0a\x0d\x0d\x0a", _CAPTURE),
    (0, b"\xff\xfe", _UTF_16),
    (0, b"\xfe\xff", _UTF_16),
    (0, b"{\0", _UTF_16),
    (0, b"\0{", _UTF_16),
)
_NO_LINE = "is not a log of the analyzer's"
_CUT_PARQUET = "is Parquet without its end: copy it again"

# Enough for most first lines, so that few bytes of many files are read.
_PIECE_BYTES = 1 << 14
# A torn line of the greatest length may be before the first whole one.
_HEAD_BYTES = 2 * LINE_MAX
# How the analyzer begins a line, of which the end may be missing.
_BEGINNING, _EVENT = b'{"timestamp":"', b'"event":"'
# Zeros of a disk's block, and the mark of UTF-8 that some editors write.
_AROUND = b"\0 \t\r\xef\xbb\xbf"


class Content(NamedTuple):
    """The content of a file; ``problem`` is why it is not read. An empty one holds no line."""

    is_empty: bool = False
    is_gzip: bool = False
    is_parquet: bool = False
    problem: Optional[str] = None


def content_of(path: str, *, is_named: bool) -> Content:
    """Recognise a file, which the user has named or which is in a folder. Raises OSError."""
    with Path(path).open("rb") as stream:
        head = stream.read(_PIECE_BYTES)
        if head.startswith(_PARQUET):
            size = stream.seek(0, 2)
            stream.seek(max(0, size - _PARQUET_END_BYTES))
            return Content(is_parquet=True, problem=_parquet_problem(size, stream.read()))
    is_gzip = head.startswith(_GZIP)
    problem = None if is_gzip else _foreign(head)
    if problem is None and (is_gzip or not is_named):
        problem = _text_problem(File(path, path, 0, is_gzip), is_named=is_named)
    return Content(is_empty=not head, is_gzip=is_gzip, problem=problem)


def _foreign(head: bytes) -> Optional[str]:
    return next((what for at, mark, what in _FOREIGN if head.startswith(mark, at)), None)


def _parquet_problem(size: int, end: bytes) -> Optional[str]:
    length = int.from_bytes(end[:4], "little")
    is_whole = end.endswith(_PARQUET) and length + _PARQUET_LEAST_BYTES <= size
    return None if is_whole else _CUT_PARQUET


def _text_problem(file: File, *, is_named: bool) -> Optional[str]:
    """Return why the text in a file is not read; what is blank is an empty log."""
    pieces = Pieces(file, _PIECE_BYTES)
    head = next(filter(None, pieces), b"")
    if not head:
        return pieces.problem
    if file.is_gzip:
        problem = "is compressed twice: unpack it once" if head[:2] == _GZIP else _foreign(head)
        problem = "is gzip of Parquet: unpack it" if head.startswith(_PARQUET) else problem
        if problem is not None or is_named:
            return problem
    is_blank = True
    for line in _lines(pieces):
        if _is_line(line):
            return None
        is_blank = is_blank and not line.strip()
    return None if is_blank else _NO_LINE


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines at the beginning of a file, the last of them perhaps cut."""
    read, rest = 0, b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
        read += len(piece)
        if read >= _HEAD_BYTES:
            break
    yield rest


def _is_line(raw: bytes) -> bool:
    """Tell whether a line is one of the analyzer's, or the beginning of one."""
    text = raw.strip(_AROUND)
    line = parse(text)
    if line is not None:
        return "event" in line.fields
    # Torn, or whole but more than Python reads.
    return text.startswith(_BEGINNING) and (_EVENT in text or not text.endswith(b"}"))
