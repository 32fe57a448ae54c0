"""Identifies this machine without asking IMDS."""

from __future__ import annotations

from pathlib import Path

from analyzer.imds import INSTANCE_ID

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# On Nitro instances, for everyone to read; older (Xen) instances do not have it.
_ASSET_TAG = Path("/sys/devices/virtual/dmi/id/board_asset_tag")


def boot_id() -> str:
    """Return the kernel's id of this boot; "" where it cannot be read."""
    return _first_line(_BOOT_ID)


def instance_id(asset_tag: Path = _ASSET_TAG) -> str:
    """Return the EC2 instance's id; "" where the machine's firmware does not tell."""
    tag = _first_line(asset_tag)
    return tag if INSTANCE_ID.fullmatch(tag) else ""


def _first_line(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""
