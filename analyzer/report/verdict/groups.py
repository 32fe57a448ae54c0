"""Groups the instances of the roster, and collects what was seen of each group together."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from analyzer.report.callers import Sighting
from analyzer.report.findings import Findings
from analyzer.report.hosts import Boot, Host, Span
from analyzer.report.result import CallerStanding
from analyzer.report.roster.instances import Instance, Roster
from analyzer.report.verdict.boots import BOOT_LASTS, is_watched
from analyzer.report.verdict.spans import union
from analyzer.report.verdict.standings import Launch, unnamed

AUTO_SCALING, TEMPLATE, IMAGE = "Auto Scaling group", "launch template", "AMI"


@dataclass(frozen=True)
class Pool:
    """The instances of one group, those with a log, and the ones of these that run."""

    name: str
    kind: str
    instances: tuple[Instance, ...]
    hosts: tuple[Host, ...]
    running: frozenset[str]

    @property
    def key(self) -> tuple[str, str]:
        """The fields that tell groups apart."""
        return self.kind, self.name

    @property
    def names(self) -> frozenset[str]:
        """The names by which ``--accept`` may call the group and its hosts."""
        return frozenset((self.name, *(name for host in self.hosts for name in names_of(host))))

    @property
    def boots(self) -> tuple[Boot, ...]:
        """The boots of all its instances."""
        return tuple(boot for host in self.hosts for boot in host.boots)

    def watched(self, since: datetime.datetime) -> tuple[Span, ...]:
        """Return when an instance was watched of whose requests none are missing."""
        return union(
            span for host in self.hosts if not _is_lossy(host, since) for span in host.covered
        )

    def launches(self) -> tuple[Launch, ...]:
        """Return the first boot of each instance, if it is its launch."""
        launched = {each.host: each.launched_at for each in self.instances if each.host}
        return tuple(
            Launch(host.boots[0], host.covered)
            for host in self.hosts
            if host.boots and _is_launch(host.boots[0], launched.get(host.key))
        )

    def watched_launches(self, window: Span) -> int:
        """Count the launches within the window that were watched from the start."""
        return sum(
            1
            for launch in self.launches()
            if launch.boot.at >= window.start and is_watched(launch.boot, launch.covered)
        )


@dataclass(frozen=True)
class Together:
    """Facts about a group as a whole: its instances' time, launches and former callers.

    ``is_watched`` is whether it was watched through the period, with a launch in it.
    """

    pool: Pool
    launches: tuple[Launch, ...]
    former: tuple[CallerStanding, ...]
    watched_launches: int
    watched_s: float
    is_watched: bool


@dataclass(frozen=True)
class Places:
    """Groups of the log's hosts. Without a roster, each host is judged by itself."""

    roster: Optional[Roster]
    instances: Mapping[str, Instance]
    pools: tuple[Pool, ...]
    pool_of: Mapping[str, Pool]

    def is_judged(self, host: str) -> bool:
        """Tell whether it runs, as far as is known."""
        if self.roster is None:
            return True
        instance = self.instances.get(host)
        return instance is not None and instance.is_running

    def may_return(self, host: str) -> bool:
        """Tell whether an instance that does not run is only stopped."""
        instance = self.instances.get(host)
        return instance is not None and instance.state in ("stopped", "stopping")


def places(roster: Optional[Roster], findings: Findings) -> Places:
    """Return where each host belongs. A group without any log is none."""
    if roster is None:
        return Places(None, {}, (), {})
    instances: dict[str, Instance] = {}
    grouped: dict[tuple[str, str], list[Instance]] = {}
    for each in roster.instances:
        if each.host is not None and not (each.host in instances and not each.is_running):
            instances[each.host] = each
        group = group_of(each)
        if group is not None:
            grouped.setdefault(group, []).append(each)
    hosts = {host.key: host for host in findings.hosts}
    pools = []
    pool_of = {}
    for (kind, name), members in sorted(grouped.items()):
        logged = [each.host for each in members if each.host in hosts]
        if not logged:
            continue
        keys = list(dict.fromkeys(key for key in logged if key is not None))
        running = frozenset(key for key in keys if instances[key].is_running)
        pool = Pool(name, kind, tuple(members), tuple(hosts[key] for key in keys), running)
        pools.append(pool)
        pool_of.update(dict.fromkeys(keys, pool))
    return Places(roster, instances, tuple(pools), pool_of)


def group_of(instance: Instance) -> Optional[tuple[str, str]]:
    """Return kind and name of the group: what launches its successors."""
    for kind, name in (
        (AUTO_SCALING, instance.group),
        (TEMPLATE, instance.template),
        (IMAGE, instance.image),
    ):
        if name:
            return kind, name
    return None


def former_callers(
    pool: Pool,
    callers: Mapping[str, Sequence[Sighting]],
    successors: Mapping[str, Sequence[Sighting]],
) -> tuple[tuple[Sighting, str], ...]:
    """Return the callers of the instances that no longer run, each with the last such host.

    Calls of one caller on several of them count as one caller's. Its IMDSv2 calls on any instance
    count once it no longer calls IMDSv1; on those instances, which show whether it speaks both,
    they count always. ``successors`` are callers where they never called IMDSv1.
    """
    seen: dict[str, list[Sighting]] = {}
    for host in pool.hosts:
        if host.key in pool.running:
            continue
        found = list(callers.get(host.key, ()))
        further = unnamed(host, found)
        for sighting in (*found, *((further,) if further else ())):
            seen.setdefault(sighting.caller, []).append(sighting)
    all_of_pool = [
        each
        for host in pool.hosts
        for each in (*callers.get(host.key, ()), *successors.get(host.key, ()))
    ]
    return tuple(_merged(found, all_of_pool) for found in seen.values())


def names_of(host: Host) -> tuple[str, ...]:
    """Return each name that a person may use for a host."""
    own = (host.key, host.name, *host.names)
    return own if host.instance_id is None else (*own, host.instance_id)


def _merged(found: Sequence[Sighting], pool: Iterable[Sighting]) -> tuple[Sighting, str]:
    last = max(found, key=lambda each: each.last_v1_at)
    offsets = [each.boot_offset_s for each in found if each.boot_offset_s is not None]
    own = {each.host for each in found}
    spans = union(
        # Of a day on which both happened, only its last call is known to be later.
        span if each.host in own or span.start > last.last_v1_at else Span(span.end, span.end)
        for each in pool
        if each.caller == last.caller
        for span in each.v2
        if each.host in own or span.end > last.last_v1_at
    )
    lasts = [each.boot_last_s for each in found if each.boot_last_s is not None]
    merged = Sighting(
        caller=last.caller,
        host=last.host,
        v1=union(span for each in found for span in each.v1),
        v2=spans,
        all_v1=sum(each.all_v1 for each in found),
        v1_rejected=sum(each.v1_rejected for each in found),
        v1_at_boot=sum(each.v1_at_boot for each in found),
        boot_offset_s=min(offsets, default=None),
        boot_last_s=max(lasts, default=None),
        unclear=union(span for each in pool if each.caller == last.caller for span in each.unclear),
    )
    return merged, last.host


def _is_launch(boot: Boot, launched_at: Optional[datetime.datetime]) -> bool:
    return launched_at is None or abs(boot.at - launched_at) <= BOOT_LASTS


def _is_lossy(host: Host, since: datetime.datetime) -> bool:
    return (
        host.overlap is not None
        or bool(host.odd)
        or any(each.span.end > since for each in host.shortfalls)
        or any(each.is_request and each.at >= since for each in host.losses)
    )
