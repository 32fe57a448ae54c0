"""Defines the sources of lines: a file, the journal, or standard input."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from typing import Callable, NamedTuple, Optional, Protocol

from analyzer.errors import AnalyzerError
from analyzer.logline.line import LINE_MAX

# Says something to the person who watches, beside the lines.
Say = Callable[[str], None]
# Is told how many bytes of a line that is too long were passed over, once it has ended.
PassedOver = Callable[[int], None]
# Whether a line will be shown: only such lines count for the last so many.
Wanted = Callable[[bytes], bool]


class Start(NamedTuple):
    """The part of the existing lines that is shown.

    ``lines`` is how many of the last wanted ones, None for all. ``is_deep`` says whether to go back
    into rotated files, or of the journal into what was before the last boot.
    """

    lines: Optional[int]
    is_deep: bool = True


class LineSource(Protocol):
    """Gives whole lines, without their ends."""

    is_over: bool  # nothing more will come

    def read(self, wait_s: float) -> Iterator[bytes]:
        """Yield the lines that are new; waits up to ``wait_s`` where there are none."""
        ...

    def close(self) -> None:
        """Release everything; may be called twice."""
        ...


class Splitter:
    """Cuts bytes that come in pieces into lines; holds at most LINE_MAX of them."""

    def __init__(self, passed_over: PassedOver) -> None:
        self._tell = passed_over
        self._held = bytearray()
        self._passed_over = 0  # bytes of the present line, of which LINE_MAX were yielded

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the lines that have ended, and of one that is too long the first LINE_MAX."""
        *lines, rest = data.split(b"\n")
        for line in lines:
            yield from self._take(line)
            if not self._passed_over:
                yield bytes(self._held)
            self._forget()
        yield from self._take(rest)

    def end(self) -> Iterator[bytes]:
        """Yield what has no end, because nothing more comes."""
        if self._held:
            yield bytes(self._held)
        self._forget()

    def _take(self, part: bytes) -> Iterator[bytes]:
        if self._passed_over:
            self._passed_over += len(part)
            return
        self._held += part
        if len(self._held) > LINE_MAX:
            self._passed_over = len(self._held) - LINE_MAX
            yield bytes(self._held[:LINE_MAX])
            self._held.clear()

    def _forget(self) -> None:
        """Begin with the next line."""
        if self._passed_over:
            self._tell(self._passed_over)
        self._passed_over = 0
        self._held.clear()


def passed_over(name: str, say: Say) -> PassedOver:
    """Return what tells the person who watches of lines in ``name`` that are too long."""
    return lambda count: say(
        f"{name} has a line of more than {LINE_MAX >> 20} MiB; {count} bytes of it were passed over"
    )


class StreamSource:
    """Reads a descriptor of somebody else's, such as standard input, until it ends."""

    _PIECE = 1 << 16

    def __init__(self, fd: int, say: Say) -> None:
        self.is_over = False
        self._fd = fd
        self._splitter = Splitter(passed_over("standard input", say))
        self._poller = select.poll()
        self._poller.register(fd, select.POLLIN)

    def read(self, wait_s: float) -> Iterator[bytes]:
        """Yield the lines that are new. Raises AnalyzerError where it cannot be read."""
        if self.is_over or not self._poller.poll(wait_s * 1000):
            return
        try:
            data = os.read(self._fd, self._PIECE)
        except OSError as error:
            raise AnalyzerError(f"cannot read standard input: {error.strerror}.") from None
        if data:
            yield from self._splitter.feed(data)
        else:
            self.is_over = True
            yield from self._splitter.end()

    def close(self) -> None:
        """Leave the descriptor open: it is not ours."""
        self.is_over = True
