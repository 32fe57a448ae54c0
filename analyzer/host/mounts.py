"""Finds where file systems of a type are mounted, from /proc/self/mounts (proc_pid_mounts(5))."""

from __future__ import annotations

import re
from pathlib import Path

CGROUP2 = "cgroup2"

_MOUNTS = Path("/proc/self/mounts")
# Space, tab, newline and backslash stand as octal numbers in a path.
_ESCAPE = re.compile(r"\\([0-7]{3})")


def mount_points(kind: str) -> list[str]:
    """Return the paths at which file systems of this type are mounted. Raises OSError."""
    return mount_points_in(_MOUNTS.read_text("utf-8", "surrogateescape"), kind)


def mount_points_in(mounts: str, kind: str) -> list[str]:
    """Return the same from the text of /proc/self/mounts; lines of another form are left out."""
    lines = (line.split(" ") for line in mounts.splitlines())
    return [
        _ESCAPE.sub(lambda match: chr(int(match[1], 8)), fields[1])
        for fields in lines
        if len(fields) > 2 and fields[2] == kind  # noqa: PLR2004 (device, path, type)
    ]
