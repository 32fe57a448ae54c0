"""Makes trees of files for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Union


def tree(root: Path, files: Mapping[str, Union[str, bytes]]) -> Path:
    """Write files by their absolute paths below a root, and return the root."""
    for path, content in files.items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        raw = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        place.write_bytes(raw)
    return root
