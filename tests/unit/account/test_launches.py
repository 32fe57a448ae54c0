"""What launches instances in a Region is listed whole, and a group is as bad as its worst part."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from analyzer.account.launch import Kind, Launch
from analyzer.account.launches import launches, launches_of
from analyzer.account.model import (
    AutoScalingGroup,
    Defaults,
    Failure,
    Fleet,
    Image,
    LaunchConfiguration,
    MetadataOptions,
    Part,
    RegionFacts,
    Snapshot,
    Template,
    TemplateReference,
    TemplateVersion,
)
from analyzer.account.new_instance import Outcome

ACCOUNT, REGION = "123456789012", "eu-west-1"
OPTIONAL = MetadataOptions(http_tokens="optional")
REQUIRED = MetadataOptions(http_tokens="required")
OLD, NEW = Image("ami-0a"), Image("ami-0b", imds_support="v2.0")
WEB = Template(
    "lt-1",
    "web",
    default_version=1,
    latest_version=3,
    versions=(
        TemplateVersion(1, OLD.id, OPTIONAL),
        TemplateVersion(2, OLD.id),
        TemplateVersion(3, NEW.id),
    ),
)
SAYING_NOTHING = Defaults()


def region(
    *groups: AutoScalingGroup,
    templates: tuple[Template, ...] = (WEB,),
    configurations: tuple[LaunchConfiguration, ...] = (),
    defaults: Defaults | None = SAYING_NOTHING,
) -> RegionFacts:
    return RegionFacts(
        ACCOUNT,
        REGION,
        defaults,
        templates=templates,
        configurations=configurations,
        groups=groups,
        images=(OLD, NEW),
    )


def group(
    *references: TemplateReference,
    configuration: str | None = None,
    desired: int = 2,
    maximum: int = 4,
    suspended: tuple[str, ...] = (),
) -> AutoScalingGroup:
    return AutoScalingGroup(
        "workers",
        desired,
        maximum,
        instances=("i-1", "i-2"),
        templates=references,
        configuration=configuration,
        suspended=suspended,
    )


def of(version: str | None, image: str | None = None) -> TemplateReference:
    return TemplateReference("lt-1", "web", version, image)


def only_group(facts: RegionFacts, *failures: Failure) -> Launch:
    (found,) = (each for each in launches_of(facts, failures) if each.kind is Kind.GROUP)
    return found


def test_every_version_is_listed_with_what_points_to_it() -> None:
    found = launches_of(region(group(of("2"))))
    assert [(launch.kind, launch.label, launch.groups, launch.new.outcome) for launch in found] == [
        (Kind.TEMPLATE, "web, version 1 ($Default)", (), Outcome.V1),
        (Kind.TEMPLATE, "web, version 2", ("workers",), Outcome.V1),
        (Kind.TEMPLATE, "web, version 3 ($Latest)", (), Outcome.V2),
        (Kind.GROUP, "workers", (), Outcome.V1),
    ]
    assert {(launch.account, launch.region) for launch in found} == {(ACCOUNT, REGION)}


@pytest.mark.parametrize(
    ("version", "number", "outcome"),
    [
        (None, 1, Outcome.V1),
        ("$Default", 1, Outcome.V1),
        ("$Latest", 3, Outcome.V2),
        ("2", 2, Outcome.V1),
        ("9", 9, Outcome.UNKNOWN),
        ("latest", None, Outcome.UNKNOWN),
    ],
)
def test_a_group_launches_the_version_that_it_names(
    version: str | None, number: int | None, outcome: Outcome
) -> None:
    found = only_group(region(group(of(version))))
    assert [part.version for part in found.parts] == [number]
    assert found.new.outcome is outcome


def test_a_group_says_what_it_launches_and_why() -> None:
    found = only_group(region(group(of(None))))
    assert found.new.reason == (
        "launch template web, version 1 ($Default): template says optional: optional"
    )
    assert found.desired == 2
    assert found.instances == ("i-1", "i-2")
    assert found.notes == ()


def test_a_template_may_be_named_by_its_name() -> None:
    named = TemplateReference(name="web", version="$Latest")
    assert only_group(region(group(named))).new.outcome is Outcome.V2


def test_a_group_of_several_templates_is_as_bad_as_the_worst() -> None:
    found = only_group(region(group(of("$Latest"), of("2"))))
    assert [part.new.outcome for part in found.parts] == [Outcome.V2, Outcome.V1]
    assert found.new.outcome is Outcome.V1
    assert "version 2" in found.new.reason


@pytest.mark.parametrize(
    ("other", "outcome"),
    [("9", Outcome.UNKNOWN), ("3", Outcome.V2), ("1", Outcome.V1)],
)
def test_the_order_of_outcomes_of_a_group(other: str, outcome: Outcome) -> None:
    assert only_group(region(group(of("3"), of(other)))).new.outcome is outcome


def test_an_override_has_a_template_of_its_own() -> None:
    arm = dataclasses.replace(
        WEB, id="lt-2", name="arm", versions=(TemplateVersion(1, OLD.id),), latest_version=1
    )
    facts = region(
        group(of("$Latest"), TemplateReference("lt-2", "arm", None)), templates=(WEB, arm)
    )
    found = only_group(facts)
    assert [part.name for part in found.parts] == ["web", "arm"]
    assert found.new.outcome is Outcome.V1


def test_an_override_may_put_another_image_in_the_place_of_the_templates() -> None:
    found = launches_of(region(group(of("$Latest", OLD.id))))
    assert [launch.new.outcome for launch in found] == [
        Outcome.V1,
        Outcome.V1,
        Outcome.V2,  # the template itself
        Outcome.V1,
    ]


def test_a_template_that_says_nothing_of_its_versions_is_unknown() -> None:
    found = launches_of(region(templates=(dataclasses.replace(WEB, versions=()),)))
    assert [(launch.label, launch.new.outcome) for launch in found] == [
        ("web, version 1 ($Default)", Outcome.UNKNOWN),
        ("web, version 3 ($Latest)", Outcome.UNKNOWN),
    ]


@pytest.mark.parametrize("is_read", [False, True])
def test_what_a_group_names_and_nobody_has_is_listed_as_unknown(*, is_read: bool) -> None:
    failures = () if is_read else (Failure(Part.TEMPLATES, "AccessDenied", "no", ACCOUNT, REGION),)
    template, found = launches_of(region(group(of("7")), templates=()), failures)
    why = "is gone" if is_read else "could not be read"
    assert template.new.reason == f"template web {why}"
    assert (template.kind, template.version, template.groups) == (Kind.TEMPLATE, 7, ("workers",))
    assert (found.new.outcome, found.new.may_allow_v1) == (Outcome.UNKNOWN, True)


def test_a_failure_of_another_region_explains_nothing_here() -> None:
    elsewhere = Failure(Part.TEMPLATES, "AccessDenied", "no", ACCOUNT, "us-east-1")
    found = only_group(region(group(of(None)), templates=()), elsewhere)
    assert found.new.reason.endswith("template web is gone")


def test_a_failure_of_the_whole_account_does() -> None:
    whole = Failure(Part.TEMPLATES, "ExpiredToken", "log in again", ACCOUNT)
    found = only_group(region(group(of(None)), templates=()), whole)
    assert found.new.reason.endswith("template web could not be read")


def test_a_pinned_version_that_was_deleted_is_listed() -> None:
    found = launches_of(region(group(of("9"))))
    assert ("web, version 9", Outcome.UNKNOWN) in [
        (launch.label, launch.new.outcome) for launch in found
    ]


@pytest.mark.parametrize("version", ["9" * 5000, "-1", "latest"])
def test_what_is_no_version_is_unknown(version: str) -> None:
    assert only_group(region(group(of(version)))).new.outcome is Outcome.UNKNOWN
    assert only_group(region(group(of("3")))).new.outcome is not Outcome.UNKNOWN


def test_a_launch_configuration_is_named_in_the_reason() -> None:
    configurations = (
        LaunchConfiguration("old", NEW.id, OPTIONAL),
        LaunchConfiguration("new", OLD.id, REQUIRED),
        LaunchConfiguration("silent", NEW.id),
    )
    facts = region(group(configuration="old"), templates=(), configurations=configurations)
    found = launches_of(facts)
    said = "AMI says v2, launch configuration says optional: optional"
    reference = "Auto Scaling's reference says optional where a launch configuration says nothing"
    assert [(launch.label, launch.groups, launch.new.reason) for launch in found] == [
        ("old", ("workers",), said),
        ("new", (), "launch configuration says required: required"),
        (
            "silent",
            (),
            f"AMI says v2, {reference}: unknown",
        ),
        (
            "workers",
            (),
            "launch configuration old: AMI says v2, launch configuration says optional: optional",
        ),
    ]


@pytest.mark.parametrize(
    ("said", "defaults", "outcome"),
    [
        (None, Defaults(REQUIRED), Outcome.UNKNOWN),
        (MetadataOptions(hop_limit=2), Defaults(REQUIRED), Outcome.UNKNOWN),
        (None, Defaults(OPTIONAL), Outcome.V1),
        (None, Defaults(REQUIRED, tokens_enforced="enabled"), Outcome.UNKNOWN),
        (REQUIRED, Defaults(OPTIONAL), Outcome.V2),
        (OPTIONAL, Defaults(REQUIRED), Outcome.V1),
        (OPTIONAL, Defaults(MetadataOptions(http_endpoint="disabled")), Outcome.V1),
        (MetadataOptions(http_endpoint="disabled"), Defaults(), Outcome.OFF),
    ],
)
def test_a_silent_launch_configuration_is_no_better_than_auto_scalings_reference(
    said: MetadataOptions | None, defaults: Defaults, outcome: Outcome
) -> None:
    """A template that is silent has the account's default."""
    configurations = (LaunchConfiguration("old", NEW.id, said),)
    facts = region(group(configuration="old"), configurations=configurations, defaults=defaults)
    found = only_group(facts).new
    assert found.outcome is outcome
    is_safe = outcome in (Outcome.V2, Outcome.OFF) or defaults.tokens_enforced == "enabled"
    assert found.may_allow_v1 is not is_safe
    if said is None and defaults.options is REQUIRED:
        assert only_group(region(group(of("2")), defaults=defaults)).new.outcome is Outcome.V2


