"""Finds the compressed copies of files that are there plain, so that no line counts twice.

While a rotated file is compressed, it is there twice: see analyzer.recorder.sinks.compress.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Optional

from analyzer.report.inputs.file import File
from analyzer.report.inputs.packed import Pieces

_COMPRESSED = re.compile(r"(.+)\.gz(\.part)?", re.DOTALL)


def plain_of(path: str) -> Optional[str]:
    """Return the name of the plain file of which a path may be the compressed copy."""
    match = _COMPRESSED.fullmatch(path)
    return None if match is None else match[1]


def is_copy(path: str, plain: str) -> bool:
    """Tell whether a compressed file has nothing but the beginning of a plain one.

    One that is still being written may break off.
    """
    match = _COMPRESSED.fullmatch(path)
    is_part = match is not None and match[2] is not None
    pieces = Pieces(File(path, path, 0, is_gzip=True))
    try:
        with Path(plain).open("rb") as stream:
            is_alike = all(piece == stream.read(len(piece)) for piece in pieces)
    except OSError:
        return False
    return is_alike and (pieces.problem is None or (is_part and pieces.is_cut))
