"""A container's part of a caller's key: what a fix of it is made in."""

from __future__ import annotations

from typing import Optional

import pytest

from analyzer.recorder.attribute.identity import identified
from analyzer.recorder.callers import Caller, Container, NamedProcess, User, Workload

WORKER = NamedProcess(
    7, "worker", "/app/worker", ("/app/worker",), False, 1, User(1001, None)
)  # fmt: skip
POD = Workload("kubernetes", "pod", "5a1b", "payments", "api-7d4b9c6f5d-x2x4z")
API = POD._replace(owner_kind="Deployment", owner="api")
IMAGE = ("registry.example/payments/api", "1.4")


def key(container: Optional[Container], workload: Optional[Workload] = None, *said: str) -> str:
    """Return the part of the key, without the rest."""
    process = WORKER._replace(unverified=said)
    caller = identified(Caller(process, (), False, container, None, workload))
    assert caller.identity is not None
    head, _, _ = caller.identity.key.partition(";uid=")
    return head.removeprefix("container=")


def container(runtime: Optional[str] = "containerd", *names: str) -> Container:
    """Return a container with a number of its own."""
    return Container("3f1c" * 16, runtime, *names)


@pytest.mark.parametrize(
    ("found", "workload", "part"),
    [
        (container("containerd", "app", *IMAGE), API, "kubernetes:payments/api/app payments/api"),
        # Without an owner, what copies of the pod have in common.
        (container("containerd", "app"), POD, "kubernetes:payments/api/app"),
        (container(), POD._replace(name="aws-node-x2x4z"), "kubernetes:payments/aws-node"),
        (
            container("docker", "app", *IMAGE),
            Workload("ecs", "task", "5a1b", owner_kind="TaskDefinition", owner="web"),
            "ecs:web/app payments/api",
        ),
        # Compose numbers the containers of a service.
        (
            container("docker", "shop-front-2", "nginx"),
            Workload("compose", "service", "", "shop", "front"),
            "compose:shop/front nginx",
        ),
        # Docker makes up names.
        (container("docker", "jolly_ox", "docker.io/library/nginx", "1"), None, "docker:nginx"),
        (container("podman", "web", "localhost/web", "latest"), None, "podman:web"),
        (container("docker", "web", "localhost:5000/web"), None, "docker:web"),
        (Container("web-1", "lxc", "web-1"), None, "lxc:web-1"),
        # As without names.
        (container("docker"), None, "docker"),
        (container(None), None, "container"),
        (container("containerd"), Workload("kubernetes", "pod", "5a1b"), "kubernetes"),
    ],
)  # fmt: skip
def test_a_key_has_the_workload_and_the_image(
    found: Container, workload: Optional[Workload], part: str
) -> None:
    assert key(found, workload) == part


def test_a_new_pod_of_a_new_version_on_another_registry_is_the_same_caller() -> None:
    before = key(container("containerd", "app", *IMAGE), API)
    mirrored = ("mirror.example:5000/payments/api", "1.5")
    renewed = Container("90de" * 16, "cri-o", "app", *mirrored)
    after = key(renewed, API._replace(id="77", name="api-5f6c9d-8b7xk", node="node-2"))
    assert after == before
    assert key(renewed, API._replace(namespace="billing")) != before
    assert key(renewed._replace(name="sidecar"), API) != before


def test_a_users_own_container_does_not_take_the_name_of_anothers_job() -> None:
    named = container("podman", "app", *IMAGE)
    assert key(named, None, "container") == "podman:claimed payments/api"
    assert key(named) == "podman:payments/api"
