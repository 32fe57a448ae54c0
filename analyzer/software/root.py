"""Reads files below a root, such as a container's, and never follows a link out of it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import BinaryIO, Callable, Optional

from analyzer.software.budget import Budget

# As the kernel's own limit (path_resolution(7)).
_LINKS_MAX = 40
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class Root:
    """A directory that paths are relative to: ``/`` or ``/proc/PID/root``.

    It is opened once, so that a process's root can be read after the process is gone. Paths are
    resolved one component at a time: a container may hold links that point to the host's files,
    and may change them meanwhile. All methods raise OSError; those that read raise Spent.
    ``refused`` has the mount points of ``avoid`` that were asked for.
    """

    def __init__(
        self,
        path: str = "/",
        budget: Optional[Budget] = None,
        avoid: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Open the directory; ``budget`` bounds what is read.

        ``avoid`` are mount points, with the file system's type, that no path is followed into:
        a server that does not answer would hold up the reader for ever.
        """
        # On the host's own root, nothing lies outside: the kernel resolves, which is quicker.
        self._is_host = path == "/" and not avoid
        self._avoid = avoid
        self.refused: dict[str, str] = {}
        self._fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.budget = budget

    def close(self) -> None:
        """Release the directory."""
        os.close(self._fd)

    def __enter__(self) -> Root:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release the directory."""
        self.close()

    def open(self, path: str) -> BinaryIO:
        """Open a regular file for reading; a device or FIFO is refused, without an open of it."""
        self._count()
        fd = self._resolve(path)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise OSError(errno.EINVAL, "not a regular file", path)
            return open(f"/proc/self/fd/{fd}", "rb")  # noqa: PTH123 (the caller's)
        finally:
            os.close(fd)

    def read(self, path: str, most: int) -> bytes:
        """Return the first ``most`` bytes of a file."""
        with self.open(path) as file:
            size = min(most, os.fstat(file.fileno()).st_size)
            if self.budget is not None:
                self.budget.read(size)
            # As large as the file is, or a buffer for all of ``most`` is made first.
            return file.read(size or most)

    def names(self, path: str) -> list[str]:
        """Return the names in a directory, sorted."""
        self._count()
        fd = self._resolve(path)
        try:
            return sorted(os.listdir(f"/proc/self/fd/{fd}"))  # noqa: PTH208 (of a descriptor)
        finally:
            os.close(fd)

    def maybe_text(self, path: str, most: int) -> str:
        """Return the beginning of a file as text, "" if it cannot be read."""
        try:
            return self.read(path, most).decode("utf-8", "replace")
        except OSError:
            return ""

    def maybe_names(self, path: str) -> list[str]:
        """Return the names in a directory, [] if it cannot be read."""
        try:
            return self.names(path)
        except OSError:
            return []

    def descriptor(self, path: str) -> int:
        """Return a descriptor of what a path leads to, opened with O_PATH; the caller closes it."""
        return self._resolve(path)

    def has_avoided_below(self, path: str) -> bool:
        """Tell whether a mount point of ``avoid`` is below a directory."""
        return any(point.startswith(f"{path}/") for point in self._avoid)

    def stat(self, path: str) -> os.stat_result:
        """Return the status of what a path leads to."""
        fd = self._resolve(path)
        try:
            return os.fstat(fd)
        finally:
            os.close(fd)

    def is_file(self, path: str) -> bool:
        """Tell whether a path leads to a regular file."""
        return self._is(path, stat.S_ISREG)

    def is_dir(self, path: str) -> bool:
        """Tell whether a path leads to a directory."""
        return self._is(path, stat.S_ISDIR)

    def real(self, path: str) -> str:
        """Return the path without links, as seen from the root."""
        if self._is_host:
            fd = self._resolve(path)
            try:
                return os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 (of a descriptor)
            finally:
                os.close(fd)
        fd, real = self._walked(path)
        os.close(fd)
        return real

    def _is(self, path: str, test: Callable[[int], bool]) -> bool:
        try:
            return test(self.stat(path).st_mode)
        except (OSError, ValueError):
            return False

    def _check(self, path: str) -> None:
        if path in self._avoid:
            self.refused[path] = self._avoid[path]
            raise OSError(errno.EREMOTE, os.strerror(errno.EREMOTE), path)

    def _count(self) -> None:
        if self.budget is not None:
            self.budget.file()

    def _resolve(self, path: str) -> int:
        if self._is_host:
            _check_name(path)
            return os.open(f"/{path}", os.O_PATH | os.O_CLOEXEC)
        return self._walked(path)[0]

    def _walked(self, path: str) -> tuple[int, str]:
        """Return a descriptor of what the path leads to, which the caller closes, and its path."""
        _check_name(path)
        left = _components(path)
        fds, names = [os.dup(self._fd)], [""]
        links = 0
        try:
            self._check("/")
            while left:
                name = left.pop()
                if name == "..":
                    if len(fds) > 1:
                        os.close(fds.pop())
                        names.pop()
                    continue
                if self._avoid:
                    self._check("/".join([*names, name]))
                fd = os.open(name, _LOOK, dir_fd=fds[-1])
                if not stat.S_ISLNK(os.fstat(fd).st_mode):
                    fds.append(fd)
                    names.append(name)
                    continue
                try:
                    target = os.readlink("", dir_fd=fd)
                finally:
                    os.close(fd)
                links += 1
                if links > _LINKS_MAX:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                if target.startswith("/"):
                    while len(fds) > 1:
                        os.close(fds.pop())
                        names.pop()
                left.extend(_components(target))
            return os.dup(fds[-1]), "/".join(names) or "/"
        finally:
            for fd in fds:
                os.close(fd)


def _check_name(path: str) -> None:
    """Refuse what no file can be named; a path may come from a file that anybody wrote."""
    try:
        is_name = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        is_name = False
    if not is_name:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)


def _components(path: str) -> list[str]:
    """Return the components, the last one first."""
    return [each for each in reversed(path.split("/")) if each not in ("", ".")]


def parents(path: str) -> Iterator[str]:
    """Yield the directories above an absolute path, nearest first, with ``/`` last."""
    while path not in ("", "/"):
        path = path.rpartition("/")[0] or "/"
        yield path
