"""Reads a file that may be gzip, up to a bound."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

_GZIP = b"\x1f\x8b"


class DamagedGzipError(Exception):
    """A file begins as gzip, and cannot be unpacked to its end."""


def unpacked(path: Path, size_max: int) -> bytes:
    """Return the content, ``size_max`` + 1 bytes of one that is larger.

    Raises OSError, ValueError for what is no path, and DamagedGzipError.
    """
    with path.open("rb") as file:
        raw = file.read(size_max + 1)
    if not raw.startswith(_GZIP):
        return raw
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as packed:
            return packed.read(size_max + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DamagedGzipError(error) from None
