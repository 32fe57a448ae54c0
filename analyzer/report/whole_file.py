"""Reads a file that somebody else's program printed, up to a bound."""

from __future__ import annotations

from pathlib import Path

from analyzer.errors import AnalyzerError
from analyzer.text import visible


def read_whole(path: Path, size_max: int, what: str, remedy: str, fewer: str = "") -> bytes:
    """Return the content.

    Raises AnalyzerError where it cannot be read, or is larger than ``size_max`` bytes. It calls the
    content ``what`` and says the ``remedy``: for what is too large, ``fewer`` if that is given.
    """
    name = visible(str(path))
    try:
        with path.open("rb") as file:
            raw = file.read(size_max + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "this is not a valid path"
        raise AnalyzerError(f"cannot read {what} {name!r}: {why}. {remedy}") from None
    if len(raw) > size_max:
        raise AnalyzerError(f"{name}: is larger than {size_max >> 20} MiB. {fewer or remedy}")
    return raw
