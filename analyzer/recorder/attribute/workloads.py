"""Finds the Kubernetes pod, ECS task or Nomad allocation of a cgroup by its path.

The log has it in ECS's own fields, as Elastic's sensors for containers fill them in:

- ``orchestrator.type`` is ``kubernetes``, ``ecs`` or ``nomad``.
- ``orchestrator.resource.type`` is ``pod``, ``task`` or ``allocation``.
- ``orchestrator.resource.id`` is the pod's uid, or the id of the task or the allocation.
- ``orchestrator.resource.name`` is the task of Nomad's, for those without a container.

The uid is ``metadata.uid``; others call it ``kubernetes.pod.uid`` or ``k8s.pod.uid``. The task's
id is the end of its ARN, ``aws.ecs.task.id``.
"""

from __future__ import annotations

import re
from typing import Optional

from analyzer.recorder.attribute.cgroups import Cgroup, endings, parse
from analyzer.recorder.attribute.containers import unescaped
from analyzer.recorder.callers import Workload

_UUID = r"[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}"
# A pod that the kubelet runs from a file has the digest of that file for its uid, and all
# tasks since 2019 have an id without dashes.
_ID = rf"(?P<id>[0-9a-f]{{32}}|{_UUID})"

# (how a path ends that is the workload's own cgroup, orchestrator, kind); the first match wins.
RULES: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern + r"\Z"), orchestrator, kind)
    for pattern, orchestrator, kind in (
        # The three classes of service (guaranteed ones have no word of their own), by systemd
        # and by cgroupfs; a slice with a colon is systemd's form taken as it is by cgroupfs.
        (
            rf"(?:/|(?:kubepods|burstable|besteffort)-)pod{_ID}(?:\.slice(?::[^/]*)?)?",
            "kubernetes",
            "pod",
        ),
        (rf"/ecstasks-{_ID}\.slice", "ecs", "task"),
        # Directly below, or below the cluster's name.
        (rf"/ecs/(?:[^/]+/)?{_ID}", "ecs", "task"),
        # Tasks without a container (exec, raw_exec, java), with and without cores of their own.
        (rf"/(?:share|reserve)\.slice/{_ID}\.(?P<name>[^/]+)\.scope", "nomad", "allocation"),
    )
)


def maybe_workload(cgroup_text: str) -> Optional[Workload]:
    """Return the innermost pod or task in the text of /proc/PID/cgroup, version 1 or 2."""
    for cgroup in parse(cgroup_text):
        found = _of_path(cgroup)
        if found is not None:
            return found
    return None


def _of_path(cgroup: Cgroup) -> Optional[Workload]:
    for ending in endings(cgroup, levels=3):
        for pattern, orchestrator, kind in RULES:
            match = pattern.search(ending)
            if match:
                # systemd takes a dash in a slice's name for a level of its own, so the
                # kubelet writes underscores.
                name = match.groupdict().get("name", "")
                return Workload(
                    orchestrator, kind, match["id"].replace("_", "-"), name=unescaped(name)
                )
    return None
