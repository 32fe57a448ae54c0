"""Reads a file piece by piece, unpacks gzip on the way, and checks gzip to its end."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Optional

from analyzer.report.inputs.file import File

PIECE_BYTES = 1 << 20
_GZIP_WINDOW = 31  # zlib's number for gzip's header around the largest window
# Flags of a member's header: none, or a file name. DuckDB refuses the others, which are valid.
_USUAL_FLAGS = (0x00, 0x08)
_FLAGS_AT = 3


class Pieces:
    """A file's bytes, unpacked, as far as that is possible.

    After the last piece, ``problem`` says why there is no more, None at the regular end. For gzip
    that means that the checksum and the length of each member are right. ``is_usual`` says that
    gzip has nothing that some readers refuse: padding, or rare fields of a header. ``is_cut`` says
    that the problem is a missing end.
    """

    def __init__(self, file: File, piece_bytes: int = PIECE_BYTES) -> None:
        self._file = file
        self._piece_bytes = piece_bytes
        self.problem: Optional[str] = None
        self.is_usual = True
        self.is_cut = False

    def __iter__(self) -> Iterator[bytes]:
        """Yield pieces of bounded length."""
        try:
            with Path(self._file.path).open("rb") as stream:
                if self._file.is_gzip:
                    yield from self._unpacked(stream)
                else:
                    yield from iter(lambda: stream.read(self._piece_bytes), b"")
        except OSError as error:
            self.problem = f"cannot be read any further: {error.strerror}"

    def _unpacked(self, stream: BinaryIO) -> Iterator[bytes]:
        unpacker = zlib.decompressobj(_GZIP_WINDOW)
        is_first = is_new = True
        packed = stream.read(self._piece_bytes)
        while packed:
            if is_new:
                flags = packed[_FLAGS_AT] if len(packed) > _FLAGS_AT else None
                self.is_usual = self.is_usual and flags in _USUAL_FLAGS
                is_new = False
            before = unpacker.copy()
            try:
                piece = unpacker.decompress(packed, self._piece_bytes)
            except zlib.error:
                yield from _until_error(before, packed)
                what = "data is damaged" if is_first else "data is followed by what is none"
                self.problem = f"its compressed {what}: read up to there"
                return
            yield piece
            packed = unpacker.unconsumed_tail
            if unpacker.eof:  # further members may follow, or zeros that fill a block
                is_first, is_new = False, True
                packed = self._next_member(unpacker.unused_data, stream)
                unpacker = zlib.decompressobj(_GZIP_WINDOW)
            elif not packed:
                packed = stream.read(self._piece_bytes)
                if not packed:
                    self.is_cut = True
                    self.problem = "its compressed data ends early: read up to there"

    def _next_member(self, rest: bytes, stream: BinaryIO) -> bytes:
        """Return the bytes from the next member on, empty where there is none."""
        while True:
            rest = rest or stream.read(self._piece_bytes)
            member = rest.lstrip(b"\0")
            self.is_usual = self.is_usual and len(member) == len(rest)
            if member or not rest:
                return member
            rest = b""


def _until_error(unpacker: zlib._Decompress, packed: bytes) -> Iterator[bytes]:
    """Yield what comes out before the byte at which zlib gives up."""
    try:
        for at in range(len(packed)):
            yield unpacker.decompress(packed[at : at + 1])
    except zlib.error:
        return
