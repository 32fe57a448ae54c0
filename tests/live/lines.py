"""Reads the lines of logs that grow, and holds each line to the schema once.

A test asks a hundred times a second until something is there, and the log of a session has
thousands of lines: only what is new is read, parsed and looked through.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import BinaryIO, Optional

from analyzer.logline.events import REQUEST
from tests.schema import Line, parsed

# So many of the bytes read last are read again, to see that they are still there.
_KNOWN_BYTES = 256
_MARKER = re.compile("marker-[0-9a-f-]{36}")  # of tests.live.watch.new_marker


class _Read:
    """The whole lines of one file, as far as it was read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begin()

    def _begin(self) -> None:
        self._file = (0, 0)  # device and inode
        self._end = 0  # of what was read
        self._last = b""
        self.lines: list[Line] = []
        self.by_event: dict[str, list[Line]] = {}
        self._by_marker: dict[str, list[Line]] = {}

    def go_on(self) -> None:
        """Read what was written since. Raises FileNotFoundError."""
        with self._path.open("rb") as file:
            if not self._is_same(file):
                self._begin()
            told = os.fstat(file.fileno())
            self._file = told.st_dev, told.st_ino
            file.seek(self._end)
            more = file.read()
        whole = more[: more.rfind(b"\n") + 1]
        for line in [parsed(raw) for raw in whole.decode().splitlines()]:
            self.lines.append(line)
            self.by_event.setdefault(line["event"], []).append(line)
            if line["event"] == REQUEST:
                for marker in set(_MARKER.findall(_path(line))):
                    self._by_marker.setdefault(marker, []).append(line)
        self._end += len(whole)
        self._last = (self._last + whole)[-_KNOWN_BYTES:]

    def _is_same(self, file: BinaryIO) -> bool:
        """Tell whether it is the file that was read, and not another or one written anew."""
        told = os.fstat(file.fileno())
        if (told.st_dev, told.st_ino) != self._file:
            return False
        file.seek(self._end - len(self._last))
        return file.read(len(self._last)) == self._last

    def requests(self, marker: str) -> list[Line]:
        """Return the requests so far whose path has the marker."""
        if _MARKER.fullmatch(marker):
            return list(self._by_marker.get(marker, ()))
        return [line for line in self.by_event.get(REQUEST, ()) if marker in _path(line)]


def _path(line: Line) -> str:
    path: str = line.get("url", {}).get("path", "")
    return path


class GrowingLogs:
    """Lines by file, as far as they are whole; all methods fail for one that fits no schema."""

    def __init__(self) -> None:
        self._files: dict[Path, _Read] = {}

    def lines_of(self, path: Path, event: Optional[str] = None) -> list[Line]:
        """Return the lines of a file, or those of one event. Raises FileNotFoundError."""
        read = self._now(path)
        return list(read.lines if event is None else read.by_event.get(event, ()))

    def requests_of(self, path: Path, marker: str) -> list[Line]:
        """Return the requests in a file whose path has the marker. Raises FileNotFoundError."""
        return self._now(path).requests(marker)

    def _now(self, path: Path) -> _Read:
        read = self._files.setdefault(path, _Read(path))
        read.go_on()
        return read
