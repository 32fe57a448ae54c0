"""Mounts are found by their type, at the paths that the kernel writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.host.mounts import (
    CGROUP2,
    devices_in,
    maybe_root_cgroup,
    mount_points_in,
    slow_mounts_in,
)
from tests.cgroups import maybe_hierarchy


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("securityfs", True), ("proc", True), ("tracefs", False), ("/sys", False)],
)
def test_a_mount_is_found_by_its_type(kind: str, expected: bool) -> None:
    """Not by its device, nor by its place."""
    mounts = "proc /proc proc rw 0 0\nsecurityfs /sys/kernel/security securityfs rw 0 0\ntracefs\n"
    assert bool(mount_points_in(mounts, kind)) is expected


def test_the_unified_hierarchy_is_found_where_it_is_mounted() -> None:
    """Spaces in mount points are escaped by the kernel."""
    version_1 = "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"
    assert mount_points_in(version_1, CGROUP2) == []
    hybrid = version_1 + "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
    assert mount_points_in(hybrid, CGROUP2) == ["/sys/fs/cgroup/unified"]
    assert mount_points_in("none /mnt/my\\040cg cgroup2 rw 0 0\n", CGROUP2) == ["/mnt/my cg"]


MOUNTINFO = """\
23 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
40 23 0:37 / /srv/my\\040data rw,relatime shared:5 master:1 - nfs4 server:/data rw
41 23 0:38 / /mnt/s3 rw - fuse.s3fs s3fs rw
42 23 8:1 / /data rw - fuseblk /dev/sda1 rw
43 23 0:39 / /home rw - autofs systemd-1 rw
44 23 0:40 / /tmp rw - tmpfs tmpfs rw
45 23 1:x / /odd rw - fused
46
"""


def test_what_may_hang_is_found_by_its_type() -> None:
    """A server, or another program, answers for it."""
    assert slow_mounts_in(MOUNTINFO) == {
        "/srv/my data": "nfs4", "/mnt/s3": "fuse.s3fs", "/data": "fuseblk", "/home": "autofs",
    }  # fmt: skip


def test_devices_are_as_the_kernel_writes_them() -> None:
    """Lines of another form are left out."""
    assert devices_in(MOUNTINFO) == {254 << 20, 37, 38, 8 << 20 | 1, 39, 40}


def test_the_root_cgroup_is_chosen_among_mounts(tmp_path: Path) -> None:
    """Not a cgroup of a container's own, nor a mount that another one hides."""
    hierarchy = maybe_hierarchy()
    if hierarchy is None:
        pytest.skip("no unified cgroup hierarchy is mounted: mount -t cgroup2 none DIRECTORY")
    places = [str(tmp_path / "hidden"), str(tmp_path), str(hierarchy)]
    assert maybe_root_cgroup(places) == str(hierarchy)
    assert maybe_root_cgroup(places[:2]) is None
    assert maybe_root_cgroup([]) is None
