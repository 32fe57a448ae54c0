"""Encodes file capabilities, which give a user other than root what the container may have.

Docker and Kubernetes add capabilities only to what a program may gain (the bounding set). Without
file capabilities a container with another user than root therefore has none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

XATTR = "SCHILY.xattr.security.capability"  # its name in an archive (pax)

# linux/capability.h: struct vfs_cap_data, version 2, without the flag "effective". With that flag
# the kernel refuses to start the program if the container lacks one of the capabilities.
_VERSION_2 = 0x02000000

# The numbers of linux/capability.h, with the reason.
GRANTED = {
    2: "CAP_DAC_READ_SEARCH: find cgroups by id; read tracefs",
    12: "CAP_NET_ADMIN: attach the programs that see packets",
    19: "CAP_SYS_PTRACE: read which executable a process runs",
    21: "CAP_SYS_ADMIN: only if the container is given it, for older kernels and seccomp profiles",
    38: "CAP_PERFMON: attach programs that read kernel memory",
    39: "CAP_BPF: load programs",
}


def encoded(numbers: Iterable[int] = GRANTED) -> bytes:
    """Return the attribute's value: these capabilities are permitted, none is inheritable."""
    mask = sum(1 << number for number in numbers)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    return struct.pack("<IIIII", _VERSION_2, low, 0, high, 0)
