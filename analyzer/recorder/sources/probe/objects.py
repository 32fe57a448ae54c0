"""Finds the probe's sources and compiled objects."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import analyzer

_PACKAGE = Path(analyzer.__file__).resolve().parent

# In an installed wheel they lie inside the package, in a source tree beside it.
PLACES = (_PACKAGE / "bpf", _PACKAGE.parent / "bpf")


def bpf_file(name: str) -> Optional[Path]:
    """Return the path of a file below ``bpf/``, or None when it is not there."""
    for place in PLACES:
        if (place / name).is_file():
            return place / name
    return None
