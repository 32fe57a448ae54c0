"""Which machine the lines come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.host.identity import boot_id, instance_id


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
