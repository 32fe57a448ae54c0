"""Compares a snapshot with an earlier one, and keeps the figures from before v1 was turned off.

What could not be read now has not changed: it is not known, and is told as such.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Callable, NamedTuple, Optional

from analyzer.account.launch import Kind, Launch
from analyzer.account.launches import launches
from analyzer.account.model import (
    Baseline,
    Calls,
    Failure,
    InstanceFacts,
    Part,
    RegionFacts,
    Snapshot,
)

Key = tuple[str, str, str]
_ENDED = ("terminated", "shutting-down")


class Change(NamedTuple):
    """One thing that changed, in words. ``is_worse`` says that v1 became more possible."""

    account: str
    region: str
    name: str
    text: str
    is_worse: bool = False


def with_baselines(snapshot: Snapshot, previous: Snapshot) -> Snapshot:
    """Return the snapshot with each instance's figures from when it last allowed v1."""
    earlier = _instances(previous)
    return replace(
        snapshot,
        regions=tuple(
            replace(
                facts,
                instances=tuple(
                    replace(
                        instance,
                        baseline=_baseline(
                            instance, earlier.get(_key(facts, instance.id)), previous
                        ),
                    )
                    for instance in facts.instances
                ),
            )
            for facts in snapshot.regions
        ),
    )


def changes(snapshot: Snapshot, previous: Snapshot) -> tuple[Change, ...]:
    """Return what changed since the earlier snapshot, in order of place and name."""
    found = [
        *_places_changed(snapshot, previous),
        *_instances_changed(snapshot, previous),
        *_defaults_changed(snapshot, previous),
        *_launches_changed(snapshot, previous),
    ]
    return tuple(sorted(found))


def _baseline(
    instance: InstanceFacts, earlier: Optional[InstanceFacts], previous: Snapshot
) -> Optional[Baseline]:
    if instance.allows_v1 is not False or earlier is None:
        return None
    if earlier.allows_v1 is False:
        return earlier.baseline
    if earlier.calls is None or previous.metrics is None:
        return None
    return Baseline(previous.taken_at, previous.metrics, earlier.calls)


def _places_changed(snapshot: Snapshot, previous: Snapshot) -> Iterator[Change]:
    """Yield what is in one of them alone: of it nothing can be compared."""
    now, then = (
        {(facts.account, facts.region) for facts in each.regions} for each in (snapshot, previous)
    )
    for place in now - then:
        yield Change(*place, "Region", "is not in the earlier snapshot: nothing is compared")
    for place in then - now:
        yield Change(*place, "Region", "is in the earlier snapshot alone: nothing is compared")


def _instances_changed(snapshot: Snapshot, previous: Snapshot) -> Iterator[Change]:
    now, then = _instances(snapshot), _instances(previous)
    is_read = _reader(snapshot, Part.INSTANCES)
    was_read = _reader(previous, Part.INSTANCES)
    for key in sorted({*now, *then}):
        account, region, _ = key
        instance, earlier = now.get(key), then.get(key)
        if instance is None:
            if is_read(account, region) and earlier is not None and earlier.state not in _ENDED:
                yield Change(*key, "is gone")
        elif earlier is None:
            if was_read(account, region) and instance.state not in _ENDED:
                worse = instance.allows_v1 is not False
                yield Change(*key, f"is new, and {_v1(instance)}", worse)
        else:
            yield from _instance_changed(key, instance, earlier)


def _instance_changed(key: Key, now: InstanceFacts, then: InstanceFacts) -> Iterator[Change]:
    allows, allowed = now.allows_v1, then.allows_v1
    if allows is not allowed:
        yield Change(*key, f"{_v1(now)}; before, it {_v1(then)}", allows is not False)
    if now.calls is None or then.calls is None:
        return
    if now.calls.no_token and not then.calls.no_token:
        yield Change(*key, f"made {now.calls.no_token} v1 calls; before, none", is_worse=True)
    elif then.calls.no_token and not now.calls.no_token and _is_told(now.calls):
        rejected = now.calls.no_token_rejected
        more = f", and {rejected} were refused" if rejected else ""
        yield Change(*key, f"made no v1 calls{more}; before, {then.calls.no_token}", rejected > 0)


