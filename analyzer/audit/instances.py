"""Reads instances, the Region's defaults for new ones, and which of them Systems Manager reaches.

User data is never asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any, Optional

from analyzer.account.model import (
    Defaults,
    InstanceFacts,
    MetadataOptions,
    Profile,
    TemplateReference,
)
from analyzer.audit.access import Access
from analyzer.audit.operations import (
    DESCRIBE_INSTANCES,
    DESCRIBE_MANAGED,
    GET_DEFAULTS,
    LIST_PROFILES,
)
from analyzer.masking import MASK, mask_text

# The largest pages that the APIs allow.
_INSTANCES, _MANAGED, _PROFILES = 1000, 50, 1000
# EC2 Auto Scaling and EC2 put these tags on the instances that they launch.
_GROUP_TAG = "aws:autoscaling:groupName"
_TEMPLATE_TAG, _VERSION_TAG = "aws:ec2launchtemplate:id", "aws:ec2launchtemplate:version"

Given = Mapping[str, Any]


def read_instances(access: Access, region: str) -> Iterator[InstanceFacts]:
    """Yield the instances of all states; raises botocore's errors."""
    for page in access.pages(DESCRIBE_INSTANCES, region, PageSize=_INSTANCES):
        for reservation in page.get("Reservations", ()):
            for instance in reservation.get("Instances", ()):
                yield _instance(instance)


def read_defaults(access: Access, region: str) -> Defaults:
    """Return the Region's defaults for new instances; raises botocore's errors."""
    level = access.call(GET_DEFAULTS, region).get("AccountLevel") or {}
    return Defaults(
        options_of(level) or MetadataOptions(),
        level.get("HttpTokensEnforced"),
        level.get("ManagedBy"),
    )


def read_managed(access: Access, region: str) -> Iterator[str]:
    """Yield the ids of the instances that Systems Manager reaches; raises botocore's errors."""
    for page in access.pages(DESCRIBE_MANAGED, region, PageSize=_MANAGED):
        for found in page.get("InstanceInformationList", ()):
            if found.get("PingStatus") == "Online":
                yield found["InstanceId"]


def read_profiles(access: Access) -> Iterator[Profile]:
    """Yield the account's instance profiles; raises botocore's errors."""
    for page in access.pages(LIST_PROFILES, access.home, PageSize=_PROFILES):
        for found in page.get("InstanceProfiles", ()):
            roles = tuple(role["RoleName"] for role in found.get("Roles", ()))
            yield Profile(found["Arn"], roles)


def options_of(given: Optional[Given]) -> Optional[MetadataOptions]:
    """Return metadata options as EC2 and Auto Scaling answer them; None where there are none."""
    if not given:
        return None
    return MetadataOptions(
        http_tokens=given.get("HttpTokens"),
        http_endpoint=given.get("HttpEndpoint"),
        hop_limit=given.get("HttpPutResponseHopLimit"),
        http_protocol_ipv6=given.get("HttpProtocolIpv6"),
        instance_metadata_tags=given.get("InstanceMetadataTags"),
        state=given.get("State"),
    )


def utc(when: Optional[datetime]) -> Optional[datetime]:
    """Return a time in UTC; botocore gives it in the host's own time zone."""
    return None if when is None else when.astimezone(timezone.utc)


def tags_of(given: Optional[Iterable[Given]]) -> dict[str, str]:
    """Return tags; a value that is a secret by its name or its shape is masked."""
    return {tag["Key"]: _masked(tag["Key"], tag.get("Value") or "") for tag in given or ()}


def _masked(key: str, value: str) -> str:
    named = f"{key}={value}"
    masked = mask_text(named)
    if masked == named:
        return value
    return masked[len(key) + 1 :] if masked.startswith(f"{key}=") else MASK


def _instance(given: Given) -> InstanceFacts:
    tags = tags_of(given.get("Tags"))
    template = None
    if _TEMPLATE_TAG in tags:
        template = TemplateReference(id=tags[_TEMPLATE_TAG], version=tags.get(_VERSION_TAG))
    return InstanceFacts(
        id=given["InstanceId"],
        state=given["State"]["Name"],
        options=options_of(given.get("MetadataOptions")) or MetadataOptions(),
        image=given.get("ImageId"),
        instance_type=given.get("InstanceType"),
        launched_at=utc(given.get("LaunchTime")),
        private_dns_name=given.get("PrivateDnsName") or None,
        availability_zone=given.get("Placement", {}).get("AvailabilityZone"),
        platform=given.get("PlatformDetails"),
        profile=(given.get("IamInstanceProfile") or {}).get("Arn"),
        template=template,
        group=tags.get(_GROUP_TAG),
        tags=tags,
    )
