"""Finds the root of the cgroup2 hierarchy, where programs see the packets of all sockets."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from analyzer.errors import KernelLacks, SourceUnavailable
from analyzer.host.mounts import CGROUP2, mount_points

# The programs, for what sockets send and for what they receive: BPF_CGROUP_INET_EGRESS and
# BPF_CGROUP_INET_INGRESS of linux/bpf.h.
ATTACH_TYPES = {"wire_egress": 1, "wire_ingress": 0}
PROGRAMS = tuple(ATTACH_TYPES)
PROGRAM_TYPE = 8  # BPF_PROG_TYPE_CGROUP_SKB
# kernfs gives the root of a hierarchy this inode number; a cgroup namespace shows another
# cgroup as its root.
ROOT_INODE = 1
MOUNT = "mount -t cgroup2 none /sys/fs/cgroup/unified"
NO_HIERARCHY = (
    f"Mount the hierarchy of cgroup v2 ({MOUNT}); it does not change who manages the cgroups"
)
NOT_THE_ROOT = (
    "In a container, give it the host's cgroup namespace (docker: --cgroupns=host), or mount "
    "the host's /sys/fs/cgroup into it"
)
# Of bpf(2): a program that allows no other beside it.
EXCLUSIVE = (
    "Another program may be attached to the root cgroup exclusively (`bpftool cgroup show "
    "/sys/fs/cgroup` lists it), or CAP_NET_ADMIN is missing"
)


@contextlib.contextmanager
def root_cgroup() -> Iterator[int]:
    """Open the root of the cgroup2 hierarchy; raises KernelLacks where none is to be seen."""
    places = mount_points(CGROUP2)
    if not places:
        raise KernelLacks("the hierarchy of cgroup v2 is not mounted", _advice(NO_HIERARCHY))
    for place in places:
        try:
            fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            if os.fstat(fd).st_ino == ROOT_INODE:
                yield fd
                return
        finally:
            os.close(fd)
    raise KernelLacks("the root of the cgroup v2 hierarchy is out of sight", _advice(NOT_THE_ROOT))


def _advice(outside: str) -> str:
    from analyzer.host.container_lacks import Lack, advice  # noqa: PLC0415 (only where it is missing)

    return advice(Lack.CGROUPS, outside)


def turned_off() -> SourceUnavailable:
    """Return the reason that the configuration gives."""
    return SourceUnavailable("wire", "is turned off (capture.wire = false)", "Turn it on again")


def remedy(code: int) -> str:
    """Return what to do where bpf(2) refused to attach with this error."""
    if code in (errno.EPERM, errno.EACCES):
        return EXCLUSIVE
    return "Needs a kernel with CONFIG_CGROUP_BPF (4.10), and bpf_link for it (5.7)"
