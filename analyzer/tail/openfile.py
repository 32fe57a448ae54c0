"""One file that somebody else writes: whole lines, and whether it is still the file it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from analyzer.tail.source import LINE_MAX

# By its first bytes a file is known again after it was renamed, copied or compressed: the first
# line's time has microseconds.
HEAD_BYTES = 512
_ANCHOR_BYTES = 256


class OpenFile:
    """Reads a growing file from ``offset`` on, which is always the start of a line."""

    def __init__(self, path: Path) -> None:
        """Open it. Raises OSError."""
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        found = os.fstat(self.fd)
        self.identity = (found.st_dev, found.st_ino)
        self.offset = 0
        self.head = self.present_head()
        self._is_passing_over = False
        # Where the last line stood, and its first bytes: others there now mean another content.
        self._anchor_at = 0
        self._anchor = b""

    def lines(self) -> Iterator[bytes]:
        """Yield the lines from ``offset`` to the present end; what has no end yet stays."""
        while True:
            data = os.pread(self.fd, LINE_MAX, self.offset)
            if not self._is_anchored():  # asked last: then what was read is of one content
                return
            if self._is_passing_over:
                rest = data.find(b"\n") + 1
                self._is_passing_over = not rest
                self.offset += rest or len(data)
                if data:
                    continue
            *lines, rest_of_line = data.split(b"\n")
            if not lines and len(data) == LINE_MAX:
                self._is_passing_over = True
                self.offset += len(data)
                yield data
                continue
            if not lines:
                return
            self._remember(lines[-1], self.offset + len(data) - len(rest_of_line))
            for line in lines:
                self.offset += len(line) + 1
                yield line

    def present_head(self) -> bytes:
        """Return the first bytes, of whole lines only: part of one may be cut off again."""
        head = os.pread(self.fd, HEAD_BYTES, 0)
        return head if len(head) == HEAD_BYTES else head[: head.rfind(b"\n") + 1]

    def rest(self) -> bytes:
        """Return the start of a line that has no end."""
        return b"" if self._is_passing_over else os.pread(self.fd, LINE_MAX, self.offset)

    def is_emptied(self) -> bool:
        """Tell whether what was read is no longer there, also when as much was written since."""
        if os.fstat(self.fd).st_size < self.offset:
            return True
        return not self._is_anchored()

    def is_deleted(self) -> bool:
        """Tell whether it has no name any more."""
        return os.fstat(self.fd).st_nlink == 0

    def rewind(self, head: bytes) -> None:
        """Go on at the start of another content, which begins like this."""
        self.offset = self._anchor_at = 0
        self.head = head
        self._anchor = head[:_ANCHOR_BYTES]
        self._is_passing_over = False

    def skip_to_end(self) -> None:
        """Pass over all whole lines that are there."""
        end = last_end(self.fd, os.fstat(self.fd).st_size)
        if end:
            for line in backwards(self.fd, end):
                self._remember(line, end)
                break
        self.offset = end

    def close(self) -> None:
        """Close the descriptor; may be called twice."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _is_anchored(self) -> bool:
        return os.pread(self.fd, len(self._anchor), self._anchor_at) == self._anchor

    def _remember(self, last: bytes, end: int) -> None:
        self._anchor_at = end - len(last) - 1
        self._anchor = last[:_ANCHOR_BYTES]
        if len(self.head) < HEAD_BYTES:
            self.head = os.pread(self.fd, min(HEAD_BYTES, end), 0)


def last_end(fd: int, size: int) -> int:
    """Return the offset behind the last whole line."""
    position = size
    while position > 0:
        start = max(0, position - LINE_MAX)
        at = os.pread(fd, position - start, start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        position = start
    return 0


def backwards(fd: int, end: int) -> Iterator[bytes]:
    """Yield the lines before ``end``, itself the end of a line, from the last to the first."""
    position, rest = end - 1, b""  # without the last line's end
    while position > 0:
        start = max(0, position - LINE_MAX)
        first, *lines = (os.pread(fd, position - start, start) + rest).split(b"\n")
        yield from reversed(lines)
        position, rest = start, first
    if end:
        yield rest
