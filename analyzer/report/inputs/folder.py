"""Lists the files of a folder, through links, each file and each folder once."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple, Optional, Union

# What is no file. None is what cannot hold a line.
_KINDS = {
    stat.S_IFIFO: "is a named pipe: name it to have it read",
    stat.S_IFCHR: "is a device",
    stat.S_IFBLK: "is a device",
    stat.S_IFSOCK: None,
}
_ERRORS = {
    errno.ENOENT: "is a link to nothing",
    errno.ELOOP: "is a link to itself",
    errno.EACCES: "may not be read (Permission denied): run as a user that may, or as root",
    errno.EPERM: "may not be read (Operation not permitted): run as a user that may, or as root",
}

Id = tuple[int, int]


class FolderEntry(NamedTuple):
    """A file in a folder, and its device and inode; ``problem`` is why it is not read."""

    path: str
    id: Optional[Id]
    problem: Optional[str] = None


def files_in(path: str) -> Iterator[FolderEntry]:
    """Yield the files in a folder and in those inside of it. Raises OSError for ``path`` alone.

    A file with several names has each of them.
    """
    seen = {_id(os.stat(path))}  # noqa: PTH116 (a text, as it is shown)
    waiting = [path]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                names = sorted(entry.path for entry in entries)
        except OSError as error:
            if folder == path:
                raise
            yield FolderEntry(folder, None, problem_of(error))
            continue
        inner = []
        for name in names:
            found = _looked_at(name)
            if not isinstance(found, FolderEntry):
                if found not in seen:
                    inner.append(name)
                    seen.add(found)
            elif found.id is not None or found.problem is not None:
                yield found
        waiting += reversed(inner)


def _id(status: os.stat_result) -> Id:
    return status.st_dev, status.st_ino


def _looked_at(path: str) -> Union[FolderEntry, Id]:
    """Return what is at a path, the id alone of a folder. Without either, it is to be ignored."""
    try:
        status = os.stat(path)  # noqa: PTH116 (a text, as it is shown)
    except OSError as error:
        return FolderEntry(path, None, problem_of(error))
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFDIR:
        return _id(status)
    if kind == stat.S_IFREG:
        return FolderEntry(path, _id(status))
    return FolderEntry(path, None, _KINDS.get(kind, "is no file"))


def problem_of(error: OSError) -> str:
    """Say why a file is not read."""
    if error.errno in _ERRORS:
        return _ERRORS[error.errno]
    return f"cannot be read: {error.strerror}"
