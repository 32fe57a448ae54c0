"""A file, or standard output, that takes whole lines."""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
from pathlib import Path
from typing import Optional

from analyzer.errors import SinkError

DIRECTORY_MODE = 0o750
FILE_MODE = 0o640
# Lines are held until flush(), so that a batch costs one write; this bounds the batch.
BUFFER_MAX = 65536

_DEFAULT_REMEDY = "Choose another path, or - for standard output."
_REMEDIES = {
    errno.EACCES: "Run as root, or choose a path that this user may write.",
    errno.EPERM: "Choose another path: this one is protected even from its owner.",
    errno.EROFS: "Choose a path on a file system that is mounted writable.",
    errno.EISDIR: "It is a directory: name a file in it, such as imds.jsonl.",
    errno.ENOTDIR: "A part of the path is a file: choose a path through directories only.",
    errno.ENXIO: "Nobody reads from it: start the reader of the pipe first.",
    errno.ENOSPC: "Free space there, or choose a path on another file system.",
    errno.EDQUOT: "Raise the quota, or choose a path on another file system.",
    errno.EPIPE: "Its reader has ended: start the analyzer together with a reader that stays.",
    errno.EBADF: "It is closed: start the analyzer with standard output open, or name a file.",
}


class LogFile:
    """Takes lines and writes them whole; made by :meth:`open`.

    A line that could not be written in full stays for the next try, so that none is ever
    torn by a disk that was full for a while.
    """

    def __init__(self, fd: int, name: str) -> None:
        self._fd: Optional[int] = fd
        self._name = name
        self._held = bytearray()

    @classmethod
    def open(cls, path: str) -> LogFile:
        """Open ``path`` for appending, or standard output for ``-``.

        Makes missing directories (0750) and the file (0640); leaves what exists as it is.
        Raises SinkError where it cannot be written.
        """
        name = "standard output" if path == "-" else path
        try:
            if path == "-":
                sys.stdout.flush()
                return cls(os.dup(1), name)
            log = cls(_open_file(path), name)
            if _ends_within_line(path):
                log._held += b"\n"
        except OSError as error:
            raise _sink_error("open", name, error) from None
        except ValueError:  # a NUL byte
            raise SinkError(f"cannot open the log {path!r}: no path is like this.") from None
        return log

    def append(self, line: bytes) -> None:
        """Take one line, without its end. Raises SinkError as :meth:`flush` does."""
        self._held += line
        self._held += b"\n"
        if len(self._held) >= BUFFER_MAX:
            self.flush()

    # What structlog calls: a method for each level.
    debug = info = warning = error = append

    def flush(self) -> None:
        """Write what is held. Raises SinkError where the file takes no more."""
        while self._held and self._fd is not None:
            try:
                written = os.write(self._fd, self._held)
            except BlockingIOError:
                # A pipe that somebody else made non-blocking; wait as if it were not.
                select.select([], [self._fd], [])
            except OSError as error:
                raise _sink_error("write", self._name, error) from None
            else:
                del self._held[:written]

    def close(self) -> None:
        """Write what is held, and close. Raises SinkError as :meth:`flush` does."""
        if self._fd is None:
            return
        try:
            self.flush()
        finally:
            os.close(self._fd)
            self._fd = None


def _open_file(path: str) -> int:
    # Non-blocking: opening a pipe that nobody reads would wait for ever.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        fd = os.open(path, flags)
    except FileNotFoundError:
        _make_directories(Path(path).parent)
        fd = os.open(path, flags | os.O_CREAT, FILE_MODE)
        os.fchmod(fd, FILE_MODE)  # whatever the umask is
    os.set_blocking(fd, True)
    return fd


def _make_directories(path: Path) -> None:
    if path.is_dir():
        return
    _make_directories(path.parent)
    path.mkdir(mode=DIRECTORY_MODE)
    path.chmod(DIRECTORY_MODE)  # whatever the umask is


def _ends_within_line(path: str) -> bool:
    """Tell whether an earlier run was cut off in the middle of its last line."""
    if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 -- the path stays as it was given
        return False
    try:
        with open(path, "rb") as log:  # noqa: PTH123 -- the path stays as it was given
            log.seek(-1, os.SEEK_END)
            return log.read(1) != b"\n"
    except OSError:  # empty, or not for us to read
        return False


def _sink_error(action: str, name: str, error: OSError) -> SinkError:
    reason = error.strerror or str(error)
    remedy = _REMEDIES.get(error.errno or 0, _DEFAULT_REMEDY)
    return SinkError(f"cannot {action} the log {name!r}: {reason}. {remedy}")
