"""Gzip is read to its end, and what is wrong with it is said."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import pytest

from analyzer.report.inputs import File
from analyzer.report.inputs.packed import Pieces

TEXT = b"".join(b'{"event":"heartbeat","n":%d}\n' % at for at in range(200))
PACKED = gzip.compress(TEXT)
PIECE_BYTES = (1 << 20, 100, 7, 1)
# Operating system, time, extra flags: nothing depends on them.
HEADER_WITHOUT_MEANING = range(4, 10)


def with_header(flags: int, fields: bytes) -> bytes:
    """Return the packed text behind a header with rare fields."""
    return PACKED[:3] + bytes([flags]) + PACKED[4:10] + fields + PACKED[10:]


def with_header_checksum() -> bytes:
    header = PACKED[:3] + b"\x02" + PACKED[4:10]
    return header + struct.pack("<H", zlib.crc32(header) & 0xFFFF) + PACKED[10:]


def read(path: Path, content: bytes, piece_bytes: int) -> tuple[bytes, Pieces]:
    path.write_bytes(content)
    pieces = Pieces(File(str(path), str(path), len(content), is_gzip=True), piece_bytes)
    return b"".join(pieces), pieces


WHOLE: dict[str, tuple[bytes, bytes, bool]] = {
    "one member": (PACKED, TEXT, True),
    "an empty one": (gzip.compress(b""), b"", True),
    "three members": (PACKED + gzip.compress(b"") + PACKED, TEXT * 2, True),
    "with a name": (with_header(0x08, b"imds.jsonl\0"), TEXT, True),
    "padding behind": (PACKED + bytes(512), TEXT, False),
    "padding between": (PACKED + bytes(512) + PACKED, TEXT * 2, False),
    "extra field": (with_header(0x04, b"\x04\x00BGZF"), TEXT, False),
    "comment": (with_header(0x10, b"a comment\0"), TEXT, False),
    "checksum of the header": (with_header_checksum(), TEXT, False),
    "extra field in the second": (PACKED + with_header(0x04, b"\x01\x00B"), TEXT * 2, False),
}


@pytest.mark.parametrize("piece_bytes", PIECE_BYTES)
@pytest.mark.parametrize("name", WHOLE)
def test_what_gzip_may_have_is_read(tmp_path: Path, name: str, piece_bytes: int) -> None:
    """Every member of it, however the bytes come; what is rare is said."""
    content, text, is_usual = WHOLE[name]
    found, pieces = read(tmp_path / "a.gz", content, piece_bytes)
    assert (found, pieces.problem) == (text, None)
    # A header that comes in parts may count as rare: then it is only read once more.
    assert pieces.is_usual is is_usual or piece_bytes <= 7


CUT = "its compressed data ends early: read up to there"
DAMAGED = "its compressed data is damaged: read up to there"
FOLLOWED = "its compressed data is followed by what is none: read up to there"
BROKEN: dict[str, tuple[bytes, bytes, str]] = {
    "checksum": (PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:], TEXT, DAMAGED),
    "length": (PACKED[:-4] + b"\1\0\0\0", TEXT, DAMAGED),
    "checksum of the first of two": (PACKED[:-8] + bytes(4) + PACKED[-4:] + PACKED, TEXT, DAMAGED),
    "checksum of the second": (PACKED + PACKED[:-8] + bytes(4) + PACKED[-4:], TEXT * 2, FOLLOWED),
    "without its last byte": (PACKED[:-1], TEXT, CUT),
    "without its checksum": (PACKED[:-8], TEXT, CUT),
    "second cut in its header": (PACKED + PACKED[:5], TEXT, CUT),
    "something else behind": (PACKED + b"more", TEXT, FOLLOWED),
    "something else between": (PACKED + b"more" + PACKED, TEXT, FOLLOWED),
    "something else behind padding": (PACKED + bytes(512) + b"more", TEXT, FOLLOWED),
}


@pytest.mark.parametrize("piece_bytes", PIECE_BYTES)
@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_with_gzip_is_said(tmp_path: Path, name: str, piece_bytes: int) -> None:
    """And all is read that comes before it."""
    content, text, problem = BROKEN[name]
    found, pieces = read(tmp_path / "a.gz", content, piece_bytes)
    assert (found, pieces.problem, pieces.is_cut) == (text, problem, problem == CUT)


def test_no_change_of_a_byte_passes(tmp_path: Path) -> None:
    """Of any byte that has a meaning: what is read is right, or something is said to be wrong."""
    for at in range(len(PACKED)):
        if at in HEADER_WITHOUT_MEANING:
            continue
        changed = bytearray(PACKED)
        changed[at] ^= 1 << at % 8
        found, pieces = read(tmp_path / "a.gz", bytes(changed), 1 << 20)
        assert pieces.problem is not None or found == TEXT, at


def test_no_missing_end_passes(tmp_path: Path) -> None:
    """Wherever it breaks off, but between members."""
    two = PACKED + PACKED
    for end in range(1, len(two)):
        found, pieces = read(tmp_path / "a.gz", two[:end], 1 << 20)
        assert (TEXT * 2).startswith(found)
        assert (pieces.problem == CUT) is (end != len(PACKED)), end


def test_a_file_that_cannot_be_read_to_its_end_is_said() -> None:
    """With the system's word for it."""
    pieces = Pieces(File("memory", "/proc/self/mem", 0))
    assert list(pieces) == []
    assert pieces.problem == "cannot be read any further: Input/output error"
