"""Where lines come from: a file, the journal, or standard input."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from typing import Callable, NamedTuple, Optional, Protocol

from analyzer.errors import AnalyzerError

# The longest line a caller can bring about has 70 KB. Of a longer one this much is taken, which is
# no line of this program then; the rest of it is passed over.
LINE_MAX = 1 << 20

# Says something to the person who watches, beside the lines.
Say = Callable[[str], None]
# Whether a line will be shown: only such lines count for the last so many.
Wanted = Callable[[bytes], bool]


class Start(NamedTuple):
    """What is shown of the lines that are there already.

    ``lines`` is how many of the last wanted ones, None for all. ``is_deep`` says whether to go back
    into what was put aside, or of the journal into what was before the last boot.
    """

    lines: Optional[int]
    is_deep: bool = True


class Source(Protocol):
    """Gives whole lines, without their ends."""

    is_over: bool  # nothing more will come

    def read(self, wait_s: float) -> Iterator[bytes]:
        """Yield the lines that are new; waits up to ``wait_s`` where there are none."""
        ...

    def close(self) -> None:
        """Release everything; may be called twice."""
        ...


class Splitter:
    """Cuts bytes that come in pieces into lines."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_passing_over = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the lines that have ended."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if self._is_passing_over:
                self._is_passing_over = False
            else:
                yield line[:LINE_MAX]
        if len(self._rest) > LINE_MAX:
            if not self._is_passing_over:
                yield self._rest[:LINE_MAX]
            self._is_passing_over = True
            self._rest = b""

    def end(self) -> Iterator[bytes]:
        """Yield what has no end, because nothing more comes."""
        if self._rest and not self._is_passing_over:
            yield self._rest
        self._rest = b""


class StreamSource:
    """Reads a descriptor of somebody else's, such as standard input, until it ends."""

    _PIECE = 1 << 16

    def __init__(self, fd: int) -> None:
        self.is_over = False
        self._fd = fd
        self._splitter = Splitter()
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