def test_a_launch_configuration_that_is_gone() -> None:
    found = only_group(region(group(configuration="old")))
    assert found.new.reason == "launch configuration old: launch configuration old is gone"
    assert found.new.outcome is Outcome.UNKNOWN


def test_a_group_that_names_nothing_is_unknown() -> None:
    found = only_group(region(group()))
    assert found.new.outcome is Outcome.UNKNOWN
    assert found.new.may_allow_v1


def test_unread_defaults_leave_a_silent_template_unknown() -> None:
    found = launches_of(region(defaults=None))
    assert [launch.new.outcome for launch in found] == [
        Outcome.V1,
        Outcome.UNKNOWN,
        Outcome.UNKNOWN,
    ]


def test_enforcement_makes_launches_of_a_group_fail_and_the_unknown_no_v1() -> None:
    enforced = Defaults(tokens_enforced="enabled")
    found = only_group(region(group(of("1"), of("9")), defaults=enforced))
    assert [part.new.outcome for part in found.parts] == [Outcome.FAILS, Outcome.UNKNOWN]
    assert not found.new.may_allow_v1
    assert not only_group(region(group(), defaults=enforced)).new.may_allow_v1


@pytest.mark.parametrize(
    ("desired", "maximum", "suspended", "notes"),
    [
        (1, 1, ("ReplaceUnhealthy",), ()),
        (1, 1, ("Launch",), ("launches nothing until its process Launch is resumed",)),
        (0, 2, (), ("has no instances: desired capacity is 0",)),
        (0, 0, (), ("launches nothing until its maximum size is raised from 0",)),
    ],
)
def test_a_group_that_launches_nothing_now_keeps_its_outcome(
    desired: int, maximum: int, suspended: tuple[str, ...], notes: tuple[str, ...]
) -> None:
    found = only_group(
        region(group(of(None), desired=desired, maximum=maximum, suspended=suspended))
    )
    assert found.new.outcome is Outcome.V1
    assert found.notes == notes


