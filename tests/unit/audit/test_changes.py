"""What changed is said, and what could not be read has not changed."""

from __future__ import annotations

import dataclasses

import pytest

from analyzer.account.model import (
    Baseline,
    Calls,
    Defaults,
    Failure,
    InstanceFacts,
    MetadataOptions,
    Part,
    RegionFacts,
    Snapshot,
)
from analyzer.audit.changes import changes, with_baselines
from tests.unit.audit.snapshots import (
    ACCOUNT,
    METRICS,
    REGION,
    facts,
    group,
    instance,
    snapshot,
    template,
)

DENIED = Failure(Part.INSTANCES, "AccessDenied", "no", ACCOUNT, REGION)


def said(now: Snapshot, then: Snapshot) -> list[tuple[str, str, bool]]:
    return [(found.name, found.text, found.is_worse) for found in changes(now, then)]


def of(*regions: RegionFacts) -> Snapshot:
    return snapshot(*regions, days_later=1)


def test_nothing_has_changed() -> None:
    there = facts(instance(calls=3), templates=(template(),), groups=(group(),))
    assert said(of(there), snapshot(there)) == []


@pytest.mark.parametrize(
    ("now", "then", "text", "is_worse"),
    [
        (instance(tokens="required"), instance(), "requires v2; before, it allows v1", False),
        (instance(), instance(tokens="required"), "allows v1; before, it requires v2", True),
        (instance(endpoint="disabled"), instance(), "has no IMDS; before, it allows v1", False),
        (
            instance(tokens=None),
            instance(tokens="required"),
            "says nothing of v1; before, it requires v2",
            True,
        ),
        (instance(calls=5), instance(), "made 5 v1 calls; before, none", True),
        (instance(), instance(calls=5), "made no v1 calls; before, 5", False),
        (
            instance(refused=2),
            instance(calls=5),
            "made no v1 calls, and 2 were refused; before, 5",
            True,
        ),
    ],
)
def test_an_instance_changed(
    now: InstanceFacts, then: InstanceFacts, text: str, *, is_worse: bool
) -> None:
    assert said(of(facts(now)), snapshot(facts(then))) == [("i-1", text, is_worse)]


@pytest.mark.parametrize(
    ("now", "then"),
    [
        (instance(calls=None), instance(calls=5)),
        (instance(calls=5), instance(calls=None)),
        (instance(calls=5), instance(calls=4)),
        (instance(calls=0, hours=0), instance(calls=5)),
    ],
)
def test_figures_that_are_missing_or_like_before_are_no_change(
    now: InstanceFacts, then: InstanceFacts
) -> None:
    assert said(of(facts(now)), snapshot(facts(then))) == []


def test_what_is_in_one_of_them_alone_is_not_compared() -> None:
    """An earlier snapshot of another account would tell that nothing has changed."""
    here = facts(instance(calls=3))
    elsewhere = dataclasses.replace(here, account="999999999999")
    assert said(of(here), snapshot(elsewhere)) == [
        ("Region", "is not in the earlier snapshot: nothing is compared", False),
        ("Region", "is in the earlier snapshot alone: nothing is compared", False),
    ]
    assert baseline(instance(tokens="required"), None) is None


def test_instances_come_and_go() -> None:
    then = snapshot(facts(instance("i-old"), instance("i-ended", state="terminated")))
    now = of(facts(instance("i-new"), instance("i-v2", "required")))
    assert said(now, then) == [
        ("i-new", "is new, and allows v1", True),
        ("i-old", "is gone", False),
        ("i-v2", "is new, and requires v2", False),
    ]


def test_what_could_not_be_read_is_neither_gone_nor_new() -> None:
    whole = facts(instance("i-1"), instance("i-2"))
    part = facts(instance("i-1"))
    failed = snapshot(part, failures=(DENIED,))
    assert said(failed, snapshot(whole)) == []
    assert said(of(whole), failed) == []
    # A Region that is not there at all was not read either.
    alone = ("Region", "is in the earlier snapshot alone: nothing is compared", False)
    assert said(of(), snapshot(whole)) == [alone]
    new = ("Region", "is not in the earlier snapshot: nothing is compared", False)
    assert said(of(whole), snapshot()) == [new]


