"""Builds commands for the instances that were seen: one each, or a loop where there are many."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from analyzer.report.cloudwatch.question import batches, command
from analyzer.report.hosts import Host, Span
from analyzer.report.roster.instances import Instance
from analyzer.report.roster.joining import maybe_instance_id

# More become a file of ids and a loop over it.
COMMANDS_MAX = 20
# Names in one look-up; EC2 takes 200 values in a filter.
LOOKUP_MAX = 50

# Stands in a command for an id that nobody knows.
INSTANCE = "INSTANCE_ID"

_HOST_NAME = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z.-]{0,250}[0-9A-Za-z])?", re.ASCII)
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-\d{1,2}", re.ASCII)
_MODIFY = "aws ec2 modify-instance-metadata-options"
_SHOWN = (
    "'Reservations[].Instances[].[InstanceId,MetadataOptions.HttpTokens,"
    "MetadataOptions.HttpPutResponseHopLimit]'"
)


@dataclass(frozen=True)
class Instances:
    """Hosts, as far as they can be named to EC2."""

    ids: tuple[str, ...]
    unknown: tuple[str, ...]  # names of hosts whose instance id is not known
    regions: Mapping[str, str] = field(default_factory=dict)  # by id, where the roster says it
    accounts: Mapping[str, str] = field(default_factory=dict)  # by id, where a snapshot says it

    def by_place(self) -> Mapping[Place, tuple[str, ...]]:
        """Return the ids by account and Region."""
        found: dict[Place, list[str]] = {}
        for each in self.ids:
            found.setdefault(place_of(self.accounts.get(each), self.regions.get(each)), []).append(
                each
            )
        return {place: tuple(ids) for place, ids in found.items()}


class Place(NamedTuple):
    """An account and Region for a command.

    ``comment`` is a line that names the account: its credentials are needed. ``option`` names the
    Region. Both are empty where it is not known. ``file`` is part of a file's name.
    """

    comment: str
    option: str
    file: str


def place_of(account: Optional[str], region: Optional[str]) -> Place:
    """Return the place of a command."""
    is_known = account is not None and _ACCOUNT.fullmatch(account)
    option = region_option(region)
    file = "-".join(
        each for each in (account if is_known else "", option.rpartition(" ")[2]) if each
    )
    return Place(f"# account {account}\n" if is_known else "", option, file or "other")


def places_of(instances: Iterable[Instance]) -> Sequence[Place]:
    """Return the places of instances; one without account and Region where there is none."""
    found = {place_of(each.account, each.region) for each in instances}
    return sorted(found) or [Place("", "", "other")]


def region_option(region: Optional[str]) -> str:
    """Return the option for a command; empty where no Region is known."""
    return f" --region {region}" if region and _REGION.fullmatch(region) else ""


def instances_of(
    hosts: Sequence[Host], known: Optional[Mapping[str, Instance]] = None
) -> Instances:
    """Return the hosts' instance ids: from the log, a name that is one, or else the roster.

    ``known`` has the roster's instances by the key of the host.
    """
    ids: dict[str, None] = {}
    regions: dict[str, str] = {}
    accounts: dict[str, str] = {}
    unknown = []
    for host in hosts:
        instance = (known or {}).get(host.key)
        found = maybe_instance_id(host) or (instance.id if instance is not None else None)
        if found is None:
            unknown.append(host.name)
            continue
        ids[found] = None
        if instance is not None and instance.region is not None:
            regions[found] = instance.region
        if instance is not None and instance.account is not None:
            accounts[found] = instance.account
    return Instances(tuple(ids), tuple(unknown), regions, accounts)


def modify(
    instances: Instances, options: str, file: str, *, is_written: bool = False
) -> Iterator[str]:
    """Return the commands that set options; many ids are put into ``file``, or are there."""
    for place, ids, name in _parts(instances, file):
        region = place.option
        if len(instances.ids) > COMMANDS_MAX:
            if not is_written:
                yield listing(ids, name)
            yield (
                f"{place.comment}xargs -I ID {_MODIFY} --instance-id ID {options}{region} < {name}"
            )
        else:
            modified = (f"{_MODIFY} --instance-id {each} {options}{region}" for each in ids)
            yield from with_comment(place, modified)
    if instances.unknown:
        yield from look_up(instances.unknown)
        yield f"{_MODIFY} --instance-id {INSTANCE} {options}"


def show(instances: Instances, file: str, query: str = _SHOWN) -> Iterator[str]:
    """Return the command that shows the present settings; ``file`` is for many ids."""
    for place, ids, name in _parts(instances, file):
        shown = " ".join(ids)
        if len(instances.ids) > COMMANDS_MAX:
            yield listing(ids, name)
            shown = f"$(cat {name})"
        yield (
            f"{place.comment}aws ec2 describe-instances --instance-ids {shown} --query {query}"
            f"{place.option} --output table"
        )


def with_comment(place: Place, commands: Iterable[str]) -> Iterator[str]:
    """Yield the commands; the first one names the account."""
    for number, command_ in enumerate(commands):
        yield command_ if number else f"{place.comment}{command_}"


def _parts(instances: Instances, file: str) -> Iterator[tuple[Place, tuple[str, ...], str]]:
    """Yield, for each account and Region, its ids, and a file for these."""
    parts = instances.by_place()
    for place, ids in parts.items():
        yield place, ids, file if len(parts) == 1 else f"{place.file}-{file}"


def ask(instances: Instances, window: Optional[Span]) -> Iterator[str]:
    """Return the command that asks CloudWatch for what it counted in the window."""
    if len(instances.ids) == 1:
        yield command(instances.ids[0], window)
    elif instances.ids:
        yield listing(instances.ids, "all-instances.txt")
        yield batches("all-instances.txt", window)
    else:
        yield from look_up(instances.unknown)
        yield command(INSTANCE, window)


def look_up(names: Sequence[str]) -> Iterator[str]:
    """Return the command that finds instances by the names of hosts."""
    safe = [each for each in names if _HOST_NAME.fullmatch(each)][:LOOKUP_MAX]
    if safe:
        values = ",".join(f"{each.partition('.')[0]}.*" for each in safe)
        yield (
            f"aws ec2 describe-instances --filters 'Name=private-dns-name,Values={values}'"
            " --query 'Reservations[].Instances[].[InstanceId,PrivateDnsName]' --output text"
        )


def listing(ids: Sequence[str], file: str) -> str:
    """Return the command that puts ids into a file."""
    return "\n".join((f"cat > {file} <<'END'", *ids, "END"))
