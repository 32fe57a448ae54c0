"""Reads parts of a file at offsets, within the file's bounds and a budget's.

Archives hold archives: a part of a file is read as if it were a file of its own.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import Optional

from analyzer.software.budget import Budget
from analyzer.software.root import Root
from analyzer.software.subject import Subject

DELETED = " (deleted)"  # behind a path, by d_path() in the kernel's fs/d_path.c
_DESCRIPTORS_MAX = 4096


class Source:
    """A part of an open file. Methods raise OSError and Spent."""

    def __init__(self, fd: int, size: int, budget: Optional[Budget], start: int = 0) -> None:
        """Take a part that begins at ``start``; the caller keeps the descriptor open."""
        self._fd = fd
        self._start = start
        self._budget = budget
        self.size = size

    def at(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from an offset on; fewer at the end, none outside."""
        size = min(size, self.size - offset)
        if offset < 0 or size <= 0:
            return b""
        self.count(size)
        return os.pread(self._fd, size, self._start + offset)

    def count(self, size: int) -> None:
        """Count bytes that come of those that were read, such as inflated ones."""
        if self._budget is not None:
            self._budget.read(size)

    def part(self, offset: int, size: int) -> Source:
        """Return a part of this part, cut at its end."""
        offset = min(max(offset, 0), self.size)
        size = min(max(size, 0), self.size - offset)
        return Source(self._fd, size, self._budget, self._start + offset)


@contextlib.contextmanager
def open_source(root: Root, path: str) -> Iterator[Source]:
    """Open a regular file. Raises OSError, also for a path that no file can have."""
    try:
        file = root.open(path)
    except ValueError as error:  # a NUL or half a surrogate pair, from a file that names files
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path) from error
    with file:
        yield Source(file.fileno(), os.fstat(file.fileno()).st_size, root.budget)


@contextlib.contextmanager
def open_program(subject: Subject) -> Iterator[Source]:
    """Open a process's program, also if its file was deleted or replaced since."""
    fd = None if subject.pid is None else _maybe_open_running(subject, subject.pid)
    if fd is None:
        with open_source(subject.root, subject.executable) as source:
            yield source
        return
    try:
        yield Source(fd, os.fstat(fd).st_size, subject.root.budget)
    finally:
        os.close(fd)


@contextlib.contextmanager
def open_deleted(subject: Subject, path: str) -> Iterator[Source]:
    """Open a file that a process has open and that was deleted, or replaced by another.

    ``path`` is the one that it had. Raises FileNotFoundError if no descriptor is of it.
    """
    folder = f"/proc/{subject.pid}/fd"
    for name in [] if subject.pid is None else os.listdir(folder)[:_DESCRIPTORS_MAX]:  # noqa: PTH208
        try:
            if os.readlink(f"{folder}/{name}") != path + DELETED:  # noqa: PTH115 (as above)
                continue
            fd = _open_regular(f"{folder}/{name}")
        except FileNotFoundError:  # closed meanwhile
            continue
        try:
            if subject.root.budget is not None:
                subject.root.budget.file()
            yield Source(fd, os.fstat(fd).st_size, subject.root.budget)
        finally:
            os.close(fd)
        return
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def _open_regular(link: str) -> int:
    """Open what a descriptor's link leads to; to open a FIFO would wait for a writer."""
    place = os.open(link, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(place).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", link)
        return os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(place)


def _maybe_open_running(subject: Subject, pid: int) -> Optional[int]:
    """Open what the kernel runs, unless the process is gone or runs another program by now."""
    link = f"/proc/{pid}/exe"
    try:
        fd = os.open(link, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        running = os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 (of a descriptor)
        is_same = running in (subject.executable, subject.executable + DELETED)
        if is_same and subject.root.budget is not None:
            subject.root.budget.file()
    except BaseException:
        os.close(fd)
        raise
    if not is_same:
        os.close(fd)
        return None
    return fd
