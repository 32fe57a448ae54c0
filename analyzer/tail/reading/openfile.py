"""Reads whole lines of one file that somebody else writes, and sees if it was replaced."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from analyzer.logline.line import LINE_MAX
from analyzer.tail.reading.source import PassedOver

# By its first bytes a file is known again after it was renamed, copied or compressed: the first
# line's time has microseconds.
HEAD_BYTES = 512
_ANCHOR_BYTES = 256


class OpenFile:
    """Reads a growing file from ``offset`` on, which is always the start of a line."""

    def __init__(self, path: Path, passed_over: PassedOver) -> None:
        """Open it. Raises OSError."""
        self._tell = passed_over
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        found = os.fstat(self.fd)
        self.identity = (found.st_dev, found.st_ino)
        self.offset = 0
        self.head = self.present_head()
        self._is_passing_over = False
        self._passed_over = 0  # bytes of the present line
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
                self._pass_over(data)
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
            end = self.offset + len(data) - len(rest_of_line)
            self._remember(lines[-1], end - len(lines[-1]) - 1)
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
        self._tell_passed_over()

    def skip_to_end(self) -> None:
        """Pass over all whole lines that are there."""
        end = last_end(self.fd, os.fstat(self.fd).st_size)
        for found in backwards(self.fd, end):
            self._remember(found.line, found.start)
            break
        self.offset = end

    def close(self) -> None:
        """Close the descriptor; may be called twice."""
        self._tell_passed_over()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _is_anchored(self) -> bool:
        return os.pread(self.fd, len(self._anchor), self._anchor_at) == self._anchor

    def _pass_over(self, data: bytes) -> None:
        """Go on behind the end of a line that is too long, or behind all of ``data``."""
        at = data.find(b"\n")
        self._passed_over += len(data) if at < 0 else at
        self.offset += len(data) if at < 0 else at + 1
        if at >= 0:
            self._is_passing_over = False
            self._tell_passed_over()

    def _tell_passed_over(self) -> None:
        if self._passed_over:
            self._tell(self._passed_over)
            self._passed_over = 0

    def _remember(self, last: bytes, start: int) -> None:
        self._anchor_at = start
        self._anchor = last[:_ANCHOR_BYTES]
        if len(self.head) < HEAD_BYTES:
            self.head = os.pread(self.fd, min(HEAD_BYTES, start + len(last) + 1), 0)


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


class FoundLine(NamedTuple):
    """A line, and where it begins. Of one that is too long it is the first LINE_MAX bytes."""

    start: int
    line: bytes
    passed_over: int  # bytes of it that are not in ``line``


def backwards(fd: int, end: int) -> Iterator[FoundLine]:
    """Yield the lines before ``end``, itself the end of a line, from the last to the first.

    What is held at once is bounded, and each byte is read once, whatever length the lines have.
    """
    line_end = position = end - 1  # without the last line's end
    rest, is_long = b"", False
    while position > 0:
        start = max(0, position - LINE_MAX)
        data = os.pread(fd, position - start, start)
        upto = len(data)
        at = data.rfind(b"\n")
        while at >= 0:
            text = b"" if is_long else data[at + 1 : upto] + rest
            yield _found(fd, start + at + 1, line_end, text)
            rest, is_long = b"", False
            line_end, upto = start + at, at
            at = data.rfind(b"\n", 0, upto)
        rest = b"" if is_long else data[:upto] + rest
        if len(rest) > LINE_MAX:
            rest, is_long = b"", True
        position = start
    if end:
        yield _found(fd, 0, line_end, rest)


def _found(fd: int, start: int, end: int, text: bytes) -> FoundLine:
    """Return a line of which ``text`` is all, or more than is held."""
    length = end - start
    if length <= LINE_MAX:
        return FoundLine(start, text, 0)
    return FoundLine(start, os.pread(fd, LINE_MAX, start), length - LINE_MAX)
