"""Reads what containerd keeps of a container: its task's OCI configuration, and its database.

The configuration has the annotations of containerd's CRI plugin and of nerdctl. The database has
the labels, among which are the pod's, and the image of every container.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Optional

from analyzer.recorder.attribute.runtimes.bolt import Bolt, Damaged, Lookup
from analyzer.recorder.attribute.runtimes.node_files import NodeFiles
from analyzer.recorder.attribute.runtimes.settings import containerd_places
from analyzer.recorder.attribute.runtimes.told import (
    CONTAINER_NAME,
    NO_LABELS,
    POD_NAME,
    POD_NAMESPACE,
    POD_UID,
    Asked,
    Labels,
    Told,
    texts,
)


class _Place(NamedTuple):
    """The directories of one installation (`state` and `root` in its configuration)."""

    state: str
    data: str


_PLACES = (
    _Place("/run/containerd", "/var/lib/containerd"),
    _Place("/run/k3s/containerd", "/var/lib/rancher/k3s/agent/containerd"),  # k3s and RKE2
    _Place("/run/k0s/containerd", "/var/lib/k0s/containerd"),
    _Place(
        "/var/snap/microk8s/common/run/containerd",
        "/var/snap/microk8s/common/var/lib/containerd",
    ),
    _Place("/run/host-containerd", "/local/host-containerd"),  # Bottlerocket's own
)
_OF_USER = ".local/share/containerd"
_TASKS = "io.containerd.runtime.v2.task"
_DATABASE = "io.containerd.metadata.v1.bolt/meta.db"
_KUBELET = "k8s.io"
_NAMESPACES_MAX = 64

_CRI = "io.kubernetes.cri."
# The CRI plugin's annotation (pkg/cri/annotations) -> the kubelet's label of the same.
_NOTES = {
    f"{_CRI}container-name": CONTAINER_NAME,
    f"{_CRI}sandbox-name": POD_NAME,
    f"{_CRI}sandbox-namespace": POD_NAMESPACE,
    f"{_CRI}sandbox-uid": POD_UID,
}
_NERDCTL_NAME = "nerdctl/name"


class Containerd:
    """containerd: below a kubelet, by nerdctl and by ctr."""

    name = "containerd"

    def maybe_told(self, files: NodeFiles, asked: Asked) -> Optional[Told]:
        """Return what containerd tells of a container."""
        if asked.bundle and f"/{_TASKS}/" not in asked.bundle:
            return None
        notes = _annotations(files, asked)
        named = {label: notes[note] for note, label in _NOTES.items() if notes.get(note)}
        image = notes.get(f"{_CRI}image-name", "")
        if POD_NAME in named and image:
            return Told(self.name, "", image, named, notes.get(f"{_CRI}sandbox-id", ""))
        kept = _maybe_kept(files, asked)
        if not notes and kept is None:
            return None
        kept = kept or Told(self.name)
        labels = {**kept.labels, **named}
        return kept._replace(
            name=notes.get(_NERDCTL_NAME) or labels.get(_NERDCTL_NAME, ""),
            image=image or kept.image,
            labels=labels,
            sandbox=notes.get(f"{_CRI}sandbox-id", ""),
        )

    def pod_labels(self, files: NodeFiles, told: Told) -> Labels:
        """Return the labels of the sandbox, which are the pod's."""
        kept = _maybe_kept(files, Asked(told.sandbox)) if told.sandbox else None
        return NO_LABELS if kept is None else kept.labels


def is_task(files: NodeFiles, namespace: str, identity: str) -> bool:
    """Tell whether containerd has a container of this name running in a namespace of its."""
    tasks = (f"{place.state}/{_TASKS}/{namespace}/{identity}" for place in _places(files))
    return any(files.is_file(f"{task}/config.json") for task in tasks)


def _places(files: NodeFiles) -> list[_Place]:
    return list(dict.fromkeys((*_PLACES, *(_Place(*each) for each in containerd_places(files)))))


def _annotations(files: NodeFiles, asked: Asked) -> Labels:
    for bundle in [asked.bundle] if asked.bundle else _bundles(files, asked):
        path = f"{bundle}/config.json"
        found = files.maybe_json(path) if files.is_file(path) else None
        if isinstance(found, dict):
            return texts(found.get("annotations"))
    return NO_LABELS


def _bundles(files: NodeFiles, asked: Asked) -> Iterator[str]:
    # A user's own are in a mount namespace of its.
    for place in _places(files) if asked.uid is None else ():
        tasks = f"{place.state}/{_TASKS}"
        for namespace in _namespaces(files.names(tasks)):
            yield f"{tasks}/{namespace}/{asked.id}"


def _maybe_kept(files: NodeFiles, asked: Asked) -> Optional[Told]:
    """Return what the database has of a container."""
    for data in _data(files, asked):
        file = files.maybe_open(f"{data}/{_DATABASE}")
        if file is None:
            continue
        found: Optional[Told] = None
        try:
            with file:
                for database in Lookup(file):
                    found = _maybe_in(database, asked.id.encode())
        except (OSError, Damaged):
            continue
        if found is not None:
            return found
    return None


def _maybe_in(database: Bolt, identity: bytes) -> Optional[Told]:
    spaces = database.maybe_bucket(database.root(), b"v1")
    names = [name.decode("utf-8", "replace") for name, _ in database.items(spaces)]
    for namespace in _namespaces(names):
        path = (namespace.encode(), b"containers", identity)
        container = database.maybe_bucket(spaces, *path)
        if container is not None:
            labels = database.items(database.maybe_bucket(container, b"labels"))
            return Told(
                Containerd.name,
                image=(database.maybe_value(container, b"image") or b"").decode("utf-8", "replace"),
                labels={
                    name.decode("utf-8", "replace"): value.decode("utf-8", "replace")
                    for name, value in labels
                },
            )
    return None


def _namespaces(names: list[str]) -> list[str]:
    """Return the namespaces, the kubelet's first."""
    return sorted(names, key=lambda name: name != _KUBELET)[:_NAMESPACES_MAX]


def _data(files: NodeFiles, asked: Asked) -> Iterator[str]:
    if asked.uid is None:
        yield from (place.data for place in _places(files))
        return
    home = files.maybe_home(asked.uid)
    if home is not None:
        yield f"{home}/{_OF_USER}"
