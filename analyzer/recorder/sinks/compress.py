"""Compresses a rotated file so that a crash at any time costs no line."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

SUFFIX = ".gz"
PART = ".gz.part"
_PIECE = 1 << 18
_GZIP_WINDOW = 31  # zlib's number for gzip's header around the largest window
# How a line begins, and more than the longest there can be.
_HEAD = 4096
_LINE_MAX = 1 << 20
_TIMESTAMP = re.compile(rb'(?:\A|\n)\{"timestamp":"([0-9T:.Z-]{1,40})"')


class CompressionStopped(Exception):
    """Compressing was asked to end before it was through."""


def target_of(path: Path) -> Path:
    """Return the name that a file has once it is compressed."""
    return path.with_name(path.name + SUFFIX)


def part_of(path: Path) -> Path:
    """Return the name of the compressed file until it is whole."""
    return path.with_name(path.name + PART)


def write_part(path: Path, stop: threading.Event) -> None:
    """Compress ``path`` into :func:`part_of` it, with its mode, owner and time, on the disk.

    Raises Stopped, and OSError; then there is no such file.
    """
    part = part_of(path)
    try:
        _write(path, part, stop)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def span_of(path: Path) -> Optional[tuple[str, str]]:
    """Return the timestamps of a file's first and last line, None where it has none."""
    first, last = b"", b""
    for piece in _pieces(path):
        first = first or piece[:_HEAD]
        last = last[-_LINE_MAX:] + piece if len(piece) < _LINE_MAX else piece
    begins, ends = _TIMESTAMP.search(first), _TIMESTAMP.findall(last)
    return (begins[1].decode(), ends[-1].decode()) if begins and ends else None


def _pieces(path: Path) -> Iterator[bytes]:
    """Yield what a file holds, unpacked, as far as it can be read."""
    unpacker = zlib.decompressobj(_GZIP_WINDOW) if path.name.endswith(SUFFIX) else None
    with contextlib.suppress(OSError, zlib.error), path.open("rb", buffering=0) as file:
        while packed := file.read(_PIECE):
            while packed:
                piece = packed if unpacker is None else unpacker.decompress(packed, _PIECE)
                packed = b"" if unpacker is None else unpacker.unconsumed_tail
                yield piece


def sync_directory(directory: Path) -> None:
    """Have new names on the disk before old ones go. Raises OSError."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _write(path: Path, part: Path, stop: threading.Event) -> None:
    source = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(source, "rb", buffering=0) as plain:
        found = os.fstat(source)
        # Not what another user may have put there, as a hard link to another file.
        part.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(part, flags, 0o600)
        with os.fdopen(fd, "wb") as packed:
            compressor = zlib.compressobj(wbits=_GZIP_WINDOW)
            while piece := plain.read(_PIECE):
                if stop.is_set():
                    raise CompressionStopped
                packed.write(compressor.compress(piece))
            packed.write(compressor.flush())
            packed.flush()
            with contextlib.suppress(PermissionError):
                os.fchown(fd, found.st_uid, found.st_gid)
            os.fchmod(fd, stat.S_IMODE(found.st_mode))
            os.utime(fd, ns=(found.st_atime_ns, found.st_mtime_ns))
            os.fsync(fd)
