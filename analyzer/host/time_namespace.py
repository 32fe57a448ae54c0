"""Measures how far this process's boot clock is from the kernel's own.

The kernel stamps events with its own CLOCK_BOOTTIME. In a time namespace (since Linux 5.6) a
process, and what it reads in /proc, is shifted against that.
"""

from __future__ import annotations

import functools
from pathlib import Path

from analyzer.errors import ServiceError

_OFFSETS = Path("/proc/self/timens_offsets")
_OURS, _CHILDRENS = Path("/proc/self/ns/time"), Path("/proc/self/ns/time_for_children")
# The kernel gives its first time namespace this inode number (include/linux/proc_ns.h).
_FIRST = "time:[4026531834]"
_NS_PER_S = 1_000_000_000

REMEDY = (
    "Start it in the host's time namespace: "
    "nsenter --time=/proc/1/ns/time imds-analyzer run ..., from the host's pid namespace"
)


@functools.lru_cache(maxsize=1)
def offset_ns() -> int:
    """Return the offset of the namespace for CLOCK_BOOTTIME and for times in /proc; 0 on the host.

    Raises ServiceError where the kernel does not tell. The file has the offsets of the namespace
    for children. After unshare(2) that is another namespace than ours.
    """
    try:
        text = _OFFSETS.read_text(encoding="ascii")
        ours, childrens = str(_OURS.readlink()), str(_CHILDRENS.readlink())
    except FileNotFoundError:  # this kernel has no time namespaces
        return 0
    if ours == _FIRST:
        return 0
    if ours != childrens:
        raise ServiceError(
            "the boot clock is shifted by a time namespace, and the kernel does not tell by how "
            f"much: this process is in {ours}, its children will be in {childrens}. {REMEDY}"
        )
    return parse(text)


def parse(offsets: str) -> int:
    """Return the boot clock's offset, from the text of /proc/PID/timens_offsets."""
    for line in offsets.splitlines():
        words = line.split()
        if words[:1] == ["boottime"]:
            return int(words[1]) * _NS_PER_S + int(words[2])
    return 0
