"""Makes small snapshots for tests of what is said of them."""

from __future__ import annotations

import datetime

from analyzer.account.model import (
    Account,
    AutoScalingGroup,
    Calls,
    Defaults,
    Failure,
    Image,
    InstanceFacts,
    MetadataOptions,
    Period,
    RegionFacts,
    Snapshot,
    Template,
    TemplateReference,
    TemplateVersion,
)

ACCOUNT, REGION = "123456789012", "eu-west-1"
AT = datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.timezone.utc)
METRICS = Period(AT - datetime.timedelta(days=14), AT)
IMAGE = Image("ami-0a")


def instance(
    id_: str = "i-1",
    tokens: str | None = "optional",
    calls: int | None = 0,
    *,
    refused: int = 0,
    state: str = "running",
    endpoint: str = "enabled",
    hours: int = 336,
) -> InstanceFacts:
    """Return an instance; ``calls`` None means that CloudWatch was not asked.

    ``hours`` are those of which CloudWatch has a figure.
    """
    counted = (
        None
        if calls is None
        else Calls(no_token=calls, no_token_rejected=refused, hours_counted=hours)
    )
    return InstanceFacts(
        id_, state, MetadataOptions(tokens, endpoint, state="applied"), calls=counted
    )


def template(tokens: str | None = "optional", name: str = "web") -> Template:
    """Return a template of one version."""
    options = None if tokens is None else MetadataOptions(tokens)
    return Template(f"lt-{name}", name, 1, 1, (TemplateVersion(1, IMAGE.id, options),))


def group(name: str = "workers", of: str = "web") -> AutoScalingGroup:
    """Return a group that launches a template."""
    return AutoScalingGroup(name, 1, 2, templates=(TemplateReference(f"lt-{of}", of),))


def facts(
    *instances: InstanceFacts,
    templates: tuple[Template, ...] = (),
    groups: tuple[AutoScalingGroup, ...] = (),
    defaults: Defaults | None = None,
    region: str = REGION,
) -> RegionFacts:
    """Return a Region; its defaults say nothing unless they are given."""
    return RegionFacts(
        ACCOUNT,
        region,
        defaults or Defaults(),
        instances,
        templates,
        groups=groups,
        images=(IMAGE,),
    )


def snapshot(
    *regions: RegionFacts,
    failures: tuple[Failure, ...] = (),
    days_later: int = 0,
    metrics: Period | None = METRICS,
) -> Snapshot:
    """Return a snapshot of an account with a name."""
    at = AT + datetime.timedelta(days=days_later)
    return Snapshot(at, "1.0", metrics, (Account(ACCOUNT, "shop", "ACTIVE"),), regions, failures)
