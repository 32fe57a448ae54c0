"""Defines what a runtime tells of a container, and how runtimes are asked."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, Optional, Protocol

from analyzer.recorder.attribute.runtimes.node_files import NodeFiles

# The labels by which the kubelet tells a runtime whose container it is (its package types).
POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_UID = "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"

Labels = Mapping[str, str]
NO_LABELS: Labels = MappingProxyType({})


class Asked(NamedTuple):
    """The container that is asked for. ``uid`` is the user whose own runtime has it, else None.

    ``bundle`` is the directory of its OCI configuration, if it is known.
    """

    id: str
    uid: Optional[int] = None
    bundle: str = ""


class Told(NamedTuple):
    """Facts that a runtime states about a container; "" if it does not state them.

    ``image`` is the reference that the container was made from. ``labels`` are the container's;
    those of the kubelet have the kubelet's names. ``sandbox`` is the id of the pod's sandbox,
    whose labels are the pod's. ``pod_labels`` are those, if the runtime tells them at once.
    """

    runtime: str
    name: str = ""
    image: str = ""
    labels: Labels = NO_LABELS
    sandbox: str = ""
    pod: str = ""
    pod_labels: Labels = NO_LABELS


class Runtime(Protocol):
    """Reads what one runtime keeps of its containers. Raises nothing."""

    name: str

    def maybe_told(self, files: NodeFiles, asked: Asked) -> Optional[Told]:
        """Return what it tells of a container, None if it has none of this id."""
        ...

    def pod_labels(self, files: NodeFiles, told: Told) -> Labels:
        """Return the labels of the pod, empty if it is in none or they are unknown."""
        ...


def texts(found: object) -> Labels:
    """Return those members of a JSON object that are text."""
    if not isinstance(found, dict):
        return NO_LABELS
    return {name: value for name, value in found.items() if isinstance(value, str)}


def text(found: object, *names: str) -> str:
    """Return the text at a path of a JSON document, "" if there is none."""
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""
