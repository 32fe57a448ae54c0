"""A pod that fetches the node's credentials is told the better way, and nobody else is."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from analyzer.clients.reading import load_clients
from analyzer.report.build import judge
from analyzer.report.callers import Group, Tally
from analyzer.report.diagnosis.pods import ADVICE, IRSA, POD_IDENTITY
from analyzer.report.diagnosis.rules import diagnose
from analyzer.report.result import Diagnosis, Step
from tests.unit.report_samples import (
    HOSTILE,
    NOW,
    WEEK,
    fallback,
    findings,
    gcp_probe,
    kube2iam,
    old_botocore,
    v2_only,
)

CLIENTS = load_clients()
POD = "8a4ef2b1-65b5-4a52-9f2c-0c1f0a4e6d3b"
NAMED = {
    "type": "kubernetes",
    "cluster": {"name": "prod-1"},
    "namespace": "payments",
    "resource": {
        "type": "pod",
        "id": POD,
        "name": "api-7d4b9c6f5-x2x9k",
        "parent": {"type": "Deployment", "name": "api"},
    },
}
UNNAMED = {"type": "kubernetes", "resource": {"type": "pod", "id": POD}}


def in_pod(make: Any, orchestrator: Any = NAMED, **fields: Any) -> Group:
    container = {"id": "90de" * 16, "runtime": "containerd"}
    made: Group = make(
        **{"place": "kubernetes", "unit": None, "container": container,
           "orchestrator": orchestrator, **fields}
    )  # fmt: skip
    return made


def said(group: Group) -> Diagnosis:
    return diagnose(group, CLIENTS)


def roles(*groups: Group) -> list[Step]:
    report = judge(findings(groups=groups), clients=CLIENTS, period=WEEK, now=NOW)
    return [step for step in report.steps if "roles of their own" in step.title]


@pytest.mark.parametrize("make", [old_botocore, fallback, v2_only])
def test_a_pod_with_the_node_s_credentials_is_told_the_better_way(make: Any) -> None:
    """Whatever its version: a token does not make the node's role the pod's."""
    diagnosis = said(in_pod(make))
    assert diagnosis.advice[-1] == ADVICE
    assert {POD_IDENTITY, IRSA} <= set(diagnosis.sources)
    assert diagnosis.cause is said(make()).cause
    assert len(roles(in_pod(make))) == 1


def test_the_commands_have_the_pod_s_names() -> None:
    commands = said(in_pod(v2_only)).commands
    assert commands[-4] == (
        "kubectl --namespace payments get pod api-7d4b9c6f5-x2x9k"
        " -o 'jsonpath={.spec.serviceAccountName}'"
    )
    assert commands[-3] == (
        "aws eks create-pod-identity-association --cluster-name prod-1 --namespace payments"
        " --service-account SERVICE_ACCOUNT --role-arn ROLE_ARN"
    )
    assert commands[-2].startswith(
        "eksctl create iamserviceaccount --cluster prod-1 --namespace payments"
    )
    assert commands[-1] == "kubectl --namespace payments rollout restart deployment/api"


def test_names_that_are_missing_are_the_reader_s_to_fill_in() -> None:
    commands = said(in_pod(v2_only, UNNAMED)).commands
    assert "--cluster-name CLUSTER --namespace NAMESPACE" in commands[-2]
    assert not [command for command in commands if "rollout restart" in command]


@pytest.mark.parametrize("kind", ["Job", "CronJob", "ReplicaSet", HOSTILE, None, 7])
def test_only_what_keeps_pods_running_is_restarted(kind: Any) -> None:
    resource = {**NAMED["resource"], "parent": {"type": kind, "name": "api"}}  # type: ignore[dict-item]
    commands = said(in_pod(v2_only, {**NAMED, "resource": resource})).commands
    assert not [command for command in commands if "rollout restart" in command]


@pytest.mark.parametrize("name", [HOSTILE, "a;reboot", "$(reboot)", "-A", "A", "", 7, None])
def test_forged_names_do_not_get_into_commands(name: Any) -> None:
    forged = {
        "type": "kubernetes",
        "cluster": {"name": name if name != "A" else "-A"},
        "namespace": name,
        "resource": {
            "type": "pod",
            "id": POD,
            "name": name,
            "parent": {"type": "Deployment", "name": name},
        },
    }
    commands = said(in_pod(v2_only, forged)).commands[-4:]
    words = {word for command in commands for word in shlex.split(command, comments=True)}
    assert {"CLUSTER", "NAMESPACE", "POD", "deployment/NAME"} <= words


METADATA = (Tally("v1", "no_token_header", "success", "metadata", 3),)
REFUSED = (Tally("v1", "no_token_header", "rejected", "credentials", 3),)


@pytest.mark.parametrize(
    "group",
    [
        old_botocore(),
        in_pod(old_botocore, tallies=METADATA),
        in_pod(old_botocore, tallies=REFUSED),
        in_pod(gcp_probe),
        kube2iam(),
        in_pod(v2_only, program="/eks-pod-identity-agent"),
        in_pod(v2_only, {"type": "ecs"}, place="ecs"),
        fallback(),
    ],
    ids=["host", "metadata", "refused", "other-cloud", "kube2iam", "agent", "ecs", "docker"],
)
def test_nobody_else_is_told(group: Group) -> None:
    assert ADVICE not in said(group).advice
    assert not roles(group)


def test_one_step_names_all_callers_and_installs_the_agent_first() -> None:
    (step,) = roles(
        in_pod(old_botocore, program="/srv/one.py"), in_pod(v2_only, program="/srv/two")
    )
    assert "2 callers" in step.title
    assert step.commands[0].startswith("aws eks create-addon")
    assert step.commands[0].endswith("eks-pod-identity-agent")
