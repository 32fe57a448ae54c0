"""Sorts the hosts for the next steps: who can be switched, in which order, and with which limit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from analyzer.imds import AWS
from analyzer.report.callers import HOSTS_LISTED_MAX
from analyzer.report.findings import Findings
from analyzer.report.hosts import Host
from analyzer.report.next_steps.instances import Instances, instances_of
from analyzer.report.result import Cause, Entry, Judgement, Verdict
from analyzer.report.roster.instances import Instance, Roster
from analyzer.report.roster.joining import maybe_instance_id

# After one instance as many as this, in percent, and then all.
SECOND_STAGE_PERCENT = 5


@dataclass(frozen=True)
class Fleet:
    """The hosts that can be switched, and what is known of them besides their log.

    ``switched`` are those that require tokens already, as the roster says. ``two_hops`` are the
    keys of the hosts on which tokens must travel two hops. ``known`` are the roster's instances
    by the key of their host.
    """

    hosts: tuple[Host, ...]
    switched: tuple[Host, ...]
    verdicts: Mapping[str, Verdict]
    two_hops: frozenset[str]
    known: Mapping[str, Instance]
    roster: Optional[Roster]

    @property
    def safe(self) -> tuple[Host, ...]:
        """The hosts whose verdict is SAFE."""
        return tuple(each for each in self.hosts if self._is_safe(each))

    @property
    def others(self) -> tuple[Host, ...]:
        """The hosts whose verdict is not SAFE yet."""
        return tuple(each for each in self.hosts if not self._is_safe(each))

    def _is_safe(self, host: Host) -> bool:
        verdict = self.verdicts.get(host.key)
        return verdict is not None and verdict.judgement is Judgement.SAFE

    def instances(self, hosts: Sequence[Host]) -> Instances:
        """Return the hosts as they are named to EC2."""
        return instances_of(hosts, self.known)

    def stages(self) -> tuple[tuple[Host, ...], ...]:
        """Return the SAFE hosts in the order of the switch: one, 5 percent, and the others.

        The one is the host with the most calls, which has the most to show. The next are taken
        from each group in turn. A stage of one host more would show nothing new.
        """
        safe = self.safe
        if not safe:
            return ()
        canary = max(safe, key=lambda each: (each.requests.get("v2", 0), each.key))
        rest = self._in_turn([each for each in safe if each is not canary])
        second = math.ceil(len(safe) * SECOND_STAGE_PERCENT / 100)
        cut = second if 1 < second < len(rest) else 0
        return tuple(each for each in ((canary,), tuple(rest[:cut]), tuple(rest[cut:])) if each)

    def _in_turn(self, hosts: Sequence[Host]) -> list[Host]:
        places: dict[str, int] = {}
        order = []
        for host in hosts:
            group = self._group(host)
            places[group] = places.get(group, 0) + 1
            order.append((places[group], group, host.key, host))
        return [host for *_, host in sorted(order, key=lambda each: each[:3])]

    def _group(self, host: Host) -> str:
        instance = self.known.get(host.key)
        if instance is None:
            return ""
        return instance.group or instance.template or instance.image or ""


def fleet_of(
    findings: Findings,
    entries: Sequence[Entry],
    host_verdicts: Sequence[Verdict],
    roster: Optional[Roster],
) -> Fleet:
    """Return the hosts of the findings, without those that a roster says are terminated."""
    instances = roster.instances if roster is not None else ()
    known = {each.host: each for each in instances if each.host is not None}
    has_ids = any(each.id is not None for each in instances)
    there = [each for each in findings.hosts if not _is_gone(each, known, has_ids)]
    switched = {key for key, each in known.items() if each.is_switched}
    return Fleet(
        hosts=tuple(each for each in there if each.key not in switched),
        switched=tuple(each for each in there if each.key in switched),
        verdicts={each.host: each for each in host_verdicts if each.host is not None},
        two_hops=_two_hops(entries, findings.hosts, known),
        known=known,
        roster=roster,
    )


def _is_gone(host: Host, known: Mapping[str, Instance], has_ids: bool) -> bool:
    """Tell whether EC2 no longer has an instance: it forgets them an hour after their end."""
    instance = known.get(host.key)
    if instance is not None:
        return instance.is_gone
    return has_ids and maybe_instance_id(host) is not None


def _two_hops(
    entries: Sequence[Entry], hosts: Sequence[Host], known: Mapping[str, Instance]
) -> frozenset[str]:
    """Return the keys of the hosts on which tokens must travel two hops.

    That is where a container uses v1: its tokens must reach it. One that has the host's network
    does with one hop, which the log does not tell; proxies have it, they could not do their work
    otherwise. Containers whose calls have tokens get them with the present limit. Where more than
    1 was measured, or the roster says so, nothing is to be raised.
    """
    keys: set[str] = set()
    enough = {each.key for each in hosts if each.hop_limit is not None and each.hop_limit > 1}
    enough |= {key for key, each in known.items() if (each.hop_limit or 0) > 1}
    for group in (each.group for each in entries if each.diagnosis.cause is not Cause.PROXY):
        if group.key.provider != AWS or not set(group.v1_places) - {"host"}:
            continue
        if len(group.v1_hosts) >= HOSTS_LISTED_MAX:
            return frozenset(each.key for each in hosts) - enough
        keys.update(group.v1_hosts)
    return frozenset(keys - enough)
