"""Compress a file that is no longer written, so that a crash at any time costs no line."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import zlib
from pathlib import Path

SUFFIX = ".gz"
PART = ".gz.part"
_PIECE = 1 << 18
_GZIP_WINDOW = 31  # zlib's number for gzip's header around the largest window


class Stopped(Exception):
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
                    raise Stopped
                packed.write(compressor.compress(piece))
            packed.write(compressor.flush())
            packed.flush()
            with contextlib.suppress(PermissionError):
                os.fchown(fd, found.st_uid, found.st_gid)
            os.fchmod(fd, stat.S_IMODE(found.st_mode))
            os.utime(fd, ns=(found.st_atime_ns, found.st_mtime_ns))
            os.fsync(fd)
