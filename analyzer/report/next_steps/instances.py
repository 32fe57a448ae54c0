"""Builds commands for the instances that were seen: one each, or a loop where there are many."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

from analyzer.imds import AWS
from analyzer.report.cloudwatch.question import batches, command
from analyzer.report.findings import HOSTS_LISTED_MAX, Host, Span
from analyzer.report.result import Cause, Entry

# More become a file of ids and a loop over it.
COMMANDS_MAX = 20
# Names in one look-up; EC2 takes 200 values in a filter.
LOOKUP_MAX = 50

_INSTANCE_ID = re.compile(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})(?![0-9a-z])", re.ASCII)
_HOST_NAME = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z.-]{0,250}[0-9A-Za-z])?", re.ASCII)
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


def instances_of(hosts: Sequence[Host]) -> Instances:
    """Return the hosts' instance ids, from the log or from a name that is one."""
    ids: dict[str, None] = {}
    unknown = []
    for host in hosts:
        found = _INSTANCE_ID.fullmatch(host.instance_id or "") or _INSTANCE_ID.match(host.name)
        if found is None:
            unknown.append(host.name)
        else:
            ids[found[0]] = None
    return Instances(tuple(ids), tuple(unknown))


def hosts_with_two_hops(entries: Sequence[Entry], hosts: Sequence[Host]) -> frozenset[str]:
    """Return the names of the hosts on which tokens must travel two hops.

    That is where a container uses v1: its tokens must reach it. One that has the host's network
    does with one hop, which the log does not tell; proxies have it, they could not do their work
    otherwise. Containers whose calls have tokens get them with the present limit. Where more than
    1 was measured, nothing is to be raised.
    """
    names: set[str] = set()
    enough = {each.name for each in hosts if each.hop_limit is not None and each.hop_limit > 1}
    for group in (each.group for each in entries if each.diagnosis.cause is not Cause.PROXY):
        if group.key.provider != AWS or not set(group.v1_places) - {"host"}:
            continue
        if len(group.v1_hosts) >= HOSTS_LISTED_MAX:
            return frozenset(each.name for each in hosts) - enough
        names.update(group.v1_hosts)
    return frozenset(names - enough)


def modify(instances: Instances, options: str, file: str) -> Iterator[str]:
    """Return the commands that set options; ``file`` is where many ids are put."""
    if len(instances.ids) > COMMANDS_MAX:
        yield listing(instances.ids, file)
        yield f"xargs -I ID {_MODIFY} --instance-id ID {options} < {file}"
    else:
        yield from (f"{_MODIFY} --instance-id {each} {options}" for each in instances.ids)
    if instances.unknown:
        yield from look_up(instances.unknown)
        yield f"{_MODIFY} --instance-id INSTANCE_ID {options}"


def show(instances: Instances) -> Iterator[str]:
    """Return the command that shows the present settings."""
    if instances.ids:
        shown = instances.ids if len(instances.ids) <= COMMANDS_MAX else ("$(cat instances.txt)",)
        if len(instances.ids) > COMMANDS_MAX:
            yield listing(instances.ids, "instances.txt")
        ids = " ".join(shown)
        yield f"aws ec2 describe-instances --instance-ids {ids} --query {_SHOWN} --output table"


def ask(instances: Instances, window: Optional[Span]) -> Iterator[str]:
    """Return the command that asks CloudWatch for what it counted in the window."""
    if len(instances.ids) == 1:
        yield command(instances.ids[0], window)
    elif instances.ids:
        yield listing(instances.ids, "all-instances.txt")
        yield batches("all-instances.txt", window)
    else:
        yield from look_up(instances.unknown)
        yield command("INSTANCE_ID", window)


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
