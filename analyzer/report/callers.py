"""Defines the facts about each caller that an engine takes out of log lines.

All are immutable. Times are aware datetimes in UTC. Whatever grows with the log is bounded by the
constants here; a field counts the rest, so nothing is dropped silently.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from analyzer.report.hosts import Span
from analyzer.software.recorded import Code

# What a report lists of one group; a person looks at the first few and needs the count.
HOSTS_LISTED_MAX = 20
PATHS_LISTED_MAX = 10
WORKLOADS_LISTED_MAX = 5
# Callers choose their names, so that a hostile one can make up any number of groups. Those beyond
# this many, the ones with the fewest calls, are one for each provider, with this for a program.
GROUPS_MAX = 10_000
FURTHER = "(further callers)"
# Pairs of a caller and a host of which the calls are kept. What is left out are the pairs with the
# fewest IMDSv1 calls: the host's own counts then say that callers are missing.
SIGHTINGS_MAX = 200_000
# What was read of callers' code: hosts of one image have the same. Of one group, and of all.
EVIDENCE_OF_GROUP_MAX = 20
EVIDENCE_MAX = 5_000


@dataclass(frozen=True)
class Key:
    """The group of a call. ``caller`` and ``provider`` tell groups apart.

    ``caller`` is the line's ``imds.caller.key``, which is the same for each run of one job; of a
    line without it, the executable. ``program``, ``launcher`` and ``kind`` are the line's words
    for it. ``unit`` is the systemd unit with the numbers of a single run taken out
    (``session-*.scope``). ``place`` is ``host``, else the orchestrator (``kubernetes``, ``ecs``),
    else the container runtime, else ``container``. ``deployed`` is what deployed its containers, as
    :mod:`analyzer.logline.deployed` has it, ``container`` and ``image`` are their names, and
    ``labels`` the labels of their pods that the recorder was told to take. ``through`` are the
    proxies on the node that sent its calls on, as ``imds.through`` in the log. Where a group's
    calls differ in one of these, or in the user agent, it is the one with the most v1 calls.
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
    deployed: Optional[str] = None
    container: Optional[str] = None
    image: Optional[str] = None
    labels: Optional[str] = None
    through: Optional[str] = None


@dataclass(frozen=True)
class Tally:
    """The number of requests with the same four values, as in the log."""

    version: str
    reason: str
    outcome: Optional[str]
    operation: str
    requests: int


@dataclass(frozen=True)
class CodeEvidence:
    """The recorder's findings in a caller's code, the same on each of ``hosts`` (Host.key).

    ``at`` is when it was read last. ``executable`` is its path, "" if unknown.
    """

    at: datetime.datetime
    hosts: tuple[str, ...]
    executable: str
    code: Code


@dataclass(frozen=True)
class Use:
    """The requests of a caller that have all of this in common.

    ``relayed`` says for whom a request was made: ``for=`` and an address from outside, ``host=``
    and a foreign Host, names of header fields. ``path`` is the last of the alphabet, which of
    credentials has the role, ``host`` the first.
    """

    version: str
    operation: str
    outcome: Optional[str]
    user_agent: Optional[str]
    relayed: tuple[str, ...]
    path: str
    host: str
    host_count: int
    requests: int
    first_at: datetime.datetime
    last_at: datetime.datetime


@dataclass(frozen=True)
class Group:
    """The requests of one caller to one provider.

    ``days`` are the UTC days on which it called, ``v1_days`` those with a tokenless call. ``paths``
    and ``user_agents`` are the most frequent; ``v1_places`` are where its v1 calls come from, as
    :class:`Key` says it; ``workloads`` are examples of container, pod or task ids out of
    ``workload_count``; ``forwarded`` counts requests with X-Forwarded-For, ``through`` those
    that a proxy on the node sent on. ``token_failures``
    counts, by outcome (``no_response``, ``rejected``, ...), the failed token requests that v1
    calls came after. ``example`` is one line of the log as it was recorded: of the worst version
    (v1, then unknown, then v2), the last of its kind. ``hop_limits`` counts its successful token
    requests by the TTL with which the answer arrived, ``instance_hop_limits`` are those of
    ``v1_hosts`` (:class:`Host`); both as far as they were measured. ``evidence`` is what was read
    of its code, of the most hosts first; ``evidence_left_out`` is how much more there is.
    ``uses`` tell its requests apart by who seems to ask, what looks least like its own first.
    ``v1_by_asked`` counts its v1 calls by what became of its token requests on the host of each:
    ``failed`` (one did), ``got`` (all were answered with a token) or ``none``; empty where it made
    no token request.
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
    evidence: tuple[CodeEvidence, ...] = ()
    evidence_left_out: int = 0
    uses: tuple[Use, ...] = ()
    v1_by_asked: tuple[tuple[str, int], ...] = ()
    through: int = 0

    @property
    def requests(self) -> int:
        """All requests."""
        return sum(each.requests for each in self.tallies)

    def count(self, version: str) -> int:
        """Return the requests of one version: ``v1``, ``v2`` or ``unknown``."""
        return sum(each.requests for each in self.tallies if each.version == version)


@dataclass(frozen=True)
class Sighting:
    """The calls of one caller to AWS on one host; only callers with IMDSv1 calls there have one.

    ``caller`` is :attr:`Key.caller`, ``host`` is :attr:`Host.key`. ``v1`` and ``v2`` have a span
    for each UTC day with such calls: from the first of the day to the last, a call alone having
    no length. Of IMDSv2 calls only those count that succeeded, and no token requests.
    ``all_v1``, ``v1_rejected`` and ``v1_at_boot`` are numbers of calls: all, those that IMDS
    refused, and those within ten minutes of a boot or from cloud-init's units, scripts or user
    data. Of calls of one day that came partly within that time and partly later, one counts as at
    boot. ``boot_offset_s`` is how soon after a boot it called IMDSv1 at the earliest; None where no
    boot time is known or none of its calls was at boot. ``boot_last_s`` is how long after a boot,
    or after its first line, the latest of its calls at boot came. A long script of user data calls
    later than ten minutes; a boot that was watched for less proves nothing. ``unclear`` has the
    calls of unknown version and the IMDSv2 calls that were refused, by day: they may have been
    IMDSv1, or be followed by it.
    """

    caller: str
    host: str
    v1: tuple[Span, ...]
    v2: tuple[Span, ...]
    all_v1: int
    v1_rejected: int = 0
    v1_at_boot: int = 0
    boot_offset_s: Optional[float] = None
    boot_last_s: Optional[float] = None
    unclear: tuple[Span, ...] = ()

    @property
    def first_v1_at(self) -> datetime.datetime:
        """The first IMDSv1 call."""
        return self.v1[0].start

    @property
    def last_v1_at(self) -> datetime.datetime:
        """The last IMDSv1 call."""
        return self.v1[-1].end

    @property
    def is_boot_only(self) -> bool:
        """True if it called IMDSv1 only at boot."""
        return self.v1_at_boot >= self.all_v1
