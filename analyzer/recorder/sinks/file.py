"""Writes whole lines to a log file, as its only writer, and finds it again when it was moved."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Optional

from analyzer.errors import SinkError
from analyzer.logline.events import LOG_NOT_SYNCED, LOG_REOPENED, LOG_ROTATED
from analyzer.recorder.sinks.repair import mend
from analyzer.recorder.sinks.rotation import Archive
from analyzer.recorder.sinks.stream import StreamWriter
from analyzer.recorder.sinks.sync import Syncer
from analyzer.recorder.sinks.trusted import open_file as open_trusted
from analyzer.recorder.sinks.writer import InUse, Notice, Writer, reason_of, sink_error

DIRECTORY_MODE = 0o750
FILE_MODE = 0o640
# Lines that were written to a deleted file are read back in pieces of about this size.
_PIECE = 1 << 20

_GROUP_NOT_KEPT = (
    "the new file has not the group {group} of the former one, which this user may not give it:"
    " chgrp {group} {directory} and chmod g+s {directory} do it for each new file"
)
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)  # some network file systems


def open_stdout() -> Writer:
    """Return a writer to standard output, which stays open for others when it is closed."""
    if sys.stdout is None:  # it was closed, and descriptor 1 may be anything by now
        closed = OSError(errno.EBADF, os.strerror(errno.EBADF))
        raise sink_error("open", "standard output", closed)
    try:
        sys.stdout.flush()
        return StreamWriter(os.dup(1), "standard output")
    except OSError as error:
        raise sink_error("open", "standard output", error) from None


def open_file(path: str, archive: Optional[Archive] = None, sync_s: float = 0) -> Writer:
    """Open ``path`` for appending; with an archive it is rotated when it is large.

    Lines are on the disk ``sync_s`` later; 0 leaves that to the kernel.

    Makes missing directories (0750) and the file (0640); leaves what exists as it is. A pipe or a
    device is written as it is. Raises SinkError where it cannot be written.
    """
    try:
        fd = _open(path)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return StreamWriter(fd, path)
        return FileWriter(fd, path, archive, Syncer(path, sync_s))
    except OSError as error:
        raise sink_error("open", path, error) from None
    except ValueError:  # a NUL byte
        raise SinkError(f"cannot open the log {path!r}: this is not a valid path.") from None


class FileWriter:
    """Appends to a regular file; made by :func:`open_file`."""

    may_pause = True

    def __init__(self, fd: int, path: str, archive: Optional[Archive], syncer: Syncer) -> None:
        """Take a descriptor for its own. Raises OSError and SinkError, and closes it then."""
        self.name = path
        self.archive = archive
        self.syncer = syncer
        self._notices: list[Notice] = []
        self._fd: Optional[int] = None
        self._adopt(fd)
        if archive is not None:
            archive.warn_if_stuck()

    def write(self, lines: bytearray) -> int:
        """Take lines; returns how many bytes. Raises OSError, and leaves no part of a line."""
        fd = self._fd if self._fd is not None else self._open_again()
        if self._cut_to is not None:
            self._cut(fd, self._cut_to)
        if self.archive is not None and self._size + len(lines) > self.archive.rotate_bytes:
            if self._size:
                fd = self._put_aside(fd, self.archive)
            end = lines.rfind(b"\n", 0, self.archive.rotate_bytes) + 1
            lines = lines[:end] if end else lines
        written = 0
        try:
            written = os.write(fd, lines)
            while written < len(lines):
                written += os.write(fd, lines[written:])
        except OSError:
            whole = lines.rfind(b"\n", 0, written) + 1
            self._size += whole
            if written > whole:
                with contextlib.suppress(OSError):
                    self._cut(fd, os.fstat(fd).st_size - (written - whole))
            if whole:
                return whole
            raise
        self._size += written
        self.syncer.note()
        return written

    def tick(self) -> Iterable[bytes]:
        """Find out whether the file is still there; begin what is due in the archive."""
        if self.archive is not None:
            self.archive.tick()
        if self._fd is not None:
            self.syncer.tick(self._fd)
        failure = self.syncer.maybe_failure()
        if failure is not None:
            fields: dict[str, object] = {"log": {"file": {"path": self.name}}, "reason": failure}
            self._notices.append(Notice(LOG_NOT_SYNCED, "warning", fields))
        return self._look_after(is_asked=False)

    def reopen(self) -> Iterable[bytes]:
        """Open the path anew, where it is another file by now."""
        return self._look_after(is_asked=True)

    def notices(self) -> list[Notice]:
        """Return what there is to say since the last call."""
        told, self._notices = self._notices, []
        return told + (self.archive.notices() if self.archive is not None else [])

    def close(self) -> None:
        """Close the file, and leave the archive as it is."""
        if self.archive is not None:
            self.archive.close()
        self.syncer.close(self._fd)
        self._release()

    def _adopt(self, fd: int) -> None:
        """Make a descriptor our own: locked, at the end of a whole line."""
        try:
            _lock(fd)
            notice = mend(fd, self.name)
            found = os.fstat(fd)
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        self._identity = (found.st_dev, found.st_ino)
        # What is known to be in a file that has its name.
        self._size = self._safe_size = found.st_size
        # Where the last whole line ends, while part of another could not be cut off.
        self._cut_to: Optional[int] = None
        if notice is not None:
            self._notices.append(notice)

    def _release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _open_again(self) -> int:
        try:
            fd = _open(self.name)
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                os.close(fd)
                raise OSError(errno.EINVAL, "something else than a file has its name by now")
            self._adopt(fd)
        except SinkError as error:
            raise OSError(errno.EINVAL, str(error)) from None
        return fd

    def _put_aside(self, fd: int, archive: Archive) -> int:
        """Rename the file, and go on in a new one with its mode and group. Raises OSError.

        Where it cannot be renamed it goes on as it is.
        """
        name = archive.maybe_put_aside()
        if name is None:
            return fd
        former = os.fstat(fd)
        self.syncer.renamed(fd)
        fields: dict[str, object] = {"log": {"file": {"path": name}}, "size_bytes": self._size}
        told = Notice(LOG_ROTATED, "info", fields)
        self._notices.append(told)
        self._release()
        fd = self._open_again()
        # Who could read the former file can read this one.
        try:
            os.fchown(fd, -1, former.st_gid)
        except PermissionError:
            at = self._notices.index(told)
            warning = _GROUP_NOT_KEPT.format(group=former.st_gid, directory=Path(self.name).parent)
            self._notices[at] = told._replace(
                level="warning", fields={**fields, "warning": warning}
            )
        os.fchmod(fd, stat.S_IMODE(former.st_mode))
        return fd

    def _cut(self, fd: int, size: int) -> None:
        """Cut off part of a line. Raises OSError; then it is done before the next write."""
        self._cut_to = size
        if os.fstat(fd).st_size > size:  # others may have emptied it meanwhile
            os.ftruncate(fd, size)
        self._cut_to = None

    def _look_after(self, *, is_asked: bool) -> Iterator[bytes]:
        if self._fd is None:
            return
        try:
            found = os.stat(self.name)  # noqa: PTH116 (the path stays as it was given)
            is_there = (found.st_dev, found.st_ino) == self._identity
        except (FileNotFoundError, NotADirectoryError):
            is_there = False
        except OSError:  # not to be told now
            return
        if is_there:
            self._size = self._safe_size = found.st_size  # others may have emptied it
            if is_asked:
                self._note_reopened("signal")
            return
        is_deleted, at, failure = False, self._safe_size, ""
        try:
            is_deleted = os.fstat(self._fd).st_nlink == 0
            if is_deleted:
                for piece in _lines_from(self._fd, at):
                    at += len(piece)
                    yield piece
        except OSError as error:
            failure = reason_of(error)
        reason = "deleted" if is_deleted else "moved"
        lost_bytes = max(0, self._size - at) if failure else 0
        self._release()
        self._note_reopened("signal" if is_asked else reason, lost_bytes, failure)

    def _note_reopened(self, reason: str, lost_bytes: int = 0, failure: str = "") -> None:
        fields: dict[str, object] = {"log": {"file": {"path": self.name}}, "reason": reason}
        if lost_bytes:  # lines that nobody can read any more, so nobody can count them
            fields.update(lost_bytes=lost_bytes, lost_reason=failure)
        level = "info" if reason == "signal" and not lost_bytes else "warning"
        self._notices.append(Notice(LOG_REOPENED, level, fields))


def _open(path: str) -> int:
    # Non-blocking: opening a pipe that nobody reads would wait for ever.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
    fd = open_trusted(path, flags, FILE_MODE, make_directories=DIRECTORY_MODE)
    os.set_blocking(fd, True)
    return fd


def _lock(fd: int) -> None:
    """Become the only analyzer that writes the file, as long as it is open. Raises OSError."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = _holder(os.fstat(fd).st_ino)
        if pid == os.getpid():
            raise InUse(
                "this analyzer itself writes it",
                "Choose another path; where two of its files change places, restart it instead.",
            ) from None
        who = f"another analyzer (pid {pid})" if pid else "another analyzer"
        raise InUse(f"{who} writes it", "Stop that one first, or choose another path.") from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def _holder(inode: int) -> Optional[int]:
    """Return who holds the lock on a file, where the kernel tells (not with ProcSubset=pid)."""
    try:
        locks = Path("/proc/locks").read_text("ascii")
    except OSError:
        return None
    for line in locks.splitlines():
        # 1: FLOCK  ADVISORY  WRITE 4242 fe:01:131079 0 EOF
        fields = line.split()
        if fields[1:2] == ["FLOCK"] and fields[5].rpartition(":")[2] == str(inode):
            return int(fields[4])
    return None


def _lines_from(fd: int, start: int) -> Iterator[bytes]:
    """Yield what was written behind ``start``, in pieces of whole lines."""
    with open(f"/proc/self/fd/{fd}", "rb") as file:  # noqa: PTH123 (a descriptor)
        file.seek(start)
        while True:
            piece = file.read(_PIECE)
            if not piece:
                return
            yield piece + file.readline()
