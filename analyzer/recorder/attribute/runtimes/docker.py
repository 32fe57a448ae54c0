"""Reads what Docker keeps of a container: config.v2.json."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from analyzer.recorder.attribute.runtimes.node_files import NodeFiles
from analyzer.recorder.attribute.runtimes.told import NO_LABELS, Asked, Labels, Told, text, texts

# Debian's, Ubuntu's snap, and Docker's own setting (daemon.json).
_DATA = ("/var/lib/docker", "/var/snap/docker/common/var-lib-docker")
_SETTINGS = "/etc/docker/daemon.json"
_OF_USER = ".local/share/docker"
# dockershim's and cri-dockerd's, of the kubelet's container.
_SANDBOX = "io.kubernetes.sandbox.id"


class Docker:
    """Docker, also below a kubelet and an ECS agent, and rootless."""

    name = "docker"

    def maybe_told(self, files: NodeFiles, asked: Asked) -> Optional[Told]:
        """Return what Docker tells of a container."""
        for data in _data(files, asked):
            found = files.maybe_json(f"{data}/containers/{asked.id}/config.v2.json")
            if text(found, "ID") == asked.id:
                labels = _labels(found)
                return Told(
                    self.name,
                    text(found, "Name").removeprefix("/"),
                    text(found, "Config", "Image"),
                    labels,
                    labels.get(_SANDBOX, ""),
                )
        return None

    def pod_labels(self, files: NodeFiles, told: Told) -> Labels:
        """Return the labels of the sandbox, which are the pod's."""
        sandbox = self.maybe_told(files, Asked(told.sandbox)) if told.sandbox else None
        return NO_LABELS if sandbox is None else sandbox.labels


def _labels(found: object) -> Labels:
    config = found.get("Config") if isinstance(found, dict) else None
    return texts(config.get("Labels")) if isinstance(config, dict) else NO_LABELS


def _data(files: NodeFiles, asked: Asked) -> Iterator[str]:
    if not asked.bundle and asked.uid is not None:
        home = files.maybe_home(asked.uid)
        if home is not None:
            yield f"{home}/{_OF_USER}"
        return
    if asked.bundle:
        yield from _data_by_mounts(files, asked)
        return
    yield from _DATA
    moved = text(files.maybe_json(_SETTINGS), "data-root")
    if moved.startswith("/"):
        yield moved.rstrip("/")


def _data_by_mounts(files: NodeFiles, asked: Asked) -> Iterator[str]:
    """Yield where Docker keeps its data, by the files of a container that it mounts in it."""
    found = files.maybe_json(f"{asked.bundle}/config.json")
    mounts = found.get("mounts") if isinstance(found, dict) else None
    for mount in mounts if isinstance(mounts, list) else ():
        data, is_own, _ = text(mount, "source").partition(f"/containers/{asked.id}/")
        if is_own:
            yield data
            return