def test_a_failure_of_the_account_is_one_of_its_regions() -> None:
    of_account = dataclasses.replace(DENIED, region=None)
    failed = snapshot(facts(), failures=(of_account,))
    assert said(failed, snapshot(facts(instance()))) == []
    elsewhere = dataclasses.replace(DENIED, region="us-east-1")
    failed = snapshot(facts(), failures=(elsewhere,))
    assert said(failed, snapshot(facts(instance()))) == [("i-1", "is gone", False)]


@pytest.mark.parametrize(
    ("now", "then", "name", "text", "is_worse"),
    [
        ("required", None, "default HttpTokens", "is required; before, no-preference", False),
        (None, "required", "default HttpTokens", "is no-preference; before, required", True),
        ("optional", "required", "default HttpTokens", "is optional; before, required", True),
    ],
)
def test_a_default_changed(
    now: str | None, then: str | None, name: str, text: str, *, is_worse: bool
) -> None:
    before = facts(defaults=Defaults(MetadataOptions(then)))
    after = facts(defaults=Defaults(MetadataOptions(now)))
    assert said(of(after), snapshot(before)) == [(name, text, is_worse)]
    unread = dataclasses.replace(after, defaults=None)
    assert said(of(unread), snapshot(before)) == []


def test_enforcement_changed() -> None:
    before = facts(templates=(template(),))
    after = dataclasses.replace(before, defaults=Defaults(tokens_enforced="enabled"))
    why = "the account enforces v2 (HttpTokensEnforced): the launch fails"
    assert said(of(after), snapshot(before)) == [
        ("HttpTokensEnforced", "is enabled; before, no-preference", False),
        (
            "launch template web, version 1 ($Default, $Latest)",
            f"launch fails (template says optional: optional; {why}); before, allows v1",
            False,
        ),
    ]


def test_launchers_come_change_and_go() -> None:
    before = facts(templates=(template("required"), template(name="old")))
    after = facts(templates=(template("optional"), template("required", "new")), groups=(group(),))
    version = "version 1 ($Default, $Latest)"
    assert said(of(after), snapshot(before)) == [
        (
            "Auto Scaling group workers",
            f"is new: allows v1 (launch template web, {version}: template says optional: optional)",
            True,
        ),
        (
            f"launch template new, {version}",
            "is new: requires v2 (template says required: required)",
            False,
        ),
        (f"launch template old, {version}", "is gone", False),
        (
            f"launch template web, {version}",
            "allows v1 (template says optional: optional); before, requires v2",
            True,
        ),
    ]


def test_launchers_that_could_not_be_read_are_neither_gone_nor_new() -> None:
    denied = dataclasses.replace(DENIED, part=Part.TEMPLATES)
    whole = snapshot(facts(templates=(template(),)))
    failed = snapshot(facts(), failures=(denied,))
    assert said(failed, whole) == []
    assert said(whole, failed) == []


def baseline(now: InstanceFacts, then: InstanceFacts | None, days: int = 1) -> Baseline | None:
    before = snapshot(*(() if then is None else (facts(then),)))
    made = with_baselines(snapshot(facts(now), days_later=days), before)
    return made.regions[0].instances[0].baseline


V2 = instance(tokens="required")
KEPT = Baseline(snapshot().taken_at, METRICS, Calls(no_token=5, hours_counted=336))


@pytest.mark.parametrize(
    ("now", "then", "kept"),
    [
        (V2, instance(calls=5), KEPT),
        # what still allows v1 has figures of its own
        (instance(calls=1), instance(calls=5), None),
        # carried on from one snapshot to the next
        (V2, dataclasses.replace(V2, baseline=KEPT), KEPT),
        (V2, V2, None),
        (V2, None, None),
        (V2, instance(calls=None), None),
        (instance(endpoint="disabled"), instance(calls=5), KEPT),
        (V2, instance(tokens=None, calls=5), KEPT),
    ],
)
def test_figures_from_before_v1_was_turned_off_are_kept(
    now: InstanceFacts, then: InstanceFacts | None, kept: Baseline | None
) -> None:
    assert baseline(now, then) == kept


def test_without_metrics_there_is_no_baseline() -> None:
    before = snapshot(facts(instance(calls=5)), metrics=None)
    made = with_baselines(of(facts(V2)), before)
    assert made.regions[0].instances[0].baseline is None