def test_the_launches_of_a_snapshot_are_those_of_its_regions() -> None:
    other = dataclasses.replace(region(), region="us-east-1")
    at = datetime.datetime(2026, 11, 29, tzinfo=datetime.timezone.utc)
    snapshot = Snapshot(at, "1.0", regions=(region(), other))
    assert [(launch.region, launch.version) for launch in launches(snapshot)] == [
        (name, number) for name in (REGION, "us-east-1") for number in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    ("fleet", "outcome", "reason"),
    [
        (
            Fleet("fleet-1", is_spot=False, templates=(of("2"),)),
            Outcome.V1,
            "launch template web, version 2: template, account default and AMI say nothing",
        ),
        (Fleet("fleet-1", is_spot=False, templates=(of("3"),)), Outcome.V2, "launch template web"),
        (Fleet("fleet-1", is_spot=False, templates=(of("9"),)), Outcome.UNKNOWN, "launch template"),
        (Fleet("fleet-1", is_spot=False), Outcome.UNKNOWN, "neither a launch template nor"),
        (
            Fleet("sfr-1", is_spot=True, images=("ami-none",)),
            Outcome.UNKNOWN,
            "launch specification of ami-none: AMI ami-none is unknown",
        ),
        (Fleet("sfr-1", is_spot=True, images=(None,)), Outcome.UNKNOWN, "launch specification of"),
    ],
)
def test_a_fleet_is_as_bad_as_the_worst_of_what_it_launches(
    fleet: Fleet, outcome: Outcome, reason: str
) -> None:
    facts = dataclasses.replace(region(group(of("3"))), fleets=(fleet,))
    found = launches_of(facts)[-1]
    assert found.kind is (Kind.SPOT_FLEET if fleet.is_spot else Kind.FLEET)
    assert (found.name, found.new.outcome) == (fleet.id, outcome)
    assert found.new.reason.startswith(reason)
    assert not [each for each in launches_of(facts) if each.kind is Kind.SPECIFICATION]


def test_groups_and_fleets_that_launch_a_version_are_told_apart() -> None:
    """Commands for groups do nothing for a fleet."""
    fleet = Fleet("fleet-1", is_spot=False, type="request", templates=(of("2"),))
    found = launches_of(dataclasses.replace(region(group(of("2"))), fleets=(fleet,)))
    (second,) = [each for each in found if each.kind is Kind.TEMPLATE and each.version == 2]
    assert (second.groups, second.fleets) == (("workers",), ("fleet-1",))
    assert found[-1].notes == ("launches its instances once: type is request",)
