"""Reads one compressed file that was named; does not follow it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path

from analyzer.errors import AnalyzerError
from analyzer.tail.reading.rotated import UNREADABLE, compressed
from analyzer.tail.reading.source import Say, Start, Wanted, passed_over


class CompressedSource:
    """Gives the lines of one compressed file, and ends."""

    def __init__(self, path: Path, start: Start, wanted: Wanted, say: Say) -> None:
        self.is_over = False
        self._path = path
        self._count = start.lines
        self._wanted = wanted
        self._passed_over = passed_over(str(path), say)

    def read(self, wait_s: float) -> Iterator[bytes]:  # noqa: ARG002 (a Source)
        """Yield the lines. Raises AnalyzerError where it is no compressed file."""
        self.is_over = True
        try:
            lines = compressed(self._path).lines(self._passed_over)
            if self._count is None:
                yield from lines
            else:
                yield from deque(filter(self._wanted, lines), self._count)
        except UNREADABLE as error:
            raise AnalyzerError(f"cannot read {str(self._path)!r}: {error}") from None

    def close(self) -> None:
        """Do nothing: there is nothing to release."""
