"""Says where to install the analyzer, with commands for Systems Manager by account and Region."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from analyzer import __version__
from analyzer.report.account.inventory import InstanceSet, Inventory, Kind, Member
from analyzer.report.formats.wording import listed, number
from analyzer.report.next_steps.instances import Place, place_of, with_comment
from analyzer.report.result import Step

# Ids that one send-command takes (SSM API reference, SendCommand: InstanceIds).
BATCH = 50
PARAMETERS = "install-imds-analyzer.json"
_ARCHIVE = f"imds-analyzer-{__version__}.tar.gz"
_SCRIPT = (
    "set -eu",
    'cd "$(mktemp -d)"',
    f"curl -fsSL -o {_ARCHIVE} '@ARCHIVE@'",
    f"tar xzf {_ARCHIVE}",
    f"cd imds-analyzer-{__version__}",
    "sha256sum --check --quiet SHA256SUMS",
    "./install.sh",
)
_HOW = (
    " Put the release's archive into a bucket of yours in place of BUCKET. The link in the command"
    " is good for an hour. The log of each is in /var/log/imds-analyzer: collect it from there."
)


def watch(inventory: Inventory) -> Iterator[Step]:
    """Yield the steps for the running instances without a log, the most urgent first."""
    days = "" if inventory.days is None else f" in {number(inventory.days, 'day')}"
    counted = inventory.of(Kind.V1_UNWATCHED)
    if counted.members:
        yield _step(
            f"Install the analyzer on {_many(counted)} where AWS counted IMDSv1{days}",
            f"AWS counted {number(counted.calls, 'answered call')} and"
            f" {number(counted.rejected, 'refused call')} without a token there; only a log tells"
            f" whose they are. The most calls: {_most(counted)}.",
            counted,
        )
    unknown = inventory.of(Kind.UNKNOWN)
    if unknown.members:
        yield _step(
            f"Install the analyzer on {_many(unknown)} of which nothing is known",
            "They have no log, and CloudWatch's figures of them are not whole.",
            unknown,
        )
    quiet = inventory.of(Kind.QUIET)
    if quiet.members:
        yield _step(
            f"Decide on {_many(quiet)} without a log of which AWS counted no IMDSv1 call{days}",
            f"{worth(inventory)} Install the analyzer there, or require tokens in the same stages"
            " as below and watch MetadataNoTokenRejected.",
            quiet,
        )


def worth(inventory: Inventory) -> str:
    """Say what AWS's count of 0 proves, and what it does not."""
    days = "the snapshot's time" if inventory.days is None else number(inventory.days, "day")
    return (
        f"A count of 0 is evidence for {days} alone: a job that runs more rarely, and what calls"
        " only at boot, need not be in it. It names no caller, and says nothing of what a new"
        " release will do."
    )


def _step(title: str, why: str, of: InstanceSet) -> Step:
    by_hand = [each for each in of.members if not _takes_commands(each)]
    if by_hand:
        names = [each.instance.id or each.instance.name or "?" for each in by_hand]
        why += (
            f" Systems Manager does not manage {number(len(by_hand), 'instance')} of these, or"
            f" {'it runs' if len(by_hand) == 1 else 'they run'} Windows: {listed(names)}."
        )
    commands = tuple(install([each for each in of.members if _takes_commands(each)]))
    return Step(title, why + (_HOW if commands else ""), commands)


def install(members: Sequence[Member]) -> Iterator[str]:
    """Yield the commands that install the analyzer: by account and Region, the most calls first."""
    places: dict[Place, list[str]] = {}
    for each in members:
        if each.instance.id is not None:
            place = place_of(each.instance.account, each.instance.region)
            places.setdefault(place, []).append(each.instance.id)
    if places:
        yield _parameters()
    for place, ids in places.items():
        batches = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
        yield from with_comment(place, (_send(batch, place) for batch in batches))


def _send(ids: Sequence[str], place: Place) -> str:
    return (
        "aws ssm send-command --document-name AWS-RunShellScript --comment 'install imds-analyzer'"
        f" --parameters file://{PARAMETERS} --instance-ids {' '.join(ids)}{place.option}"
        " --query Command.CommandId --output text"
    )


def _parameters() -> str:
    """Return the command that writes what each instance runs, with a link to the archive."""
    # The shell puts the link in; all else that it would act on is escaped.
    text = json.dumps({"commands": list(_SCRIPT)}).replace("$", "\\$")
    return (
        f"archive=$(aws s3 presign s3://BUCKET/{_ARCHIVE} --expires-in 3600) &&\n"
        f"cat > {PARAMETERS} <<END\n{text.replace('@ARCHIVE@', '$archive')}\nEND"
    )


def _takes_commands(member: Member) -> bool:
    return member.is_managed is not False and "windows" not in (member.platform or "").lower()


def _many(of: InstanceSet) -> str:
    return number(len(of.members), "instance")


def _most(of: InstanceSet) -> str:
    named = [
        f"{each.instance.id or each.instance.name} ({each.tokenless:,})" for each in of.members
    ]
    return listed(named)
