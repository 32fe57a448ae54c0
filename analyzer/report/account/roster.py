"""Makes the roster of a verdict out of snapshots, and brings it up to the log's time."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from analyzer.account.model import InstanceFacts, RegionFacts
from analyzer.report.account.snapshots import OF_INSTANCES, Snapshots
from analyzer.report.hosts import Host
from analyzer.report.roster.instances import Instance, Roster
from analyzer.report.roster.joining import join, maybe_instance_id
from analyzer.report.roster.owners import Owners

# EC2 lists an instance for about an hour after its end ("Terminate Amazon EC2 instances").
LISTED = datetime.timedelta(hours=1)
# Private names as EC2 makes them; in us-east-1 they have no Region ("EC2 instance hostnames").
_PRIVATE = re.compile(
    r"(?:ip-[0-9-]+|i-[0-9a-f]+)\.(?:([a-z]{2,4}(?:-[a-z]+)+-[0-9]+)\.compute|ec2)\.internal\.?",
    re.ASCII,
)


@dataclass(frozen=True)
class Joined:
    """The roster as of the log's end.

    ``later`` are the keys of hosts that no snapshot has and whose log goes on after it;
    ``started`` are the ids of instances that did not run, and whose log goes on.
    """

    roster: Roster
    later: tuple[str, ...] = ()
    started: tuple[str, ...] = ()


def roster(snapshots: Snapshots, owners: Owners) -> Roster:
    """Return all instances of snapshots, with their owners."""
    return Roster(
        source=", ".join(snapshots.sources),
        instances=tuple(
            owners.owned(_instance(region, facts)) for _, region, facts in snapshots.instances()
        ),
    )


def joined(snapshots: Snapshots, made: Roster, hosts: Sequence[Host], owners: Owners) -> Joined:
    """Join the roster with the log's hosts, none of which is left out because it is new.

    A host whose lines go on after the snapshot runs, whatever the snapshot says. Without it the
    host would count as gone, and its callers for less.
    """
    found = join(made, hosts)
    by_key = {each.key: each for each in hosts}
    taken = snapshots.taken_at_by_place()
    ended_before = _ended_before(snapshots, hosts)
    started: list[str] = []
    instances: list[Instance] = []
    for each in found.instances:
        host = by_key.get(each.host or "")
        at = taken.get((each.account, each.region), snapshots.taken_at)
        # By its name alone, a log that goes on is of another instance, or this one was started.
        since = at if host is None or maybe_instance_id(host) else min(at, ended_before)
        if host is not None and not each.is_running and host.last_at > since:
            started.append(each.id or host.key)
            instances.append(replace(each, state="running"))
        else:
            instances.append(each)
    known = {each.host for each in instances}
    later = [
        each
        for each in hosts
        if each.key not in known
        and (each.last_at > ended_before or not _is_of_place(each, snapshots))
    ]
    instances += (owners.owned(_of_host(each)) for each in later)
    return Joined(
        replace(found, instances=tuple(instances)),
        tuple(each.key for each in later),
        tuple(started),
    )


def _ended_before(snapshots: Snapshots, hosts: Sequence[Host]) -> datetime.datetime:
    """Return the time before which the log of a host ends that has ended and is in no snapshot.

    EC2 would still list one that ended later. It may be of any account, so the oldest snapshot
    counts. One that ran to the end of all logs had not ended when they were collected: it is of an
    account or Region that nobody audited. Where instances could not be read, nothing says that one
    has ended.
    """
    if not hosts or any(each.part in OF_INSTANCES for each in snapshots.failures):
        return datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)
    taken_at: datetime.datetime = snapshots.taken_at
    return min(taken_at, max(each.last_at for each in hosts)) - LISTED


def _is_of_place(host: Host, snapshots: Snapshots) -> bool:
    """Tell whether a host may be of a Region that was audited, as far as its name says one."""
    named = {
        match[1] or "us-east-1"
        for each in host.names
        if (match := _PRIVATE.fullmatch(each.lower()))
    }
    return not named or bool(named & {region.region for _, region in snapshots.regions()})


def _of_host(host: Host) -> Instance:
    return Instance(
        id=maybe_instance_id(host),
        name=host.name,
        names=tuple(dict.fromkeys((host.name, *host.names))),
        host=host.key,
    )


def _instance(region: RegionFacts, facts: InstanceFacts) -> Instance:
    # Options are in force once EC2 says that they are applied.
    options = facts.options if facts.options.state == "applied" else None
    names = tuple(
        dict.fromkeys(each for each in (facts.tags.get("Name"), facts.private_dns_name) if each)
    )
    template = facts.template
    return Instance(
        id=facts.id,
        name=names[0] if names else None,
        state=facts.state,
        group=facts.group,
        template=template.id if template else None,
        template_version=template.version if template else None,
        image=facts.image,
        launched_at=facts.launched_at,
        http_tokens=options.http_tokens if options else None,
        hop_limit=options.hop_limit if options else None,
        names=names,
        region=region.region,
        account=region.account,
        http_endpoint=options.http_endpoint if options else None,
        tags=dict(facts.tags),
    )
