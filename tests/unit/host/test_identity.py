"""Which machine the lines come from."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from analyzer.host.identity import NODE_NAME, boot_id, host_name, instance_id, node_name


@pytest.mark.parametrize("tag", ["i-0123456789abcdef0", "i-0a1b2c3d"])
def test_a_nitro_instance_is_known_by_its_asset_tag(tmp_path: Path, tag: str) -> None:
    """Firmware ends it with a newline."""
    path = tmp_path / "board_asset_tag"
    path.write_text(f"{tag}\n")
    assert instance_id(path) == tag


@pytest.mark.parametrize(
    "tag",
    [
        b"",
        b"Not Specified\n",
        b"i-0123456789abcdef0x\n",
        b"i-012345678\n",
        b"I-0A1B2C3D\n",
        b"\xff",
    ],
)
def test_any_other_tag_is_no_instance(tmp_path: Path, tag: bytes) -> None:
    """Other makers write what they like there."""
    path = tmp_path / "board_asset_tag"
    path.write_bytes(tag)
    assert instance_id(path) == ""


def test_where_there_is_no_tag_there_is_no_instance(tmp_path: Path) -> None:
    """As in most virtual machines."""
    assert instance_id(tmp_path / "board_asset_tag") == ""


def test_the_boot_is_the_kernels() -> None:
    """Thirty-two hexadecimal digits in groups."""
    assert boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def _proc(directory: Path, ours: str, first: str, name: bytes = b"ip-10-0-3-7\n") -> Path:
    """Make the files of /proc that tell of UTS namespaces, and the first process's root."""
    for process, namespace in (("self", ours), ("1", first)):
        (directory / process / "ns").mkdir(parents=True)
        (directory / process / "ns" / "uts").symlink_to(namespace)
    (directory / "1/root/etc").mkdir(parents=True)
    (directory / "1/root/etc/hostname").write_bytes(name)
    return directory


def test_a_node_of_a_cluster_has_the_name_that_the_chart_gives() -> None:
    assert host_name({NODE_NAME: "ip-10-0-3-7.ec2.internal"}) == "ip-10-0-3-7.ec2.internal"
    assert host_name({NODE_NAME: ""}) == socket.gethostname()
    assert host_name({}) == socket.gethostname()


def test_a_container_with_a_name_of_its_own_tells_the_host_s(tmp_path: Path) -> None:
    assert host_name({}, _proc(tmp_path, "uts:[2]", "uts:[1]")) == "ip-10-0-3-7"


def test_on_the_host_its_present_name_counts(tmp_path: Path) -> None:
    """The file has what it is called after the next boot."""
    assert host_name({}, _proc(tmp_path, "uts:[1]", "uts:[1]")) == socket.gethostname()


@pytest.mark.parametrize("name", [b"", b"\n", b"\xff\n"])
def test_a_host_without_a_name_in_its_file_leaves_ours(tmp_path: Path, name: bytes) -> None:
    assert host_name({}, _proc(tmp_path, "uts:[2]", "uts:[1]", name)) == socket.gethostname()


def test_without_proc_there_is_our_own_name(tmp_path: Path) -> None:
    assert host_name({}, tmp_path) == socket.gethostname()


def test_the_chart_names_the_node() -> None:
    assert node_name({NODE_NAME: "ip-10-0-3-7.ec2.internal"}) == "ip-10-0-3-7.ec2.internal"
    assert node_name({}) == ""
