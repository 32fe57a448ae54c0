"""Lists what would launch new instances with v1, and the commands that change each."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Optional, Union

from analyzer.report.account.inventory import Inventory, Source
from analyzer.report.account.launch_sources import ACCOUNT_DEFAULT, CONFIGURATION, TEMPLATE
from analyzer.report.formats.wording import listed, number
from analyzer.report.next_steps.instances import Place, place_of, with_comment
from analyzer.report.result import Step

_TEMPLATE_ID = re.compile(r"lt-[0-9a-f]{8,17}", re.ASCII)


def sources(inventory: Inventory, when: str) -> Step:
    """Return the step for templates, groups and configurations; ``when`` begins its title."""
    found = [each for each in inventory.launches if each.kind != ACCOUNT_DEFAULT]
    if not found:
        return Step(
            f"{when}look after launch templates and Auto Scaling groups",
            "As far as the snapshot tells, none of them launches instances with IMDSv1.",
            (),
        )
    names = [f"{each.kind} {each.name}" for each in found]
    return Step(
        f"{when}change {number(len(found), 'launch source')} of new instances with IMDSv1",
        f"{listed(names)}. What is launched anew gets its settings from there, not from the"
        " instance it replaces. A new version of a template must become the default version. A"
        " group that pins a number is told the new one; one with a mixed-instances policy is not"
        " among the commands: change the version in its policy. A group with a launch configuration"
        " must move to a launch template. Fleets are not among the commands either: `aws ec2"
        " modify-fleet` gives an EC2 Fleet the new version, and a Spot Fleet request that pins one"
        " must be made anew. A refresh replaces instances: begin with one group.",
        tuple(_commands(found)),
    )


def _commands(found: Sequence[Source]) -> Iterator[str]:
    places: dict[Place, list[Source]] = {}
    for each in found:
        places.setdefault(place_of(each.account, each.region), []).append(each)
    for place, of in places.items():
        yield from with_comment(place, _of_place(of, place.option))


def _of_place(found: Sequence[Source], region: str) -> Iterator[str]:
    templates: dict[str, list[Source]] = {}
    groups: dict[str, None] = {}
    for each in found:
        if each.kind == TEMPLATE and _TEMPLATE_ID.fullmatch(each.id or ""):
            templates.setdefault(each.id or "", []).append(each)
        groups.update(dict.fromkeys(name for name in each.groups if name.isprintable()))
    for of in templates.values():
        yield from _versions(of, region)
    for each in found:
        if each.kind == CONFIGURATION:
            yield from (
                f"aws autoscaling update-auto-scaling-group {_group(name)} --launch-template"
                f" 'LaunchTemplateId=TEMPLATE_ID,Version=$Default'{region}"
                for name in each.groups
                if name.isprintable()
            )
    for name in sorted(groups)[:1]:
        yield (f"aws autoscaling start-instance-refresh {_group(name)}{region}")


def _versions(of: Sequence[Source], region: str) -> Iterator[str]:
    """Yield a command for each version of one template, the latest last.

    What is made last is what $Latest launches: so the latest is made again, even if it is fine.
    """
    known = [each for each in of if each.version is not None]
    for each in sorted(known, key=lambda each: each.version == each.latest):
        yield _version(each, region)
    if known and known[0].latest and all(each.version != each.latest for each in known):
        yield _new(known[0].id, known[0].latest, known[0].latest_options, region)


def _version(source: Source, region: str) -> str:
    """Return the command for a new version of a template.

    It becomes the default if its source is that, and groups that pin the source get it.
    """
    then = [f"version=$({_new(source.id, source.version, source.options, region)})"]
    if source.is_default:
        then.append(
            f"aws ec2 modify-launch-template --launch-template-id {source.id}"
            f' --default-version "$version"{region}'
        )
    then += (
        f"aws autoscaling update-auto-scaling-group {_group(name)}"
        f' --launch-template "LaunchTemplateId={source.id},Version=$version"{region}'
        for name in source.pinned_by
        if name.isprintable()
    )
    return " &&\n".join(then)


def _group(name: str) -> str:
    """Return the option that names a group; the CLI takes a name with a dash for an option."""
    between = "=" if name.startswith("-") else " "
    return f"--auto-scaling-group-name{between}{shlex.quote(name)}"


def _new(
    template: Optional[str],
    version: Optional[int],
    options: Mapping[str, Union[str, int]],
    region: str,
) -> str:
    """Return the command for a new version. It repeats options, which EC2 replaces as a whole."""
    data = json.dumps(
        {"MetadataOptions": {**options, "HttpTokens": "required"}}, separators=(",", ":")
    )
    return (
        f"aws ec2 create-launch-template-version --launch-template-id {template}"
        f" --source-version {version} --launch-template-data {shlex.quote(data)}{region}"
        " --query LaunchTemplateVersion.VersionNumber --output text"
    )