def _is_told(calls: Calls) -> bool:
    """Tell whether CloudWatch said that there were no calls, and did not just say nothing."""
    return calls.hours_counted > 0 and not calls.is_partial


def _defaults_changed(snapshot: Snapshot, previous: Snapshot) -> Iterator[Change]:
    then = {(facts.account, facts.region): facts.defaults for facts in previous.regions}
    for facts in snapshot.regions:
        earlier = then.get((facts.account, facts.region))
        if facts.defaults is None or earlier is None:
            continue
        pairs = (
            ("default HttpTokens", earlier.options.http_tokens, facts.defaults.options.http_tokens),
            ("HttpTokensEnforced", earlier.tokens_enforced, facts.defaults.tokens_enforced),
        )
        for name, before, after in pairs:
            if before != after:
                worse = before in ("required", "enabled")
                text = f"is {after or 'no-preference'}; before, {before or 'no-preference'}"
                yield Change(facts.account, facts.region, name, text, worse)


def _launches_changed(snapshot: Snapshot, previous: Snapshot) -> Iterator[Change]:
    now, then = _launches(snapshot), _launches(previous)
    is_read = {kind: _reader(snapshot, part) for kind, part in _PARTS.items()}
    was_read = {kind: _reader(previous, part) for kind, part in _PARTS.items()}
    for key, launch in now.items():
        earlier = then.get(key)
        place = (launch.account, launch.region, f"{launch.kind.value} {launch.label}")
        outcome = launch.new.outcome.value
        if earlier is None:
            if was_read[launch.kind](launch.account, launch.region):
                text = f"is new: {outcome} ({launch.new.reason})"
                yield Change(*place, text, launch.new.may_allow_v1)
        elif launch.new.outcome is not earlier.new.outcome:
            text = f"{outcome} ({launch.new.reason}); before, {earlier.new.outcome.value}"
            yield Change(*place, text, launch.new.may_allow_v1)
    for key, launch in then.items():
        if key not in now and is_read[launch.kind](launch.account, launch.region):
            name = f"{launch.kind.value} {launch.label}"
            yield Change(launch.account, launch.region, name, "is gone")


_PARTS = {
    Kind.TEMPLATE: Part.TEMPLATES,
    Kind.CONFIGURATION: Part.CONFIGURATIONS,
    Kind.GROUP: Part.GROUPS,
    Kind.FLEET: Part.FLEETS,
    Kind.SPOT_FLEET: Part.FLEETS,
}


def _launches(snapshot: Snapshot) -> Mapping[tuple[object, ...], Launch]:
    return {
        (found.account, found.region, found.kind, found.id or found.name, found.version): found
        for found in launches(snapshot)
    }


def _instances(snapshot: Snapshot) -> Mapping[Key, InstanceFacts]:
    return {
        _key(facts, instance.id): instance
        for facts in snapshot.regions
        for instance in facts.instances
    }


def _key(facts: RegionFacts, id_: str) -> Key:
    return facts.account, facts.region, id_


def _reader(snapshot: Snapshot, part: Part) -> Callable[[str, str], bool]:
    """Return what says whether a part was read to its end in an account and Region."""
    read = {(facts.account, facts.region) for facts in snapshot.regions}
    failed = {_place(failure) for failure in snapshot.failures if failure.part is part}
    return lambda account, region: (
        (account, region) in read
        and not failed
        & {
            (account, region),
            (account, None),
            (None, None),
        }
    )


def _place(failure: Failure) -> tuple[Optional[str], Optional[str]]:
    return failure.account, failure.region


def _v1(instance: InstanceFacts) -> str:
    words = {True: "allows v1", False: "requires v2", None: "says nothing of v1"}
    if instance.allows_v1 is False and instance.options.http_endpoint == "disabled":
        return "has no IMDS"
    return words[instance.allows_v1]
