"""Mounts are found by their type, at the paths that the kernel writes."""

from __future__ import annotations

import pytest

from analyzer.host.mounts import CGROUP2, mount_points_in


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
