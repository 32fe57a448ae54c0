"""A container is known by what its runtime leaves in it; a machine is none."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import pytest

from analyzer.host.container import Runtime, maybe_runtime

DISK = "22 1 254:1 / / rw,relatime - ext4 /dev/vda rw"
BTRFS = "22 1 0:21 /@rootfs / rw,relatime - btrfs /dev/vda rw,subvol=/@rootfs"


def overlay(place: str) -> str:
    """Return the root of a container with its layers there."""
    options = f"lowerdir=/var/lib/{place}/6/fs,upperdir=/var/lib/{place}/7/fs"
    return f"500 300 0:52 / / ro,relatime - overlay overlay rw,{options}"


OTHERS = overlay("something-else")


@pytest.mark.parametrize(
    ("environment", "files", "mount", "expected"),
    [
        ({}, [], DISK, None),
        ({}, [".dockerenv"], DISK, None),  # a machine whose disk was made of an image
        ({}, [".dockerenv"], overlay("docker/overlay2"), Runtime.DOCKER),
        ({}, [".dockerenv"], "22 1 254:1 /var/lib/docker/vfs/dir/1 / rw - ext4 /dev/vda rw",
         Runtime.DOCKER),
        ({}, ["run/.containerenv"], OTHERS, Runtime.PODMAN),
        ({"container": "podman"}, [], DISK, Runtime.PODMAN),
        ({"container": "systemd-nspawn"}, [], DISK, Runtime.OTHER),
        ({"container": ""}, [], DISK, None),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, ["run/.containerenv"], OTHERS,
         Runtime.KUBERNETES),
        ({"ECS_CONTAINER_METADATA_URI_V4": "http://x"}, [".dockerenv"], OTHERS, Runtime.ECS),
        ({}, [], overlay("containerd/io.containerd.snapshotter.v1.overlayfs/snapshots"),
         Runtime.OTHER),
        ({}, [], OTHERS, None),  # a live system
        ({}, [], BTRFS, None),
        ({}, [], "", None),
        ({}, [], "not a line of mounts", None),
    ],
)  # fmt: skip
def test_the_runtime_is_told(
    tmp_path: Path,
    environment: dict[str, str],
    files: list[str],
    mount: str,
    expected: Optional[Runtime],
) -> None:
    """By variables first, because orchestrators use runtimes that leave files."""
    for name in (*files, "proc/self/mountinfo"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    below = "30 500 0:60 / /proc rw - proc proc rw"
    (tmp_path / "proc/self/mountinfo").write_text(f"{mount}\n{below}\n")
    assert maybe_runtime(environment, tmp_path) is expected


def test_without_proc_only_variables_tell(tmp_path: Path) -> None:
    """A file alone may come from the disk's image."""
    (tmp_path / ".dockerenv").touch()
    assert maybe_runtime({}, tmp_path) is None
    assert maybe_runtime({"container": "docker"}, tmp_path) is Runtime.DOCKER
