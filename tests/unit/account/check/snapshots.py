"""Makes snapshots: an account in which everything requires IMDSv2, and one where nothing does."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Optional

from analyzer.account.model import (
    AutoScalingGroup,
    Defaults,
    Failure,
    Image,
    InstanceFacts,
    LaunchConfiguration,
    MetadataOptions,
    Part,
    RegionFacts,
    Snapshot,
    Template,
    TemplateReference,
    TemplateVersion,
)

AT = datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.timezone.utc)
TODAY = AT.date()
ACCOUNT, REGION = "123456789012", "eu-west-1"
TEMPLATE = "lt-0123456789abcdef0"
INSTANCE = "i-0123456789abcdef0"
REQUIRED = MetadataOptions(http_tokens="required", http_endpoint="enabled", state="applied")
OPTIONAL = MetadataOptions(http_tokens="optional", http_endpoint="enabled", state="applied")


def region(options: MetadataOptions, *, imds_support: Optional[str] = "v2.0") -> RegionFacts:
    """Return a Region with one of everything; all of it has these options."""
    return RegionFacts(
        ACCOUNT,
        REGION,
        Defaults(options),
        instances=(
            InstanceFacts(INSTANCE, "running", options, tags={"Name": "web <1>"}),
            InstanceFacts("i-0aaaaaaaaaaaaaaaa", "terminated", OPTIONAL),
        ),
        templates=(Template(TEMPLATE, "web", 1, 2, (_version(1, options), _version(2, options))),),
        configurations=(LaunchConfiguration("old", "ami-0123456789abcdef0", options),),
        groups=(
            AutoScalingGroup("web", 1, 2, templates=(TemplateReference(TEMPLATE, version="1"),)),
        ),
        images=(Image("ami-0123456789abcdef0", "golden", ACCOUNT, imds_support),),
    )


def _version(number: int, options: MetadataOptions) -> TemplateVersion:
    return TemplateVersion(number, "ami-0123456789abcdef0", options)


def safe() -> Snapshot:
    return Snapshot(AT, "1.0", regions=(region(REQUIRED),))


def unsafe() -> Snapshot:
    return Snapshot(AT, "1.0", regions=(region(OPTIONAL, imds_support=None),))


def unread(snapshot: Snapshot) -> Snapshot:
    failure = Failure(Part.INSTANCES, "AccessDenied", "Give ec2:DescribeInstances.", ACCOUNT, "x-1")
    return replace(snapshot, failures=(failure,))
