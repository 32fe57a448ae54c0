"""Finds where file systems of a type are mounted, from /proc (proc_pid_mounts(5))."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

CGROUP2 = "cgroup2"

# kernfs gives the root of a hierarchy this inode number; a cgroup namespace shows another
# cgroup as its root.
_ROOT_INODE = 1
_MOUNTS = Path("/proc/self/mounts")
# File systems that a server or another program answers for: who reads them may wait for ever.
# autofs mounts one of them when somebody looks.
_SLOW = re.compile(
    r"nfs\d*|cifs|smb3|smbfs|ncpfs|fuse|fuseblk|fuse\..*|virtiofs|9p|afs|coda|ceph|lustre|gpfs"
    r"|beegfs|gfs2?|ocfs2|autofs"
)

# Space, tab, newline and backslash stand as octal numbers in a path.
_ESCAPE = re.compile(r"\\([0-7]{3})")


def slow_mounts_in(mountinfo: str) -> dict[str, str]:
    """Return the mount points that may hang whoever reads there, with their types.

    ``mountinfo`` is the text of /proc/PID/mountinfo. The paths are those of the process's root.
    """
    found: dict[str, str] = {}
    for line in mountinfo.splitlines():
        mount, _, source = line.partition(" - ")
        fields, kind = mount.split(" "), source.partition(" ")[0]
        if len(fields) > 4 and _SLOW.fullmatch(kind):  # noqa: PLR2004 (proc_pid_mountinfo(5))
            found[_unescaped(fields[4])] = kind
    return found


def devices_in(mountinfo: str) -> frozenset[int]:
    """Return the devices of all mounted file systems, as the kernel writes them: 20 bits minor.

    The kernel names files by them; on btrfs and overlays stat(2) names others.
    """
    found = set()
    for line in mountinfo.splitlines():
        major, _, minor = (line.split(" ", 3) + [""] * 3)[2].partition(":")
        if major.isdecimal() and minor.isdecimal():
            found.add(int(major) << 20 | int(minor))
    return frozenset(found)


def mount_points(kind: str) -> list[str]:
    """Return the paths at which file systems of this type are mounted. Raises OSError."""
    return mount_points_in(_MOUNTS.read_text("utf-8", "surrogateescape"), kind)


def maybe_root_cgroup(places: Optional[Sequence[str]] = None) -> Optional[str]:
    """Return where the root of the hierarchy of cgroup v2 is mounted; None where it is not.

    A container may have a cgroup of its own mounted too, and other mounts hide some. ``places``
    are the mount points of this type, this process's if not given. Raises OSError without /proc.
    """
    for place in mount_points(CGROUP2) if places is None else places:
        try:
            if os.stat(place).st_ino == _ROOT_INODE:  # noqa: PTH116 (pathlib follows no differently)
                return place
        except OSError:
            continue
    return None


def mount_points_in(mounts: str, kind: str) -> list[str]:
    """Return the same from the text of /proc/self/mounts; lines of another form are left out."""
    lines = (line.split(" ") for line in mounts.splitlines())
    return [
        _unescaped(fields[1])
        for fields in lines
        if len(fields) > 2 and fields[2] == kind  # noqa: PLR2004 (device, path, type)
    ]


def _unescaped(path: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), path)
