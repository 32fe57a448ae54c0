"""Builds commands for the instances that were seen: one each, or a loop where there are many."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

from analyzer.report.cloudwatch.question import batches, command
from analyzer.report.findings import Host, Span
from analyzer.report.result import Instance
from analyzer.report.roster.joining import maybe_instance_id

# More become a file of ids and a loop over it.
COMMANDS_MAX = 20
# Names in one look-up; EC2 takes 200 values in a filter.
LOOKUP_MAX = 50

# Stands in a command for an id that nobody knows.
INSTANCE = "INSTANCE_ID"

_HOST_NAME = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z.-]{0,250}[0-9A-Za-z])?", re.ASCII)
_REGION = re.compile(r"[a-z]{2,3}(?:-[a-z]+)+-\d{1,2}", re.ASCII)
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

    def by_region(self) -> Mapping[str, tuple[str, ...]]:
        """Return the ids by the option that names their Region; none where it is not known."""
        found: dict[str, list[str]] = {}
        for each in self.ids:
            found.setdefault(region_option(self.regions.get(each)), []).append(each)
        return {option: tuple(ids) for option, ids in found.items()}


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
    return Instances(tuple(ids), tuple(unknown), regions)


def modify(
    instances: Instances, options: str, file: str, *, is_written: bool = False
) -> Iterator[str]:
    """Return the commands that set options; many ids are put into ``file``, or are there."""
    for region, ids, name in _parts(instances, file):
        if len(instances.ids) > COMMANDS_MAX:
            if not is_written:
                yield listing(ids, name)
            yield f"xargs -I ID {_MODIFY} --instance-id ID {options}{region} < {name}"
        else:
            yield from (f"{_MODIFY} --instance-id {each} {options}{region}" for each in ids)
    if instances.unknown:
        yield from look_up(instances.unknown)
        yield f"{_MODIFY} --instance-id {INSTANCE} {options}"


def show(instances: Instances, file: str, query: str = _SHOWN) -> Iterator[str]:
    """Return the command that shows the present settings; ``file`` is for many ids."""
    for region, ids, name in _parts(instances, file):
        shown = " ".join(ids)
        if len(instances.ids) > COMMANDS_MAX:
            yield listing(ids, name)
            shown = f"$(cat {name})"
        yield (
            f"aws ec2 describe-instances --instance-ids {shown} --query {query}{region}"
            " --output table"
        )


def _parts(instances: Instances, file: str) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Yield, for each Region, its option, its ids, and a file for these."""
    parts = instances.by_region()
    for option, ids in parts.items():
        place = option.rpartition(" ")[2] or "other"
        yield option, ids, file if len(parts) == 1 else f"{place}-{file}"


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
