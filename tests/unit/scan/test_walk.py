"""A walk stays on its file systems, follows no link, and names files as their root does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from analyzer.scan.walk import Place, Walk
from tests.unit.software.trees import tree


def _walk(path: Path, *, is_everywhere: bool = False) -> tuple[list[Place], list[str], list[str]]:
    unread: list[str] = []
    skipped: list[str] = []
    walk = Walk(
        is_everywhere=is_everywhere,
        tell_unread=lambda place, _error: unread.append(place),
        tell_skipped=lambda place, _why: skipped.append(place),
    )
    return list(walk.files(str(path))), unread, skipped


def test_files_are_found_and_links_are_not_followed(tmp_path: Path) -> None:
    """A link to a folder above would be a circle."""
    tree(tmp_path, {"/a/one.py": "1", "/a/b/two.py": "22", "/.git/three.py": "", "/c.py": ""})
    (tmp_path / "a/up").symlink_to(tmp_path)
    (tmp_path / "a/link.py").symlink_to("one.py")
    os.mkfifo(tmp_path / "a/fifo")
    places, unread, skipped = _walk(tmp_path)
    assert {(each.path, each.size) for each in places} == {
        (f"{tmp_path}/a/one.py", 1), (f"{tmp_path}/a/b/two.py", 2), (f"{tmp_path}/c.py", 0),
    }  # fmt: skip
    assert (unread, skipped) == ([], [])


def test_a_file_by_its_name(tmp_path: Path) -> None:
    """As a shell's pattern gives them."""
    tree(tmp_path, {"/a.py": "x"})
    assert _walk(tmp_path / "a.py")[0] == [Place("", f"{tmp_path}/a.py", 1)]


@pytest.mark.parametrize(
    "layer",
    [
        "var/lib/docker/overlay2/0a1b/diff",
        "var/lib/containers/storage/overlay/0a1b/diff",
        "var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/7/fs",
        "var/lib/machines/debian",
        "var/lib/lxc/web/rootfs",
    ],
)
def test_a_layer_is_a_root(tmp_path: Path, layer: str) -> None:
    """Its files have the paths that its container sees."""
    tree(tmp_path, {f"/{layer}/var/lib/dpkg/status": "", "/var/lib/dpkg/status": ""})
    places, _, _ = _walk(tmp_path)
    assert {(each.root, each.path) for each in places} == {
        (f"{tmp_path}/{layer}", "/var/lib/dpkg/status"),
        ("", f"{tmp_path}/var/lib/dpkg/status"),
    }


def test_a_tree_that_looks_like_a_root_is_one(tmp_path: Path) -> None:
    """An image that was unpacked by hand."""
    tree(tmp_path, {"/etc/crontab": "", "/usr/bin/x": ""})
    assert Place(str(tmp_path), "/etc/crontab", 0) in _walk(tmp_path)[0]
    assert _walk(tmp_path)[0][0].shown.startswith(str(tmp_path))


def test_what_is_gone_is_told(tmp_path: Path) -> None:
    """By its path."""
    assert _walk(tmp_path / "nothing")[1] == [str(tmp_path / "nothing")]


def test_other_file_systems_are_entered_only_if_asked() -> None:
    """Of this machine: /dev/shm, /run or /tmp is one; the kernel's own never."""
    mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    inner = [place for place, kind in mounts if kind == "tmpfs" and place.count("/") > 1]
    if not inner:
        pytest.skip("no tmpfs below a folder here")
    parent = Path(inner[0]).parent
    if os.stat(parent).st_dev == os.stat(inner[0]).st_dev or str(parent) == "/dev":  # noqa: PTH116
        pytest.skip("it is mounted over itself")
    assert inner[0] in _walk(parent)[2]


def test_deep_folders_end(tmp_path: Path) -> None:
    """Where it ends is told."""
    folder = tmp_path
    for _ in range(140):
        folder /= "d"
    folder.mkdir(parents=True)
    assert len(_walk(tmp_path)[2]) == 1
