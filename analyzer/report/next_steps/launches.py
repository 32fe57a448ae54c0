"""Lists what makes new instances begin without v1, and last of all what forbids the way back."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Optional

from analyzer.account.guardrails.table import GUARDRAILS
from analyzer.report.account.inventory import Inventory
from analyzer.report.findings import Findings
from analyzer.report.next_steps.fleet import Fleet
from analyzer.report.next_steps.guardrails import WRITE, commands, gaps
from analyzer.report.next_steps.instances import COMMANDS_MAX, places_of, region_option
from analyzer.report.next_steps.launch_sources import sources
from analyzer.report.next_steps.rollout import TWO_HOPS
from analyzer.report.result import Judgement, Step, Verdict
from analyzer.report.roster.instances import Instance

_TEMPLATE = re.compile(r"lt-[0-9a-f]{8,17}", re.ASCII)
_VERSION = re.compile(r"\d{1,9}", re.ASCII)
_VERSIONS_OF_GROUPS = (
    "'AutoScalingGroups[].[AutoScalingGroupName,LaunchTemplate.Version,"
    "MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification.Version,"
    "LaunchConfigurationName]'"
)

_CREDENTIALS = ("iam-role-delivery.json", "vpc-endpoint-policy.json", "iam-source-vpc.json")
_LAST = tuple(each.file for each in GUARDRAILS if each.is_way_back_shut)


def launches(
    findings: Findings, fleet: Fleet, verdict: Verdict, inventory: Optional[Inventory] = None
) -> Iterator[Step]:
    """Yield the steps in the order in which they bind: what forbids the way back comes last."""
    when = "Then " if verdict.judgement is Judgement.SAFE else "When SAFE: "
    yield _known(fleet, when) if inventory is None else sources(inventory, when)
    yield Step(
        "At any time: let AWS name what allows IMDSv1",
        "AWS Config's rules and Security Hub's controls change nothing, so they need not wait. "
        + gaps("config-rules.yaml", "security-hub.yaml"),
        (WRITE, *commands("config-rules.yaml", "security-hub.yaml")),
    )
    # A snapshot knows the Regions of instances without a log, too.
    every = fleet.roster.instances if inventory is not None and fleet.roster is not None else ()
    places = places_of(every or fleet.known.values())
    hops = f" {TWO_HOPS}" if any(each.key.place != "host" for each in findings.groups) else ""
    yield Step(
        f"{when}make it the account's default",
        "In each Region, or for all accounts of an organization by a declarative policy. "
        + gaps("declarative-policy-default.json"),
        (
            *(
                f"{place.comment}aws ec2 {command}{place.option}"
                for place in places
                for command in (
                    f"modify-instance-metadata-defaults --http-tokens required{hops}",
                    "get-instance-metadata-defaults",
                )
            ),
            WRITE,
            *commands("declarative-policy-default.json"),
        ),
    )
    yield Step(
        f"{when}make credentials from IMDSv1 worthless",
        "For an instance's role, or as a service control policy for all. CloudTrail tells who still"
        " has such credentials: userIdentity.sessionContext.ec2RoleDelivery is 1.0, and"
        " `imds-analyzer audit --cloudtrail` lists them. The other two bind credentials to their"
        " VPC. " + gaps(*_CREDENTIALS),
        (WRITE, *commands(*_CREDENTIALS)),
    )
    last = "Last, when nobody needs the way back" if when == "Then " else "When SAFE, and last"
    yield Step(
        f"{last}: forbid IMDSv1",
        "All of these shut the way back. --http-tokens-enforced makes launches fail that do not"
        " require tokens, and EC2 then refuses --http-tokens optional. The declarative policy does"
        " so for an organization. " + gaps(*_LAST),
        (
            *(
                f"{place.comment}aws ec2 modify-instance-metadata-defaults --http-tokens-enforced"
                f" enabled{place.option}"
                for place in places
            ),
            WRITE,
            *commands(*_LAST),
        ),
    )


def _known(fleet: Fleet, when: str) -> Step:
    """Return the step for what the roster's instances were launched from."""
    return Step(
        f"{when}change launch templates and Auto Scaling groups",
        "What is launched anew gets its settings from there, not from the instance it replaces. A"
        " new version alone changes nothing: it must become the default version. Name in it what"
        " else the source's MetadataOptions set. A group that shows a number keeps that version"
        " until it is updated; one with a launch configuration must move to a launch template. A"
        " refresh replaces instances: begin with one group.",
        (*_templates(fleet), *_groups(fleet)),
    )


def _templates(fleet: Fleet) -> Iterator[str]:
    """Yield, for each template, the command for a new version that becomes the default one.

    The source is the version that most instances have, not the newest, which may hold changes
    that nobody has tried. Without a roster a placeholder stands for the template.
    """
    templates: dict[str, list[Instance]] = {}
    for each in fleet.roster.instances if fleet.roster is not None else ():
        if each.template and _TEMPLATE.fullmatch(each.template) and not each.is_gone:
            templates.setdefault(each.template, []).append(each)
    for template, instances in sorted(templates.items()):
        yield _template(
            template,
            _most(instances),
            _hop_limit(fleet, instances),
            region_option(instances[0].region),
        )
    if not templates:
        yield _template("TEMPLATE_ID", "'$Default'", None, "")


def _template(template: str, source: str, hop_limit: Optional[int], region: str) -> str:
    options: dict[str, object] = {"HttpTokens": "required"}
    if hop_limit is not None:
        options["HttpPutResponseHopLimit"] = hop_limit
    data = json.dumps({"MetadataOptions": options}, separators=(",", ":"))
    return (
        f"version=$(aws ec2 create-launch-template-version --launch-template-id {template}"
        f" --source-version {source} --launch-template-data '{data}'{region}"
        " --query LaunchTemplateVersion.VersionNumber --output text) &&\n"
        f"aws ec2 modify-launch-template --launch-template-id {template}"
        f' --default-version "$version"{region}'
    )


def _most(instances: Sequence[Instance]) -> str:
    versions = Counter(
        each.template_version
        for each in instances
        if each.template_version and _VERSION.fullmatch(each.template_version)
    )
    if not versions:
        return "'$Default'"
    return max(versions, key=lambda each: (versions[each], int(each)))


def _hop_limit(fleet: Fleet, instances: Sequence[Instance]) -> Optional[int]:
    """Return the limit that a template must keep or get; None where the default does."""
    limits = [each.hop_limit or 1 for each in instances]
    limits += [2 for each in instances if each.host in fleet.two_hops]
    return max(limits) if max(limits) > 1 else None


def _groups(fleet: Fleet) -> Iterator[str]:
    """Yield the commands that show which version each group launches, and that renew one."""
    groups: dict[str, dict[str, None]] = {}
    for each in fleet.roster.instances if fleet.roster is not None else ():
        if each.group is not None and each.group.isprintable() and not each.is_gone:
            groups.setdefault(region_option(each.region), {})[each.group] = None
    for region, names in groups.items():
        shown = sorted(names)[:COMMANDS_MAX]
        yield (
            "aws autoscaling describe-auto-scaling-groups --auto-scaling-group-names"
            f" {' '.join(map(shlex.quote, shown))} --query {_VERSIONS_OF_GROUPS}{region}"
            " --output table"
        )
    first = [(min(names), region) for region, names in groups.items()][:1]
    for name, region in first or [("GROUP", "")]:
        yield (
            "aws autoscaling start-instance-refresh --auto-scaling-group-name"
            f" {shlex.quote(name)}{region}"
        )
