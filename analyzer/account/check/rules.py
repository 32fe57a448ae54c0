"""Lists the rules of ``audit --check``, each with its exit code.

A pipeline's exit code is that of the first rule in the table that failed. What makes the answer of
the other rules worthless comes first, so that who tolerates instances does not tolerate that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Callable

from analyzer.account.check import resources
from analyzer.account.check.resources import Examined, Moment
from analyzer.account.model import Snapshot

Examine = Callable[[Snapshot, Moment], Iterator[Examined]]


@dataclass(frozen=True)
class Rule:
    """A rule. ``name`` is for exceptions, ``id`` for tools; ``help`` says what to do.

    ``is_excusable`` says whether an exception or an earlier snapshot may excuse it.
    """

    id: str
    name: str
    exit_code: int
    title: str
    help: str
    examine: Examine
    is_excusable: bool = True


def _at_any_time(examine: Callable[[Snapshot], Iterator[Examined]]) -> Examine:
    return lambda snapshot, _moment: examine(snapshot)


RULES = (
    Rule(
        "imds-snapshot-age",
        "age",
        17,
        "The snapshot is recent",
        "Audit again: imds-analyzer audit --output FILE. Or allow more with --max-age.",
        resources.age,
        is_excusable=False,
    ),
    Rule(
        "imds-unread",
        "unread",
        10,
        "Everything that was asked for was read",
        "Give the missing permission (imds-analyzer audit --iam-policy), and audit again.",
        _at_any_time(resources.unread),
        is_excusable=False,
    ),
    Rule(
        "imds-default-allows-v1",
        "default",
        11,
        "The account's default for new instances requires IMDSv2",
        "Run: aws ec2 modify-instance-metadata-defaults --http-tokens required, in the Region.",
        _at_any_time(resources.defaults),
    ),
    Rule(
        "imds-template-allows-v1",
        "template",
        12,
        "No version of a launch template that something may launch allows IMDSv1",
        "Make a version with MetadataOptions HttpTokens=required, and make it the default one;"
        " move the groups that pin another version.",
        _at_any_time(resources.template_versions),
    ),
    Rule(
        "imds-configuration-allows-v1",
        "configuration",
        13,
        "No launch configuration allows IMDSv1",
        "A launch configuration cannot be changed: move its group to a launch template.",
        _at_any_time(resources.configurations),
    ),
    Rule(
        "imds-group-allows-v1",
        "group",
        14,
        "No Auto Scaling group or fleet launches instances that allow IMDSv1",
        "Change the template version that it launches, then replace the instances: a group by an"
        " instance refresh.",
        _at_any_time(resources.groups),
    ),
    Rule(
        "imds-image-allows-v1",
        "image",
        15,
        "Every AMI in use says that it needs IMDSv2",
        "Run: aws ec2 modify-image-attribute --image-id ID --imds-support v2.0, for AMIs of your"
        " own; it cannot be undone. Use a newer AMI of another owner's.",
        _at_any_time(resources.images),
    ),
    Rule(
        "imds-instance-allows-v1",
        "instance",
        16,
        "No instance allows IMDSv1",
        "Run: aws ec2 modify-instance-metadata-options --instance-id ID --http-tokens required,"
        " once `imds-analyzer report --verdict` says SAFE.",
        _at_any_time(resources.instances),
    ),
)
BY_NAME = {each.name: each for each in RULES}
