"""Identifies this machine without asking IMDS."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from analyzer.imds import INSTANCE_ID

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# On Nitro instances, for everyone to read; older (Xen) instances do not have it.
_ASSET_TAG = Path("/sys/devices/virtual/dmi/id/board_asset_tag")
# What the Helm chart sets: the node's name in its cluster.
NODE_NAME = "NODE_NAME"
_PROC = Path("/proc")


def host_name(environment: Mapping[str, str] = os.environ, proc: Path = _PROC) -> str:
    """Return this machine's name, also in a container that has a name of its own.

    Such a name is a pod's or a container's, and changes with each. With the host's process ids in
    sight, the first process is the host's, and has another UTS namespace than ours.
    """
    if environment.get(NODE_NAME):
        return environment[NODE_NAME]
    try:
        is_own = (proc / "self/ns/uts").readlink() == (proc / "1/ns/uts").readlink()
    except OSError:
        is_own = True
    host = "" if is_own else _first_line(proc / "1/root/etc/hostname")
    return host or socket.gethostname()


def node_name(environment: Mapping[str, str] = os.environ) -> str:
    """Return the node's name in its cluster, as the chart tells us; "" outside of its pods."""
    return environment.get(NODE_NAME, "")


def boot_id() -> str:
    """Return the kernel's id of this boot; "" where it cannot be read."""
    return _first_line(_BOOT_ID)


def instance_id(asset_tag: Path = _ASSET_TAG) -> str:
    """Return the EC2 instance's id; "" where the machine's firmware does not tell."""
    tag = _first_line(asset_tag)
    return tag if INSTANCE_ID.fullmatch(tag) else ""


def _first_line(path: Path) -> str:
    try:
        return path.read_text("ascii").strip().partition("\n")[0]
    except (OSError, ValueError):
        return ""
