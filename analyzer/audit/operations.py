"""Lists every API operation that the audit may call, and makes the IAM policy from the list.

Nothing else is called: :mod:`analyzer.audit.access` refuses an operation that is not here. All of
them read. IAM names its actions by the same words as boto3 names services and operations.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple, Optional

from analyzer.account.model import Part

# The AMIs that AWS publishes are looked up by these parameters, which belong to no account.
PUBLIC_PARAMETERS = "/aws/service/"


# By the beginning of a Region's name; the others are in "aws".
_PARTITIONS = {
    "cn-": "aws-cn",
    "eusc-": "aws-eusc",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eu-isof-": "aws-iso-f",
}


class Operation(NamedTuple):
    """One API operation. ``part`` is the part of the snapshot that it is for.

    ``resource`` limits the policy: an ARN with ``{partition}`` and ``{role}`` to be filled in.
    """

    service: str
    name: str
    part: Part
    resource: str = "*"

    @property
    def action(self) -> str:
        """The action of IAM that allows it."""
        return f"{self.service}:{self.name}"


GET_CALLER_IDENTITY = Operation("sts", "GetCallerIdentity", Part.ACCOUNTS)
LIST_ACCOUNTS = Operation("organizations", "ListAccounts", Part.ACCOUNTS)
ASSUME_ROLE = Operation(
    "sts", "AssumeRole", Part.ROLE, resource="arn:{partition}:iam::*:role/{role}"
)
DESCRIBE_REGIONS = Operation("ec2", "DescribeRegions", Part.REGIONS)
DESCRIBE_INSTANCES = Operation("ec2", "DescribeInstances", Part.INSTANCES)
GET_DEFAULTS = Operation("ec2", "GetInstanceMetadataDefaults", Part.DEFAULTS)
DESCRIBE_GROUPS = Operation("autoscaling", "DescribeAutoScalingGroups", Part.GROUPS)
DESCRIBE_FLEETS = Operation("ec2", "DescribeFleets", Part.FLEETS)
DESCRIBE_SPOT_FLEETS = Operation("ec2", "DescribeSpotFleetRequests", Part.FLEETS)
DESCRIBE_TEMPLATES = Operation("ec2", "DescribeLaunchTemplates", Part.TEMPLATES)
DESCRIBE_VERSIONS = Operation("ec2", "DescribeLaunchTemplateVersions", Part.TEMPLATES)
DESCRIBE_CONFIGURATIONS = Operation(
    "autoscaling", "DescribeLaunchConfigurations", Part.CONFIGURATIONS
)
DESCRIBE_IMAGES = Operation("ec2", "DescribeImages", Part.IMAGES)
GET_PARAMETERS = Operation(
    "ssm",
    "GetParameters",
    Part.IMAGES,
    resource="arn:{partition}:ssm:*::parameter" + PUBLIC_PARAMETERS + "*",
)
LIST_PROFILES = Operation("iam", "ListInstanceProfiles", Part.PROFILES)
DESCRIBE_MANAGED = Operation("ssm", "DescribeInstanceInformation", Part.SSM)
GET_METRIC_DATA = Operation("cloudwatch", "GetMetricData", Part.METRICS)
LOOKUP_EVENTS = Operation("cloudtrail", "LookupEvents", Part.CREDENTIALS)

IN_EACH_ACCOUNT = (
    GET_CALLER_IDENTITY,
    DESCRIBE_REGIONS,
    DESCRIBE_INSTANCES,
    GET_DEFAULTS,
    DESCRIBE_GROUPS,
    DESCRIBE_FLEETS,
    DESCRIBE_SPOT_FLEETS,
    DESCRIBE_TEMPLATES,
    DESCRIBE_VERSIONS,
    DESCRIBE_CONFIGURATIONS,
    DESCRIBE_IMAGES,
    GET_PARAMETERS,
    LIST_PROFILES,
    DESCRIBE_MANAGED,
    GET_METRIC_DATA,
)
# Beside these, where the audit starts from. The role of the other accounts needs only those.
OF_ORGANIZATION = (LIST_ACCOUNTS, ASSUME_ROLE)
# With --cloudtrail, which looks up instances that are named, and nothing else.
OF_CLOUDTRAIL = (GET_CALLER_IDENTITY, LOOKUP_EVENTS)
OPERATIONS = {
    (operation.service, operation.name): operation
    for operation in (*IN_EACH_ACCOUNT, *OF_ORGANIZATION)
}
ALLOWED = frozenset({*OPERATIONS, (LOOKUP_EVENTS.service, LOOKUP_EVENTS.name)})


def policy(
    role: Optional[str] = None, *, partition: str = "aws", is_cloudtrail: bool = False
) -> str:
    """Return the minimal IAM policy as JSON; ``role`` is that of --organization-role.

    ``is_cloudtrail`` says that it is for --cloudtrail.
    """
    wanted: tuple[Operation, ...] = OF_CLOUDTRAIL if is_cloudtrail else IN_EACH_ACCOUNT
    if role is not None:
        wanted += (ASSUME_ROLE,) if is_cloudtrail else OF_ORGANIZATION
    resources: dict[str, list[str]] = {}
    for operation in wanted:
        resource = operation.resource.format(partition=partition, role=role)
        resources.setdefault(resource, []).append(operation.action)
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Action": sorted(actions), "Resource": resource}
        for resource, actions in resources.items()
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2) + "\n"


def partition_of(region: Optional[str]) -> str:
    """Return the AWS partition of a Region by its name."""
    return next(
        (found for prefix, found in _PARTITIONS.items() if (region or "").startswith(prefix)), "aws"
    )
