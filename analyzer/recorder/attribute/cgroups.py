"""Finds the path of a cgroup by its id, and reads the hierarchies of /proc/PID/cgroup.

The id that the kernel reports outlives the process: it is the inode number of the cgroup's
directory. The kernel opens a directory by that number without a walk through the tree. Of a cgroup
that is made while the probe is attached, the kernel tells the path at once: a service manager
removes it as soon as its last process has ended.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional

from analyzer.host.mounts import CGROUP2, maybe_root_cgroup, mount_points
from analyzer.lru import Cache
from analyzer.text import decode_text

# Containers and units of one host, with room for those that are gone. Some 300 bytes each.
PATHS_MAX = 4096
# An id is never given twice in one boot and a cgroup of version 2 cannot be renamed: an hour
# only drops what is not used.
PATH_KEEP_S = 3600.0
# A directory that is not there is not going to be; the time bounds what an error costs.
UNKNOWN_KEEP_S = 5.0

# Levels looked at, from the innermost: a container's own cgroups are at most a few levels
# deep, but whoever was delegated a cgroup can nest without an end.
DEPTH_MAX = 64

# On hosts with version 1 only, every process is in the root of the unused hierarchy.
_ROOT_ID = 1
# The file handle type of kernfs (FILEID_KERNFS), whose eight bytes are the id. Since Linux 5.5.
_HANDLE_TYPE = 0xFE
_HANDLE = struct.Struct("=IiQ")  # handle_bytes, handle_type, f_handle
_DELETED = " (deleted)"  # a zombie's cgroup may be gone before the zombie


class Cgroup(NamedTuple):
    """One line of /proc/PID/cgroup. ``controllers`` is empty for the unified hierarchy."""

    controllers: str
    path: str


def parse(text: str) -> tuple[Cgroup, ...]:
    """Read the text of /proc/PID/cgroup; lines of another form are left out."""
    lines = (line.split(":", 2) for line in text.split("\n"))
    return tuple(
        Cgroup(parts[1], parts[2].removesuffix(_DELETED))
        for parts in lines
        if len(parts) == 3  # noqa: PLR2004 -- id, controllers, path
    )


def endings(cgroup: Cgroup, levels: int) -> Iterator[str]:
    """Yield the last ``levels`` names of the path and of each path above, innermost first.

    Each begins with a slash. At most DEPTH_MAX of them.
    """
    names = cgroup.path.strip("/").split("/")
    for end in range(len(names), max(len(names) - DEPTH_MAX, 0), -1):
        yield "/" + "/".join(names[max(end - levels, 0) : end])


def at_the_call(told: Optional[str], path: Optional[str]) -> Optional[str]:
    """Put a path in the unified hierarchy in place of the one that /proc/PID/cgroup tells.

    The kernel said with the call which it was; /proc, asked later, may know of another, or
    of no process at all. Of version 1 it alone tells.
    """
    if path is None:
        return told
    others = [line for line in (told or "").splitlines() if not line.startswith("0::")]
    return "\n".join([*others, f"0::{path}"])


class CgroupPaths:
    """Find paths by cgroup id, of cgroups whose processes may be gone.

    Needs CAP_DAC_READ_SEARCH; without it, or without a mounted unified hierarchy, every
    id is unknown that was not learned.
    """

    def __init__(self, mount_point: Optional[str]) -> None:
        self._mount_point = mount_point
        self._libc = ctypes.CDLL(None)
        # "" stands for an unknown path.
        self._known: Cache[int, str] = Cache(PATHS_MAX, PATH_KEEP_S)

    @classmethod
    def of_this_host(cls) -> CgroupPaths:
        """Find the hierarchy where this host mounts it."""
        try:
            found = mount_points(CGROUP2)
        except OSError:
            return cls(None)
        return cls(maybe_root_cgroup(found) or (found[0] if found else None))

    def learn(self, cgroup_id: int, path: str, now: float) -> None:
        """Take the path of a new cgroup, from the root of the hierarchy, as the kernel has it."""
        self._known.put(cgroup_id, path, now)

    def maybe_path(self, cgroup_id: int, now: float) -> Optional[str]:
        """Return the path below the hierarchy's root; ``now`` in seconds, monotonic."""
        if cgroup_id <= _ROOT_ID:
            return None
        path = self._known.get(cgroup_id, now)
        if path is None:
            if self._mount_point is None:
                return None
            path = self._open_by_id(self._mount_point, cgroup_id)
            keep_s = PATH_KEEP_S if path else UNKNOWN_KEEP_S
            self._known.put(cgroup_id, path, now, keep_s=keep_s)
        return path or None

    def _open_by_id(self, mount_point: str, cgroup_id: int) -> str:
        handle = ctypes.create_string_buffer(_HANDLE.pack(8, _HANDLE_TYPE, cgroup_id), 16)
        try:
            # Opened for each look-up: held open, it would keep the hierarchy from being unmounted.
            # The call refuses a descriptor opened with O_PATH.
            mount_fd = os.open(mount_point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return ""
        try:
            fd: int = self._libc.open_by_handle_at(mount_fd, handle, os.O_PATH | os.O_CLOEXEC)
            if fd < 0:
                return ""
            try:
                found = str(Path(f"/proc/self/fd/{fd}").readlink())
            finally:
                os.close(fd)
        except (OSError, AttributeError):  # AttributeError: a C library without the call
            return ""
        finally:
            os.close(mount_fd)
        root = mount_point.rstrip("/")
        if not found.startswith(root + "/"):
            return ""  # outside of what this process's cgroup namespace shows
        return decode_text(os.fsencode(found[len(root) :]))
