"""What a container was deployed as, in words."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.logline.deployed import copies_at, deployed_as, in_words

POD = {"type": "pod", "id": "5a1b", "name": "api-7d4b9c6f5d-x2x4z"}
OWNED = {**POD, "parent": {"type": "Deployment", "name": "api"}}


@pytest.mark.parametrize(
    ("orchestrator", "deployed", "words"),
    [
        (
            {"type": "kubernetes", "namespace": "payments", "resource": OWNED},
            "Deployment payments/api",
            "deployment payments/api",
        ),
        (
            {"type": "kubernetes", "namespace": "payments", "resource": POD},
            "pod payments/api-7d4b9c6f5d-x2x4z",
            "pod payments/api-7d4b9c6f5d-x2x4z",
        ),
        (
            {"resource": {"type": "task", "parent": {"type": "TaskDefinition", "name": "web"}}},
            "TaskDefinition web",
            "task family web",
        ),
        (
            {"namespace": "ops", "resource": {"parent": {"type": "CronJob", "name": "nightly"}}},
            "CronJob ops/nightly",
            "cron job ops/nightly",
        ),
    ],
)
def test_the_owner_is_what_deployed_it_else_the_resource(
    orchestrator: dict[str, Any], deployed: str, words: str
) -> None:
    assert deployed_as({"orchestrator": orchestrator}) == deployed
    assert in_words(deployed) == words


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"orchestrator": {"type": "kubernetes", "resource": {"type": "pod", "id": "5a1b"}}},
        {"orchestrator": {"resource": {"parent": {"name": "api"}, "name": "api-x"}}},
        {"orchestrator": "forged"},
    ],
)
def test_what_nobody_tells_is_nothing(fields: dict[str, Any]) -> None:
    assert deployed_as(fields) == ""


def test_copies_have_the_orchestrators_words() -> None:
    assert copies_at("kubernetes") == ("pod", "node")
    assert copies_at("ecs") == ("task", "instance")
    assert copies_at("podman") == ("container", "host")
