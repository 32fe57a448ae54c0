"""Lists what a snapshot has that may allow IMDSv1, and says of each whether it does."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

from analyzer.account.launch import LAUNCHERS, Kind, Launch
from analyzer.account.launches import launches_of
from analyzer.account.model import InstanceFacts, Part, RegionFacts, Snapshot

# No rule asks who called, who may, or how to reach an instance.
NOT_NEEDED = (Part.METRICS, Part.SSM, Part.PROFILES, Part.CREDENTIALS)
# Two hosts' clocks may differ that much.
CLOCKS = datetime.timedelta(minutes=5)
# In any other state an instance runs, or may run again.
GONE = ("shutting-down", "terminated")


@dataclass(frozen=True)
class Examined:
    """A resource, and why it allows IMDSv1; ``reason`` is None if it does not.

    ``id`` is what AWS calls it by (a template version's is ``lt-…:3``), ``label`` is for people.
    ``is_certain`` is False where the facts only leave it possible.
    """

    account: Optional[str]
    region: Optional[str]
    id: str
    label: str
    reason: Optional[str] = None
    is_certain: bool = True


@dataclass(frozen=True)
class Moment:
    """The time of a check, and the greatest age of a snapshot at that time."""

    now: datetime.datetime
    max_age: datetime.timedelta


def age(snapshot: Snapshot, moment: Moment) -> Iterator[Examined]:
    """Yield the snapshot itself: one that is too old says nothing of today."""
    old = moment.now - snapshot.taken_at
    at = snapshot.taken_at.astimezone(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    reason = None
    if old > moment.max_age:
        reason = f"it was taken {at}, {_length(old)} ago; --max-age is {_length(moment.max_age)}"
    elif old < -CLOCKS:
        reason = f"it was taken {at}, {_length(-old)} from now: one of the clocks is wrong"
    yield Examined(None, None, "snapshot", "snapshot", reason, is_certain=False)


def _length(of: datetime.timedelta) -> str:
    """Return a length of time in the largest unit of which it has two."""
    seconds = of // datetime.timedelta(seconds=1)
    for unit, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.1f}".replace(".0", "") + f" {name}"
    return f"{seconds} s"


def defaults(snapshot: Snapshot) -> Iterator[Examined]:
    """Yield each Region's default for new instances."""
    for facts in snapshot.regions:
        reason, is_certain = _default(facts)
        yield Examined(
            facts.account, facts.region, "default", "account default", reason, is_certain
        )


def _default(facts: RegionFacts) -> tuple[Optional[str], bool]:
    found = facts.defaults
    if found is None:
        return "the account default could not be read", False
    if found.tokens_enforced == "enabled" or found.options.http_tokens == "required":
        return None, True
    if found.options.http_endpoint == "disabled":
        return None, True
    if found.options.http_tokens == "optional":
        return "the account default says optional", True
    return "the account default says nothing: the AMI decides, or else IMDSv1 is allowed", True


def template_versions(snapshot: Snapshot) -> Iterator[Examined]:
    """Yield the versions that something may launch: default, latest, and pinned ones."""
    yield from _launches(snapshot, (Kind.TEMPLATE,))


def configurations(snapshot: Snapshot) -> Iterator[Examined]:
    """Yield the launch configurations."""
    yield from _launches(snapshot, (Kind.CONFIGURATION,))


def groups(snapshot: Snapshot) -> Iterator[Examined]:
    """Yield Auto Scaling groups and fleets, each as bad as the worst of what it launches."""
    yield from _launches(snapshot, LAUNCHERS)


def _launches(snapshot: Snapshot, kinds: tuple[Kind, ...]) -> Iterator[Examined]:
    for facts in snapshot.regions:
        for launch in launches_of(facts, snapshot.failures):
            if launch.kind in kinds:
                may = launch.new.may_allow_v1
                yield Examined(
                    launch.account,
                    launch.region,
                    _id(launch),
                    launch.label,
                    launch.new.reason if may else None,
                    launch.new.outcome.value == "allows v1" or not may,
                )


def _id(launch: Launch) -> str:
    if launch.kind is not Kind.TEMPLATE:
        return launch.name
    version = launch.version if launch.version is not None else ",".join(launch.aliases)
    return f"{launch.id or launch.name}:{version}"


def images(snapshot: Snapshot) -> Iterator[Examined]:
    """Yield the AMIs that are there. One that is gone launches nothing."""
    for facts in snapshot.regions:
        is_enforced = facts.defaults is not None and facts.defaults.tokens_enforced == "enabled"
        for image in facts.images:
            if image.is_found:
                allows = image.imds_support != "v2.0" and not is_enforced
                yield Examined(
                    facts.account,
                    facts.region,
                    image.id,
                    image.name or image.id,
                    "its ImdsSupport is not v2.0" if allows else None,
                )


def instances(snapshot: Snapshot) -> Iterator[Examined]:
    """Yield the instances that are there."""
    for facts in snapshot.regions:
        for instance in facts.instances:
            if instance.state in GONE:
                continue
            reason, is_certain = _instance(instance)
            yield Examined(
                facts.account,
                facts.region,
                instance.id,
                instance.tags.get("Name") or instance.id,
                reason,
                is_certain,
            )


def _instance(instance: InstanceFacts) -> tuple[Optional[str], bool]:
    if instance.allows_v1:
        return "its HttpTokens is optional", True
    if instance.options.allows_v1 is None:
        return "EC2 says nothing of its tokens", False
    if instance.allows_v1 is None:
        return "EC2 has not yet applied the change that turns IMDSv1 off", False
    return None, True


def unread(snapshot: Snapshot) -> Iterator[Examined]:
    """Yield what could not be read and a rule needs: none of it may pass for safe."""
    for failure in snapshot.failures:
        if failure.part in NOT_NEEDED:
            continue
        yield Examined(
            failure.account,
            failure.region,
            failure.part.value,
            failure.part.value.replace("_", " "),
            f"could not be read ({failure.code}): {failure.text}",
            is_certain=False,
        )
