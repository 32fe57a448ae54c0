"""Walks directories: stays on their file systems, follows no links, and finds unpacked roots.

A root is a directory that a container or a machine has as ``/``: a layer of an image, a tree that
was given by its path. Files below it are named as it names them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import Callable, NamedTuple

# Of the kernel, or made anew with each boot.
_NEVER = frozenset({"/proc", "/sys", "/dev", "/run/udev", "/sys/fs/cgroup"})
# Trees of these are caches and histories: what is used is elsewhere as well.
_LEFT_OUT = frozenset({".git", ".hg", ".svn", "__pycache__", ".cache", ".tox", ".mypy_cache"})
# The layers that docker, podman and containerd unpack.
_LAYERS = re.compile(
    r".*/(?:overlay2?/[0-9a-zA-Z-]+/diff|snapshots/\d+/fs|vfs/dir/[0-9a-f]{64}|machines/[^/]+|lxc/[^/]+/rootfs)$"
)
_DEPTH_MAX = 128


class Place(NamedTuple):
    """A regular file: ``path`` is as the root ``root`` names it, which ends without ``/``."""

    root: str
    path: str
    size: int

    @property
    def shown(self) -> str:
        """The path as this host names it."""
        return self.root + self.path


class Walk:
    """One walk over directories and files."""

    def __init__(
        self,
        *,
        is_everywhere: bool,
        tell_unread: Callable[[str, OSError], None],
        tell_skipped: Callable[[str, str], object],
    ) -> None:
        """``is_everywhere`` enters other file systems, too; the others hear what is left out."""
        self._is_everywhere = is_everywhere
        self._tell_unread = tell_unread
        self._tell_skipped = tell_skipped
        self.folders = 0

    def files(self, start: str) -> Iterator[Place]:
        """Yield the regular files below a path, or the path itself."""
        path = os.path.abspath(start)  # noqa: PTH100 (links stay)
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError as error:
            self._tell_unread(path, error)
            return
        if not os.path.isdir(path):  # noqa: PTH112
            yield Place("", path, status.st_size)
            return
        root = path.rstrip("/") if _is_root(path) else ""
        yield from self._below(path, root, status.st_dev)

    def _below(self, start: str, root: str, device: int) -> Iterator[Place]:
        waiting = [(start, root, 0)]
        while waiting:
            folder, root, depth = waiting.pop()
            self.folders += 1
            entries = self._entries(folder)
            for entry in entries:
                try:
                    if entry.is_file(follow_symlinks=False):
                        size = entry.stat(follow_symlinks=False).st_size
                        yield Place(root, entry.path[len(root) :], size)
                    elif entry.is_dir(follow_symlinks=False) and self._is_entered(entry, device):
                        if depth < _DEPTH_MAX:
                            below = entry.path if _LAYERS.match(entry.path) else root
                            waiting.append((entry.path, below, depth + 1))
                        else:
                            self._tell_skipped(entry.path, "too deep")
                except FileNotFoundError:
                    continue  # gone since
                except OSError as error:
                    self._tell_unread(entry.path, error)

    def _entries(self, folder: str) -> Sequence[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                # The last one is taken first.
                return sorted(entries, key=lambda each: each.name, reverse=True)
        except FileNotFoundError:
            return []  # gone since
        except OSError as error:
            self._tell_unread(folder, error)
            return []

    def _is_entered(self, entry: os.DirEntry[str], device: int) -> bool:
        if entry.path in _NEVER or entry.name in _LEFT_OUT:
            return False
        if self._is_everywhere:
            return True
        if entry.stat(follow_symlinks=False).st_dev == device:
            return True
        self._tell_skipped(entry.path, "another file system")
        return False


def _is_root(path: str) -> bool:
    """Tell whether a directory looks like a root: with /etc and /usr, or a layer of an image."""
    if path == "/" or _LAYERS.match(path):
        return True
    return all(os.path.isdir(f"{path}/{name}") for name in ("etc", "usr"))  # noqa: PTH112
