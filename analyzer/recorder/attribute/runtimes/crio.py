"""Reads what CRI-O keeps of a container: the annotations of its OCI configuration."""

from __future__ import annotations

from typing import Optional

from analyzer.recorder.attribute.runtimes.node_files import NodeFiles, parsed
from analyzer.recorder.attribute.runtimes.settings import podman_stores
from analyzer.recorder.attribute.runtimes.told import (
    CONTAINER_NAME,
    NO_LABELS,
    POD_NAME,
    POD_NAMESPACE,
    POD_UID,
    Asked,
    Labels,
    Told,
    text,
    texts,
)

_STORES = ("/run/containers/storage", "/var/lib/containers/storage")
_OWN = "io.kubernetes.cri-o."
# In the configuration of CRI-O's own, with the kubelet's names of the same.
_KUBELET = (POD_NAME, POD_NAMESPACE, POD_UID, CONTAINER_NAME)


class Crio:
    """CRI-O."""

    name = "cri-o"

    def maybe_told(self, files: NodeFiles, asked: Asked) -> Optional[Told]:
        """Return what CRI-O tells of a container."""
        notes = _annotations(files, asked.id, asked.bundle)
        if notes.get(f"{_OWN}ContainerID") != asked.id:
            return None
        labels = _labels(notes)
        named = {name: notes.get(name) or labels.get(name, "") for name in _KUBELET}
        return Told(
            self.name,
            notes.get(f"{_OWN}Name", ""),
            # The name as the pod's specification has it, before CRI-O finds the image.
            notes.get(f"{_OWN}ImageName") or notes.get(f"{_OWN}Image", ""),
            {**labels, **{name: value for name, value in named.items() if value}},
            notes.get(f"{_OWN}SandboxID", ""),
        )

    def pod_labels(self, files: NodeFiles, told: Told) -> Labels:
        """Return the labels of the sandbox, which are the pod's."""
        return _labels(_annotations(files, told.sandbox)) if told.sandbox else NO_LABELS


def _annotations(files: NodeFiles, identity: str, bundle: str = "") -> Labels:
    stores = () if bundle else dict.fromkeys((*_STORES, *podman_stores(files)))
    bundles = [f"{store}/overlay-containers/{identity}/userdata" for store in stores]
    for place in bundles or [bundle]:
        found = files.maybe_json(f"{place}/config.json")
        if text(found, "annotations", f"{_OWN}ContainerID"):
            return texts(found["annotations"] if isinstance(found, dict) else None)
    return NO_LABELS


def _labels(notes: Labels) -> Labels:
    """Return the labels, which stand in one annotation as JSON."""
    return texts(parsed(notes.get(f"{_OWN}Labels", "").encode()))
