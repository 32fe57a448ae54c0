"""Commands for launch sources change what they can; the text says what is left."""

from __future__ import annotations

import shlex
from typing import Optional

import pytest

from analyzer.account.model import (
    AutoScalingGroup,
    Defaults,
    Fleet,
    MetadataOptions,
    RegionFacts,
    Template,
    TemplateReference,
    TemplateVersion,
)
from analyzer.report.account.inventory import Source
from analyzer.report.result import Report, Step
from tests.unit.report.account.samples import (
    ACCOUNT,
    OPTIONAL,
    REGION,
    facts,
    findings,
    host,
    report,
    snapshot,
    snapshots,
)

TEMPLATE = "lt-0123456789abcdef0"
PINNED = (TemplateReference(TEMPLATE, "web", "1"),)
GROUP = "web"


def made(group: Optional[AutoScalingGroup], *fleets: Fleet) -> Report:
    """Return the report over a Region with a template whose first version allows v1."""
    versions = (TemplateVersion(1, None, OPTIONAL), TemplateVersion(2, None, OPTIONAL))
    region = RegionFacts(
        ACCOUNT,
        REGION,
        Defaults(MetadataOptions("required"), "disabled"),
        instances=(facts(1),),
        templates=(Template(TEMPLATE, "web", 2, 2, versions),),
        groups=() if group is None else (group,),
        fleets=fleets,
    )
    return report(snapshots(snapshot(regions=(region,))), findings([host(1)]))


def step(of: Report) -> Step:
    (found,) = [each for each in of.steps if "of new instances with IMDSv1" in each.title]
    return found


def source(of: Report, kind: str, version: Optional[int] = None) -> Source:
    assert of.inventory is not None
    found = [e for e in of.inventory.launches if e.kind == kind and e.version == version]
    (only,) = found
    return only


@pytest.mark.parametrize(("is_mixed", "is_told"), [(False, True), (True, False), (None, False)])
def test_a_group_with_a_mixed_instances_policy_is_not_given_a_plain_template(
    *, is_mixed: Optional[bool], is_told: bool
) -> None:
    """It would lose the policy. A snapshot that says nothing of it counts as one that has it."""
    of = made(AutoScalingGroup(GROUP, 1, 2, templates=PINNED, is_mixed=is_mixed))
    version = source(of, "launch template", 1)
    assert (version.groups, version.pinned_by) == ((GROUP,), (GROUP,) if is_told else ())
    told = [each for each in step(of).commands if "update-auto-scaling-group" in each]
    assert bool(told) is is_told


@pytest.mark.parametrize(("name", "word"), [("-web", "=-web"), ("web", " web"), ("a b", " 'a b'")])
def test_a_name_with_a_dash_is_no_option(name: str, word: str) -> None:
    commands = step(made(AutoScalingGroup(name, 1, 2, templates=PINNED, is_mixed=False))).commands
    named = [each for each in commands if "--auto-scaling-group-name" in each]
    assert named
    assert all(f"--auto-scaling-group-name{word} " in each for each in named)
    words = [each for each in shlex.split(named[-1]) if each.endswith(name)]
    assert words in ([name], [f"--auto-scaling-group-name={name}"])


def test_a_fleet_is_listed_and_told_by_hand() -> None:
    of = made(None, Fleet("fleet-1", is_spot=False, templates=PINNED, tags={"Team": "search"}))
    assert source(of, "launch template", 1).fleets == ("fleet-1",)
    fleet = source(of, "EC2 Fleet")
    assert (fleet.name, fleet.owner, fleet.is_certain) == ("fleet-1", "search", True)
    assert "aws ec2 modify-fleet" in step(of).why
    assert not any("fleet" in each for each in step(of).commands)
    without = made(None)
    assert without.inventory is not None
    assert not [each for each in without.inventory.launches if each.kind == "EC2 Fleet"]
