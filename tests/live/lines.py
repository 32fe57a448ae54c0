"""Reads the lines of logs that grow, and holds each line to the schema once."""

from __future__ import annotations

from pathlib import Path

from tests.schema import Line, parsed


class _Read:
    """The whole lines of one file, as far as it was read."""

    def __init__(self) -> None:
        self.raw = b""
        self.lines: list[Line] = []


class GrowingLogs:
    """Lines by file. A test asks for them a hundred times a second until something is there."""

    def __init__(self) -> None:
        self._files: dict[Path, _Read] = {}

    def lines_of(self, path: Path) -> list[Line]:
        """Return the whole lines of a file; fails for one that fits no schema."""
        raw = path.read_bytes()
        read = self._files.setdefault(path, _Read())
        if not raw.startswith(read.raw):  # another file of that name
            read = self._files[path] = _Read()
        end = raw.rfind(b"\n") + 1
        read.lines += [parsed(line) for line in raw[len(read.raw) : end].decode().splitlines()]
        read.raw = raw[:end]
        return list(read.lines)
