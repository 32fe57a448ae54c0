"""Defines the facts about each host that an engine takes out of log lines.

All are immutable. Times are aware datetimes in UTC.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

# A capture does not say whose packets it has; `replay --host` does. Its lines count as of one host.
CAPTURE_HOST = "(capture)"
CAPTURE_PROBE = "packet/pcap"


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
class Boot:
    """One boot of a host, in the order of time.

    ``booted_at`` is the boot's time as ``analyzer_started`` tells it, None where no line does;
    ``first_at`` and ``last_at`` are the first and the last line. ``attached_s`` is how long after
    the boot the first probe of this boot was attached. ``stopped_at`` is the time of its last
    ``analyzer_stopped``, if no line of this boot follows.
    """

    id: str
    first_at: datetime.datetime
    last_at: datetime.datetime
    booted_at: Optional[datetime.datetime] = None
    attached_s: Optional[float] = None
    stopped_at: Optional[datetime.datetime] = None

    @property
    def at(self) -> datetime.datetime:
        """The time of the boot, as far as that is known."""
        return self.booted_at or self.first_at


@dataclass(frozen=True)
class Shortfall:
    """Requests that heartbeats counted in a stretch of time, and whose lines are not there."""

    span: Span
    version: str
    counted: int
    lines: int

    @property
    def missing(self) -> int:
        """The number of missing lines."""
        return self.counted - self.lines


@dataclass(frozen=True)
class Odd:
    """Lines of one host that cannot count as they are: how many, and the first and last of them.

    ``kind`` is ``not_understood`` (an unknown event, provider or version: written by a later
    release, or by somebody else), ``before_boot``, ``too_early`` (before IMDSv2 existed) or
    ``unreadable_loss`` (``events_lost`` without a readable count).
    """

    kind: str
    count: int
    first_at: datetime.datetime
    last_at: datetime.datetime
    example: str  # what was not understood, such as ``imds.provider: aws2``


@dataclass(frozen=True)
class Loss:
    """One ``events_lost`` line, or lines that a heartbeat says were not written."""

    at: datetime.datetime
    reason: str
    count: int
    is_request: bool  # whether requests may be missing for it, or only what became of them


@dataclass(frozen=True)
class Host:
    """Facts about one host, from its lines.

    ``requests`` counts those to AWS by version, ``other_clouds`` the probes for other providers.
    ``key`` is what tells hosts apart: the instance id, else the name. Lines without an instance id
    count for the instance whose boot id they have. ``name`` is the newest of ``names``.
    ``covered`` is when the analyzer was running there, from heartbeats, starts and stops: merged,
    in order, not overlapping. ``boots`` are the boots seen, in order. ``overlap`` is a time in
    which two boots of one name had lines, or two analyzers where there are no boot ids, and no
    instance id tells them apart: two hosts.
    ``instance_id`` where the lines say it. ``probes`` are the kinds of capture (``core/fentry``).
    ``last_v1_at`` and ``last_unknown_at`` are of requests to AWS.
    """

    key: str
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
    boots: tuple[Boot, ...]
    deployed_at: Optional[datetime.datetime]  # the newest start of a process of a unit or container
    probes: tuple[str, ...]
    hop_limit: Optional[int] = None  # of tokens on the host itself, on the last day there were any
    names: tuple[str, ...] = ()
    overlap: Optional[Span] = None
    shortfalls: tuple[Shortfall, ...] = ()
    odd: tuple[Odd, ...] = ()
