"""Makes up a snapshot of two accounts that goes with the logs of a made-up fleet.

The hosts of :func:`tests.fleet.lines.write_fleet` are its first instances: those with an odd
number by their id, the others by their private name. Everything follows from the numbers.
"""

from __future__ import annotations

import datetime
import random
from dataclasses import dataclass, replace

from analyzer.account.model import (
    Account,
    AutoScalingGroup,
    Calls,
    Defaults,
    Hour,
    Image,
    InstanceFacts,
    LaunchConfiguration,
    MetadataOptions,
    Period,
    RegionFacts,
    Snapshot,
    Template,
    TemplateReference,
    TemplateVersion,
)
from tests.fleet.lines import START_NS

ACCOUNTS = ("111122223333", "444455556666")
REGIONS = ("eu-west-1", "us-east-1")
TEAMS = ("payments", "search", "platform", None)
OPTIONAL = MetadataOptions("optional", "enabled", 1, state="applied")
REQUIRED = MetadataOptions("required", "enabled", 2, state="applied")
HOUR = datetime.timedelta(hours=1)
DAYS = 14
TEMPLATE = "lt-0123456789abcdef0"


@dataclass(frozen=True)
class Size:
    """What to make: ``hosts`` of the instances are those of the fleet's logs of ``days``."""

    days: float = 3.0
    seed: int = 1
    hosts: int = 5
    instances: int = 40


def snapshot(size: Size) -> Snapshot:
    """Return the snapshot, taken on the hour after the fleet's last line."""
    start = datetime.datetime.fromtimestamp(START_NS / 1e9, datetime.timezone.utc)
    taken_at = start + datetime.timedelta(days=size.days) + HOUR
    metrics = Period(taken_at - datetime.timedelta(days=DAYS), taken_at)
    chance = random.Random(f"account {size.seed}")  # noqa: S311 (made-up data)
    instances = [_instance(number, size, metrics, chance) for number in range(size.instances)]
    places = [(account, region) for account in ACCOUNTS for region in REGIONS]
    regions = tuple(
        _region(account, region, tuple(instances[place :: len(places)]))
        for place, (account, region) in enumerate(places)
    )
    accounts = (Account(ACCOUNTS[0], "production"), Account(ACCOUNTS[1], "trial"))
    return Snapshot(taken_at, "0.2.0", metrics, accounts, regions)


def instance_id(number: int) -> str:
    """Return the id that the fleet's host of this number has."""
    return f"i-{number:017x}"


def _instance(number: int, size: Size, metrics: Period, chance: random.Random) -> InstanceFacts:
    team = TEAMS[number % len(TEAMS)]
    tags = {"Name": f"web-{number}"} if team is None else {"Name": f"web-{number}", "Team": team}
    facts = InstanceFacts(
        id=instance_id(number),
        state="running",
        options=OPTIONAL,
        image="ami-0123456789abcdef0",
        launched_at=metrics.start - DAYS * 24 * HOUR,
        private_dns_name=f"ip-10-0-{number // 250}-{number % 250 + 1}.eu-west-1.compute.internal",
        template=TemplateReference(TEMPLATE, "web", "1"),
        group=f"web-{number % 4}",
        tags=tags,
        is_managed_by_ssm=number % 7 != 0,
        calls=Calls(hours_counted=DAYS * 24),
    )
    if number < size.hosts:
        return facts
    kind = number % 8
    if kind in (0, 1):
        return replace(facts, calls=_counted(metrics, chance, kind))
    if kind == 2:
        return replace(facts, options=REQUIRED)
    if kind == 3:
        return replace(facts, state="stopped", calls=None)
    if kind == 4:
        return replace(facts, calls=Calls(hours_counted=20, is_partial=True))
    return facts


def _counted(metrics: Period, chance: random.Random, kind: int) -> Calls:
    hours = sorted(chance.sample(range(DAYS * 24), 40))
    found = tuple(Hour(metrics.start + each * HOUR, chance.randint(1, 60)) for each in hours)
    last = found[-1].at
    return Calls(
        no_token=sum(each.calls for each in found),
        no_token_rejected=3 * kind,
        last_no_token_at=last,
        last_rejected_at=last if kind else None,
        hours=found,
        hours_counted=DAYS * 24,
    )


def _region(account: str, region: str, instances: tuple[InstanceFacts, ...]) -> RegionFacts:
    """Return a Region with a template whose default is old, and a group that pins it."""
    versions = (
        TemplateVersion(1, "ami-0123456789abcdef0", OPTIONAL),
        TemplateVersion(2, "ami-0123456789abcdef0", REQUIRED),
    )
    pinned = TemplateReference(TEMPLATE, "web", "1")
    return RegionFacts(
        account=account,
        region=region,
        defaults=Defaults(MetadataOptions(), "disabled", "account"),
        instances=instances,
        templates=(Template(TEMPLATE, "web", 1, 2, versions, {"Team": "platform"}),),
        configurations=(LaunchConfiguration("legacy", "ami-0123456789abcdef0"),),
        groups=(
            AutoScalingGroup(
                "web-0", 2, 4, templates=(pinned,), is_mixed=False, tags={"Team": "payments"}
            ),
            AutoScalingGroup("legacy", 1, 1, configuration="legacy"),
        ),
        images=(Image("ami-0123456789abcdef0", "old"),),
    )
