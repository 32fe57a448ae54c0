"""Opens files for writing without following links that another user has planted.

Links of root and of our own user are followed, as ever; those of others are not, in any part of
the path. Where others may write to the directory, the file itself must not be one that they put
there: a hard link to another file, or a file or pipe of their own. The kernel's own protections
(fs.protected_symlinks and the like) cover only directories that are sticky and writable by all.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional

# As many as the kernel follows (include/linux/namei.h).
_LINKS_MAX = 40
_ROOT = 0
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Planted(OSError):
    """A file that another user may have planted, so it is not opened."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(errno.EPERM, reason)
        self.remedy = remedy


class DirectoryEntry(NamedTuple):
    """An entry of a directory, which is an open descriptor (O_PATH)."""

    directory: int
    name: str
    is_kernels: bool  # a link of procfs, which names an open file or a directory

    def path(self) -> str:
        """Return the path without links."""
        return str(Path(f"/proc/self/fd/{self.directory}").readlink() / self.name)


def open_file(path: str, flags: int, mode: int, *, make_directories: Optional[int] = None) -> int:
    """Open ``path``, and make it with this mode where it is not there; returns a descriptor.

    ``make_directories`` is the mode of directories that are missing; None makes none. With
    O_NOFOLLOW in ``flags`` the last part may not even be a trusted link. Raises OSError.
    """
    follow = not flags & os.O_NOFOLLOW
    with located(path, follow=follow, make_directories=make_directories) as place:
        if place.is_kernels:
            return os.open(place.name, flags & ~os.O_NOFOLLOW, dir_fd=place.directory)
        fd = _open_or_make(place, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        try:
            _check(os.fstat(fd), os.fstat(place.directory), path)
        except BaseException:
            os.close(fd)
            raise
        return fd


def replace_file(path: str, content: bytes, mode: int) -> None:
    """Put a file in place, whole, in place of whatever has that name. Raises OSError.

    It is written beside it first, under a name that is always the same: a crash leaves one.
    """
    with located(path, follow=False) as place:
        beside = f".{place.name}.tmp"
        remove(place.directory, beside)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(beside, flags, mode, dir_fd=place.directory), "wb") as file:
                os.fchmod(file.fileno(), mode)  # whatever the umask is
                file.write(content)
            os.rename(beside, place.name, src_dir_fd=place.directory, dst_dir_fd=place.directory)
        except OSError:
            with contextlib.suppress(OSError):
                remove(place.directory, beside)
            raise


def remove(directory: int, name: str) -> None:
    """Remove an entry of a directory where it is there. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)


@contextlib.contextmanager
def located(
    path: str, *, follow: bool, make_directories: Optional[int] = None
) -> Iterator[DirectoryEntry]:
    """Walk to the directory of a path's last part, which need not be there. Raises OSError.

    ``follow`` says whether a trusted link in the last part's place is followed, too.
    """
    if not path or path.endswith("/"):
        code = errno.EISDIR if path else errno.ENOENT
        raise OSError(code, os.strerror(code))
    with contextlib.ExitStack() as closing:
        yield _Walk(path, closing, make_directories).place(follow=follow)


class _Walk:
    """Goes through a path part by part; ``closing`` takes what is opened on the way."""

    def __init__(
        self, path: str, closing: contextlib.ExitStack, make_directories: Optional[int]
    ) -> None:
        self._closing = closing
        self._make_directories = make_directories
        self._links = 0
        self._left: deque[str] = deque()
        self._at = self._opened(".", None)
        self._go_on_at(path)

    def place(self, *, follow: bool) -> DirectoryEntry:
        """Go to the directory of the last part; see :func:`located`. Raises OSError."""
        while True:
            name = self._left.popleft()
            is_last = not self._left
            entry = self._maybe_entry(name, is_last=is_last)
            if entry is None:
                return DirectoryEntry(self._at, name, is_kernels=False)
            found = os.fstat(entry)
            is_link = stat.S_ISLNK(found.st_mode)
            is_kernels = is_link and found.st_dev == os.stat("/proc/self").st_dev  # noqa: PTH116
            if is_last and (is_kernels or not is_link or not follow):
                return DirectoryEntry(self._at, name, is_kernels=is_kernels and follow)
            if is_kernels:
                self._at = self._opened(name, self._at)
            elif is_link:
                self._follow(entry, found, name)
            else:
                self._at = entry

    def _maybe_entry(self, name: str, *, is_last: bool) -> Optional[int]:
        """Return a descriptor of a part as it is, be it a link; None for a last one not there."""
        try:
            return self._opened(name, self._at, os.O_NOFOLLOW)
        except FileNotFoundError:
            if is_last:
                return None
            if self._make_directories is None:
                raise
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, self._make_directories, dir_fd=self._at)
        entry = self._opened(name, self._at, os.O_NOFOLLOW | os.O_DIRECTORY)
        Path(f"/proc/self/fd/{entry}").chmod(self._make_directories)  # whatever the umask is
        return entry

    def _follow(self, link: int, found: os.stat_result, name: str) -> None:
        self._links += 1
        if self._links > _LINKS_MAX:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if not _is_trusted(found.st_uid):
            raise Planted(
                f"the link {name!r} on the way was made by another user (id {found.st_uid})",
                "Name the file itself, or have root make the link.",
            )
        self._go_on_at(os.readlink("", dir_fd=link))

    def _go_on_at(self, path: str) -> None:
        """Put the parts of a path before those that are left."""
        if path.startswith("/"):
            self._at = self._opened("/", None)
        parts = [each for each in path.split("/") if each]
        self._left.extendleft(reversed(parts or ["."]))

    def _opened(self, name: str, directory: Optional[int], flags: int = 0) -> int:
        fd = os.open(name, os.O_PATH | os.O_CLOEXEC | flags, dir_fd=directory)
        self._closing.callback(os.close, fd)
        return fd


def _open_or_make(place: DirectoryEntry, flags: int, mode: int) -> int:
    while True:
        with contextlib.suppress(FileNotFoundError):
            return os.open(place.name, flags & ~os.O_CREAT, dir_fd=place.directory)
        with contextlib.suppress(FileExistsError):  # it is there since a moment ago
            making = flags | os.O_CREAT | os.O_EXCL
            fd = os.open(place.name, making, mode, dir_fd=place.directory)
            os.fchmod(fd, mode)  # whatever the umask is
            return fd


def _check(found: os.stat_result, directory: os.stat_result, path: str) -> None:
    """Raise Planted where another user can have put this file into its directory."""
    if stat.S_ISCHR(found.st_mode) or stat.S_ISDIR(found.st_mode):
        return  # which others cannot make, or cannot be written
    if _is_trusted(directory.st_uid) and not directory.st_mode & _OTHERS_WRITE:
        return
    # Whose directory it is may have files in it as he likes.
    if not _is_trusted(found.st_uid) and found.st_uid != directory.st_uid:
        raise Planted(
            f"others may write to its directory, and it belongs to another user"
            f" (id {found.st_uid})",
            f"Choose a directory that only root or this user may write, or remove {path!r}.",
        )
    if _is_trusted(found.st_uid) and found.st_nlink > 1:
        raise Planted(
            f"others may write to its directory, and it is the same file as another"
            f" ({found.st_nlink} hard links)",
            f"Choose a directory that only root or this user may write, or remove {path!r}.",
        )


def _is_trusted(user: int) -> bool:
    return user in (_ROOT, os.geteuid())
