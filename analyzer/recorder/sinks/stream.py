"""Writes the log to standard output, a pipe or a device."""

from __future__ import annotations

import contextlib
import os
import select
import stat
import time
from collections.abc import Iterable
from typing import Optional

from analyzer.recorder.sinks.writer import SEND_S, Busy, Notice


class StreamWriter:
    """Writes to an open descriptor, which becomes its own.

    What standard output is redirected to may be a file on a full disk: that is waited for, and
    so is a reader that is slow. One that has ended does not come back.
    """

    def __init__(self, fd: int, name: str) -> None:
        self.name = name
        self._fd: Optional[int] = fd
        self._room = select.poll()
        try:
            self.may_pause = stat.S_ISREG(os.fstat(fd).st_mode)
            self._room.register(fd, select.POLLOUT)
            self._may_block = not self.may_pause
        except OSError:  # closed: the first write says so
            self.may_pause = self._may_block = False

    def write(self, lines: bytearray) -> int:
        """Take bytes. Raises Busy where nobody reads them, and OSError."""
        if self._fd is None:
            return len(lines)
        if not self._may_block:
            return os.write(self._fd, lines)
        # A write that waits for its reader would hold up all else, also the end. Where there is
        # room at all there is room for this much; to make it non-blocking is not up to us, for
        # others have it, too.
        piece = lines[: select.PIPE_BUF]
        deadline = time.monotonic() + SEND_S
        while self._room.poll(SEND_S * 1000) and time.monotonic() < deadline:
            # Another writer may be faster.
            with contextlib.suppress(BlockingIOError):
                return os.write(self._fd, piece)
        raise Busy("its reader takes no more")

    def tick(self) -> Iterable[bytes]:
        """Do nothing: a stream needs no upkeep."""
        return ()

    def reopen(self) -> Iterable[bytes]:
        """Do nothing: only who opened it could open it again."""
        return ()

    def notices(self) -> list[Notice]:
        """Return no notices."""
        return []

    def close(self) -> None:
        """Close the descriptor."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
