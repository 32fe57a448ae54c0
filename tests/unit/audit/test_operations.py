"""The printed policy allows what the audit calls, and nothing else."""

from __future__ import annotations

import json
import re
from typing import Any

import botocore.session
import pytest

from analyzer.audit.operations import (
    IN_EACH_ACCOUNT,
    OF_ORGANIZATION,
    OPERATIONS,
    partition_of,
    policy,
)
from analyzer.commands.audit import _REGION

# IAM's grammar, as far as such a policy needs it.
ACTION = re.compile(r"[a-z0-9-]+:[A-Z][A-Za-z]+")
RESOURCE = re.compile(r"\*|arn:aws(-[a-z-]+)?:[a-z0-9]+:[^:]*:[^:]*:.+")


def statements(text: str) -> list[dict[str, Any]]:
    document = json.loads(text)
    assert set(document) == {"Version", "Statement"}
    assert document["Version"] == "2012-10-17"
    found: list[dict[str, Any]] = document["Statement"]
    return found


@pytest.mark.parametrize("role", [None, "audit"])
def test_the_policy_has_each_action_once(role: str | None) -> None:
    wanted = {operation.action for operation in IN_EACH_ACCOUNT}
    wanted |= set() if role is None else {operation.action for operation in OF_ORGANIZATION}
    allowed = [action for found in statements(policy(role)) for action in found["Action"]]
    assert sorted(allowed) == sorted(wanted)


def test_the_policy_is_one_of_iam() -> None:
    for found in statements(policy("audit")):
        assert set(found) == {"Effect", "Action", "Resource"}
        assert found["Effect"] == "Allow"
        assert all(ACTION.fullmatch(action) for action in found["Action"])
        assert RESOURCE.fullmatch(found["Resource"])


def test_roles_and_parameters_are_limited() -> None:
    limited = {
        found["Action"][0]: found["Resource"]
        for found in statements(policy("audit", partition="aws-cn"))
        if found["Resource"] != "*"
    }
    assert limited == {
        "sts:AssumeRole": "arn:aws-cn:iam::*:role/audit",
        "ssm:GetParameters": "arn:aws-cn:ssm:*::parameter/aws/service/*",
    }


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda found: str(found.name))
def test_an_operation_is_one_of_aws_and_reads(operation: Any) -> None:
    model = botocore.session.Session().get_service_model(operation.service)
    assert operation.name in model.operation_names
    assert operation.name.startswith(("Describe", "Get", "List", "AssumeRole"))


def test_a_region_has_the_partition_that_boto3_knows() -> None:
    session = botocore.session.Session()
    partitions = session.get_component("data_loader").load_data("partitions")["partitions"]
    known = {
        region: partition["id"]
        for partition in partitions
        for region in partition["regions"]
        if not region.endswith("-global")
    }
    assert known["eu-west-1"] == "aws"
    assert {region: partition_of(region) for region in known} == known
    assert all(_REGION.fullmatch(region) for region in known)
    assert partition_of(None) == "aws"
