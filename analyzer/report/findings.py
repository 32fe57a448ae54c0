"""Defines the numbers that an engine takes out of log lines, the same from every engine.

All are immutable. Times are aware datetimes in UTC. Whatever grows with the log is bounded by
the constants here; what did not fit is counted in the field that says so, never dropped silently.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

# What a report lists of one group; a person looks at the first few and needs the count.
HOSTS_LISTED_MAX = 20
PATHS_LISTED_MAX = 10
WORKLOADS_LISTED_MAX = 5
DAMAGE_LISTED_MAX = 20
# Callers choose their names, so that a hostile one can make up any number of groups. Those beyond
# this many, the ones with the fewest calls, are one for each provider, with this for a program.
GROUPS_MAX = 10_000
FURTHER = "(further callers)"
# A capture does not say whose packets it has; `replay --host` does. Its lines count as of one host.
CAPTURE_HOST = "(capture)"
CAPTURE_PROBE = "packet/pcap"


@dataclass(frozen=True)
class Key:
    """Who calls, and for what provider. ``caller`` and ``provider`` tell groups of calls apart.

    ``caller`` is the line's ``imds.caller.key``, which is the same for each run of one job; of a
    line without it, the executable. ``program``, ``launcher`` and ``kind`` are the line's words
    for it. ``unit`` is the systemd unit with the numbers of a single run taken out
    (``session-*.scope``). ``place`` is ``host``, else the orchestrator (``kubernetes``, ``ecs``),
    else the container runtime, else ``container``. Where a group's calls differ in one of these,
    or in the user agent, it is the one with the most v1 calls.
    ``provider`` is ``aws`` or the other cloud that was asked for, as ``imds.provider`` in the log.
    """

    caller: str
    program: str
    launcher: Optional[str]
    kind: Optional[str]
    unit: Optional[str]
    place: str
    user_agent: Optional[str]
    provider: str


@dataclass(frozen=True)
class Tally:
    """How many requests had these four values (as in the log) in common."""

    version: str
    reason: str
    outcome: Optional[str]
    operation: str
    requests: int


@dataclass(frozen=True)
class Group:
    """The requests of one caller to one provider.

    ``days`` are the UTC days on which it called, ``v1_days`` those with a tokenless call. ``paths``
    and ``user_agents`` are the most frequent; ``v1_places`` are where its v1 calls come from, as
    :class:`Key` says it; ``workloads`` are examples of container, pod or task ids out of
    ``workload_count``; ``forwarded`` counts requests with X-Forwarded-For. ``token_failures``
    counts, by outcome (``no_response``, ``rejected``, ...), the failed token requests that v1
    calls came after. ``example`` is one line of the log as it was recorded: of the worst version
    (v1, then unknown, then v2), the last of its kind. ``hop_limits`` counts its successful token
    requests by the TTL with which the answer arrived, ``instance_hop_limits`` are those of
    ``v1_hosts`` (:class:`Host`); both as far as they were measured.
    """

    key: Key
    tallies: tuple[Tally, ...]
    first_at: datetime.datetime
    last_at: datetime.datetime
    last_v1_at: Optional[datetime.datetime]
    days: tuple[datetime.date, ...]
    v1_days: tuple[datetime.date, ...]
    host_count: int
    hosts: tuple[str, ...]
    v1_hosts: tuple[str, ...]
    paths: tuple[tuple[str, int], ...]
    workload_count: int
    workloads: tuple[str, ...]
    users: tuple[str, ...]
    user_agents: tuple[str, ...]
    v1_places: tuple[str, ...]
    forwarded: int
    token_failures: Mapping[str, int]
    example: Mapping[str, Any]
    hop_limits: tuple[tuple[int, int], ...] = ()
    instance_hop_limits: tuple[int, ...] = ()

    @property
    def requests(self) -> int:
        """All requests."""
        return sum(each.requests for each in self.tallies)

    def count(self, version: str) -> int:
        """Return the requests of one version: ``v1``, ``v2`` or ``unknown``."""
        return sum(each.requests for each in self.tallies if each.version == version)


@dataclass(frozen=True)
class Span:
    """A stretch of time, ``end`` excluded."""

    start: datetime.datetime
    end: datetime.datetime

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True)
class Loss:
    """One ``events_lost`` line, or lines that a heartbeat says were not written."""

    at: datetime.datetime
    reason: str
    count: int
    is_request: bool  # whether requests may be missing for it, or only what became of them


@dataclass(frozen=True)
class Host:
    """What one host's lines say of the host itself.

    ``requests`` counts those to AWS by version, ``other_clouds`` the probes for other providers.
    ``covered`` is when the analyzer was running there, from heartbeats, starts and stops: merged,
    in order, not overlapping. ``boots`` are the boots seen, by the time of the first line of each.
    ``instance_id`` where the lines say it. ``probes`` are the kinds of capture (``core/fentry``).
    ``last_v1_at`` and ``last_unknown_at`` are of requests to AWS.
    """

    name: str
    instance_id: Optional[str]
    requests: Mapping[str, int]
    other_clouds: int
    first_at: datetime.datetime
    last_at: datetime.datetime
    last_v1_at: Optional[datetime.datetime]
    last_unknown_at: Optional[datetime.datetime]
    covered: tuple[Span, ...]
    losses: tuple[Loss, ...]
    boots: tuple[datetime.datetime, ...]
    deployed_at: Optional[datetime.datetime]  # the newest start of a process of a unit or container
    probes: tuple[str, ...]
    hop_limit: Optional[int] = None  # of tokens on the host itself, on the last day there were any


@dataclass(frozen=True)
class Bucket:
    """The requests to AWS in ``bucket_s`` seconds from ``start`` on, by version."""

    start: datetime.datetime
    requests: Mapping[str, int]
    tokenless_success: int  # v1 that IMDS answered with success: CloudWatch's MetadataNoToken
    tokenless_rejected: int  # v1 that was refused: MetadataNoTokenRejected
    tokenless_unanswered: int  # v1 of which no answer is known


@dataclass(frozen=True)
class Damage:
    """A line, or a file from there on, that could not be read. ``line`` counts from 1."""

    file: str
    line: Optional[int]
    problem: str


@dataclass(frozen=True)
class Findings:
    """All that an engine says of its input.

    ``groups`` by falling v1, then unknown, then all requests; ``hosts`` by name. ``damaged`` is
    the number of damaged lines, ``damage`` names the first of them. ``lines`` counts whole lines
    of any event.
    """

    files: int
    lines: int
    damaged: int
    damage: tuple[Damage, ...]
    groups: tuple[Group, ...]
    hosts: tuple[Host, ...]
    bucket_s: int
    timeline: tuple[Bucket, ...] = field(default=())

    @property
    def first_at(self) -> Optional[datetime.datetime]:
        """The first line's time; None where there is no host."""
        return min((each.first_at for each in self.hosts), default=None)

    @property
    def last_at(self) -> Optional[datetime.datetime]:
        """The last line's time; None where there is no host."""
        return max((each.last_at for each in self.hosts), default=None)
