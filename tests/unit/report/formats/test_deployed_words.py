"""A caller in containers, in the words of people: what deployed it, and how many there are."""

from __future__ import annotations

import dataclasses

from analyzer.report.callers import Group
from analyzer.report.formats.wording import deployed
from tests.unit.report_samples import group


def _deployed(place: str, **names: str) -> Group:
    found = group(place=place, workloads=tuple(f"{n:04x}" for n in range(5)), host_count=5)
    return dataclasses.replace(
        found, workload_count=12, key=dataclasses.replace(found.key, **names)
    )


def test_all_pods_of_a_deployment_are_one_sentence() -> None:
    pods = _deployed(
        "kubernetes",
        deployed="Deployment payments/api",
        container="app",
        image="registry.example:5000/payments/app:1.4",
    )
    said = "deployment payments/api, container app, image app:1.4, 12 pods on 5 nodes"
    assert deployed(pods) == said


def test_what_is_not_known_is_left_out() -> None:
    tasks = _deployed("ecs", deployed="TaskDefinition web")
    assert deployed(tasks) == "task family web, 12 tasks on 5 instances"
    assert deployed(_deployed("docker", image="nginx")) == "image nginx, 12 containers on 5 hosts"
    assert deployed(group(place="docker", workloads=("3f1c",))) == ""
