"""Tells by its labels which orchestrator a container belongs to, and as what.

Each rule reads one tool's labels; the first that finds its own wins. Sources: the kubelet's
pkg/kubelet/types, the ECS agent's docker task engine, Nomad's docker driver, Compose's labels.
"""

from __future__ import annotations

import re
from typing import Callable, NamedTuple, Optional

from analyzer.recorder.attribute.runtimes.owners import owner_of
from analyzer.recorder.attribute.runtimes.told import (
    CONTAINER_NAME,
    NO_LABELS,
    POD_NAME,
    POD_NAMESPACE,
    POD_UID,
    Labels,
    Told,
)
from analyzer.recorder.callers import Workload

_ECS = "com.amazonaws.ecs."
_NOMAD = "com.hashicorp.nomad."
_COMPOSE, _SWARM = "com.docker.compose.", "com.docker.swarm."
_ALLOCATION = r"-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z"
_ID = re.compile(r"[0-9a-f-]{1,64}\Z")


class Place(NamedTuple):
    """Facts from labels. ``container`` is the name that people gave the container, else ""."""

    workload: Workload
    container: str = ""


def maybe_place(told: Told, pod_labels: Labels = NO_LABELS) -> Optional[Place]:
    """Return the workload that a container is of, without its chosen labels."""
    if told.pod:
        return Place(Workload(told.runtime, "pod", _id(told.sandbox), name=told.pod), told.name)
    for rule in _RULES:
        place = rule(told, pod_labels)
        if place is not None:
            return place
    return None


def _of_kubelet(told: Told, pod_labels: Labels) -> Optional[Place]:
    labels = told.labels
    pod = labels.get(POD_NAME, "")
    if not pod:
        return None
    owner = owner_of(pod, pod_labels)
    return Place(
        Workload(
            "kubernetes",
            "pod",
            _id(labels.get(POD_UID, "")),
            labels.get(POD_NAMESPACE, ""),
            pod,
            owner.kind,
            owner.name,
        ),
        labels.get(CONTAINER_NAME, ""),
    )


def _of_ecs(told: Told, _: Labels) -> Optional[Place]:
    labels = told.labels
    family = labels.get(f"{_ECS}task-definition-family", "")
    if not family:
        return None
    task = labels.get(f"{_ECS}task-arn", "").rpartition("/")[2]
    # The agent writes the cluster's name or its ARN, as it was set up with.
    cluster = labels.get(f"{_ECS}cluster", "").rpartition("/")[2]
    workload = Workload("ecs", "task", _id(task), "", "", "TaskDefinition", family, cluster)
    return Place(workload, labels.get(f"{_ECS}container-name", ""))


def _of_nomad(told: Told, _: Labels) -> Optional[Place]:
    labels = told.labels
    allocation = labels.get(f"{_NOMAD}alloc_id", "")
    if not allocation:
        return None
    job = labels.get(f"{_NOMAD}job_name", "")  # only with extra_labels in its configuration
    # The driver names a container after its task and its allocation.
    task = labels.get(f"{_NOMAD}task_name", "") or re.sub(_ALLOCATION, "", told.name)
    workload = Workload(
        "nomad",
        "allocation",
        _id(allocation),
        labels.get(f"{_NOMAD}namespace", ""),
        "",
        "Job" if job else "",
        job,
    )
    return Place(workload, task)


def _of_swarm(told: Told, _: Labels) -> Optional[Place]:
    service = told.labels.get(f"{_SWARM}service.name", "")
    if not service:
        return None
    stack = told.labels.get("com.docker.stack.namespace", "")
    return Place(Workload("swarm", "service", "", stack, service), told.name)


def _of_compose(told: Told, _: Labels) -> Optional[Place]:
    # podman-compose writes both, and its own names for some.
    project = told.labels.get(f"{_COMPOSE}project") or told.labels.get("io.podman.compose.project")
    service = told.labels.get(f"{_COMPOSE}service", "")
    if not project or not service:
        return None
    return Place(Workload("compose", "service", "", project, service), told.name)


_RULES: tuple[Callable[[Told, Labels], Optional[Place]], ...] = (
    _of_kubelet,
    _of_ecs,
    _of_nomad,
    _of_swarm,
    _of_compose,
)


def _id(text: str) -> str:
    """Return an id as the log has it, "" for what cannot be one."""
    return text if _ID.match(text) else ""
