"""Reads the descriptions of AWS's APIs that come with botocore, in less time than botocore does.

EC2's has 4 MB. botocore makes ordered dicts of it, which the garbage collector then looks through.
msgspec makes plain ones in a third of the time.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any


def quick(loader: Any) -> Any:  # noqa: ANN401 (botocore's)
    """Return a loader of botocore's that reads files by msgspec; it keeps what it has read."""
    loader.file_loader = _Files()
    return loader


class _Files:
    """Reads the files that botocore's JSONFileLoader reads. Paths are without the ending."""

    def exists(self, file_path: str) -> bool:
        """Tell whether there is a file."""
        return bool(_files(file_path))

    def load_file(self, file_path: str) -> Any:  # noqa: ANN401 (of any shape)
        """Return what is in it, None if there is none.

        A damaged file raises what gzip or msgspec does: OSError, EOFError, zlib.error, ValueError.
        """
        import msgspec  # noqa: PLC0415 (an extra)

        for file in _files(file_path):
            raw = file.read_bytes()
            return msgspec.json.decode(gzip.decompress(raw) if file.suffix == ".gz" else raw)
        return None


def _files(file_path: str) -> list[Path]:
    named = (Path(file_path + ending) for ending in (".json", ".json.gz"))
    return [file for file in named if file.is_file()]
