"""Syncs the log to the disk, so that a power cut costs seconds of it and not half a minute.

The kernel writes back what is 30 s old by itself. A sync may take seconds on a busy disk, and so a
thread makes it: neither a request nor a line waits for it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from pathlib import Path
from typing import Optional

from analyzer.recorder.sinks.compress import sync_directory
from analyzer.recorder.sinks.writer import reason_of

# For as long the end of the log is waited for.
CLOSE_S = 2.0
_NO_SYNC = (errno.EINVAL, errno.EROFS)  # of file systems that know none


class Syncer:
    """Syncs one log: when no lines come, and at most ``every_s`` after they were written.

    ``every_s`` 0 leaves it to the kernel.
    """

    def __init__(self, path: str, every_s: float) -> None:
        self.every_s = every_s
        self._directory = Path(path).parent
        self._is_new = True  # whether the directory may not have the file's name yet
        self._is_written = False  # since the last tick
        self._is_dirty = False
        self._due_s = 0.0  # monotonic
        self._fds: list[int] = []  # duplicates that the thread syncs and closes
        self._thread: Optional[threading.Thread] = None
        self._failure: Optional[str] = None
        self._told: Optional[str] = None

    def note(self) -> None:
        """Take note that lines were written."""
        if not self._is_dirty:
            self._is_dirty = True
            self._due_s = time.monotonic() + self.every_s
        self._is_written = True

    def renamed(self, fd: int) -> None:
        """Sync a file that gets no more lines; a new one takes its name."""
        if self._is_dirty:
            self._begin(fd)
        self._is_new = True

    def tick(self, fd: int) -> None:
        """Begin a sync where one is due."""
        is_idle, self._is_written = not self._is_written, False
        if self._is_dirty and (is_idle or time.monotonic() >= self._due_s):
            self._begin(fd)

    def close(self, fd: Optional[int]) -> None:
        """Sync what is left, and wait a while for it."""
        if self._is_dirty and fd is not None:
            self._begin(fd)
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def maybe_failure(self) -> Optional[str]:
        """Return why syncs fail, once for all failures in a row."""
        failure = self._failure
        if failure == self._told:
            return None
        self._told = failure
        return failure

    def _begin(self, fd: int) -> None:
        if not self.every_s:
            return
        is_running = self._thread is not None and self._thread.is_alive()
        if is_running and self._fds:
            return  # the disk is slow, and one more is waiting: it stays due
        try:
            self._fds.append(os.dup(fd))
            if not is_running:
                self._thread = threading.Thread(target=self._work, name="sync", daemon=True)
                self._thread.start()
        except (OSError, RuntimeError) as error:  # no descriptor, or no task, is left
            self._failure = str(error)
            self._close_all()
        else:
            self._is_dirty = False

    def _work(self) -> None:
        while self._fds:
            fd = self._fds.pop(0)
            try:
                os.fdatasync(fd)
                if self._is_new:
                    self._is_new = False
                    sync_directory(self._directory)
                self._failure = None
            except OSError as error:
                if error.errno not in _NO_SYNC:
                    self._failure = reason_of(error)
            finally:
                os.close(fd)

    def _close_all(self) -> None:
        while self._fds:
            with contextlib.suppress(OSError):
                os.close(self._fds.pop())
