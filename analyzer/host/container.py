"""Tells whether this process is in a container, and whose, to advise in that runtime's words."""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Optional

_ROOT = Path("/")


class Runtime(enum.Enum):
    """Program whose configuration starts this container. The value is its name for people."""

    KUBERNETES = "Kubernetes"
    ECS = "Amazon ECS"
    PODMAN = "podman"
    DOCKER = "docker"
    OTHER = "another container runtime"


# The first that is set or there; orchestrators come first, as they use the others.
# The kubelet sets it in every container, also without service links and service account.
_VARIABLES = (
    ("KUBERNETES_SERVICE_HOST", Runtime.KUBERNETES),
    ("ECS_CONTAINER_METADATA_URI_V4", Runtime.ECS),
    ("ECS_CONTAINER_METADATA_URI", Runtime.ECS),
)
_FILES = (
    ("run/.containerenv", Runtime.PODMAN),  # CRI-O makes it too, in pods
    (".dockerenv", Runtime.DOCKER),
)
# systemd's convention: https://systemd.io/CONTAINER_INTERFACE
_CONVENTION = "container"
_NAMED = {"podman": Runtime.PODMAN, "docker": Runtime.DOCKER}
# A machine's disk may be made of an image, with such a file in it. What a container has as its root
# is layers, or a directory of the host's.
_LAYERED = frozenset({"overlay", "aufs", "btrfs", "zfs", "fuse.fuse-overlayfs"})
# A runtime's layers as the root; containerd leaves no file and no variable.
_LAYERS = re.compile(r"(?:upperdir|lowerdir)=[^, ]*/(containerd|containers/storage|docker)/")


class _RootMount(NamedTuple):
    """Mount of the root: its directory, and the type of its file system."""

    directory: str
    kind: str
    options: str

    @property
    def is_a_containers(self) -> bool:
        return self.directory != "/" or self.kind in _LAYERED


def maybe_runtime(
    environment: Mapping[str, str] = os.environ, root: Path = _ROOT
) -> Optional[Runtime]:
    """Return the runtime of the container that this process is in; None outside of one."""
    for variable, runtime in _VARIABLES:
        if environment.get(variable):
            return runtime
    mount = _maybe_root_mount(root)
    if mount is not None and mount.is_a_containers:
        for name, runtime in _FILES:
            if os.path.lexists(root / name):
                return runtime
    if environment.get(_CONVENTION):
        return _NAMED.get(environment[_CONVENTION], Runtime.OTHER)
    return Runtime.OTHER if mount is not None and _LAYERS.search(mount.options) else None


def _maybe_root_mount(root: Path) -> Optional[_RootMount]:
    """Return the uppermost mount on / (proc_pid_mountinfo(5)); None if it cannot be read."""
    try:
        mounts = (root / "proc/self/mountinfo").read_text("utf-8", "surrogateescape")
    except OSError:
        return None
    found = None
    for line in mounts.splitlines():
        mount, _, source = line.partition(" - ")
        fields, of = mount.split(" "), source.split(" ", 2)
        if fields[4:5] == ["/"] and len(of) > 2:  # noqa: PLR2004 (type, source, options)
            found = _RootMount(fields[3], of[0], of[2])
    return found
