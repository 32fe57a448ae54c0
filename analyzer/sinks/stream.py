"""Standard output, a pipe or a device: what is written there is somebody else's."""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Iterable
from typing import Optional

from analyzer.sinks.writer import Notice


class StreamWriter:
    """Writes to an open descriptor, which becomes its own.

    What standard output is redirected to may be a file on a full disk: that is waited for. A
    reader that has ended does not come back.
    """

    def __init__(self, fd: int, name: str) -> None:
        self.name = name
        self._fd: Optional[int] = fd
        try:
            self.may_pause = stat.S_ISREG(os.fstat(fd).st_mode)
        except OSError:  # closed: the first write says so
            self.may_pause = False

    def write(self, lines: bytearray) -> int:
        """Take bytes; waits where somebody else made the pipe non-blocking. Raises OSError."""
        if self._fd is None:
            return len(lines)
        while True:
            try:
                return os.write(self._fd, lines)
            except BlockingIOError:
                select.select([], [self._fd], [])

    def tick(self) -> Iterable[bytes]:
        """There is nothing to look after."""
        return ()

    def reopen(self) -> Iterable[bytes]:
        """Do nothing: only who opened it could open it again."""
        return ()

    def notices(self) -> list[Notice]:
        """There is never anything to say."""
        return []

    def close(self) -> None:
        """Close the descriptor."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
