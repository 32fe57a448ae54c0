"""Defines what snapshots and log say together: sets of instances, and what is made anew with v1."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Optional, Union

from analyzer.account.model import Failure, Period

if TYPE_CHECKING:
    from analyzer.report.roster.instances import Instance


class Kind(enum.Enum):
    """A set of instances. The value is what programs read. An instance is in the first that fits.

    The order is that of a reader: the worst first.
    """

    V1_UNWATCHED = "v1_unwatched"  # AWS counted calls without a token, and there is no log
    V1_WATCHED = "v1_watched"  # the log has callers that are in the way, or AWS counted more
    UNKNOWN = "unknown"  # no log, and no whole figures: nothing is known
    QUIET = "quiet_unwatched"  # v1 is allowed, no log, and AWS counted no call
    UNDECIDED = "watched_undecided"  # watched, no v1 seen, and not enough evidence
    SAFE = "watched_safe"
    REQUIRED = "required"  # refuses v1 already, or has no IMDS; nobody is refused
    OFF = "not_running"


@dataclass(frozen=True)
class Member:
    """An instance of a set.

    ``calls`` and ``rejected`` are AWS's counts of calls without a token over the snapshot's period,
    None where it was not asked. ``callers`` are the keys of the callers in the way there.
    """

    instance: Instance
    calls: Optional[int] = None
    rejected: Optional[int] = None
    last_at: Optional[datetime.datetime] = None
    callers: tuple[str, ...] = ()
    is_managed: Optional[bool] = None  # by Systems Manager
    platform: Optional[str] = None

    @property
    def tokenless(self) -> int:
        """All calls without a token, answered or refused."""
        return (self.calls or 0) + (self.rejected or 0)


@dataclass(frozen=True)
class InstanceSet:
    """The instances of one kind: the most calls first."""

    kind: Kind
    members: tuple[Member, ...]

    @property
    def calls(self) -> int:
        """AWS's count of answered calls without a token."""
        return sum(each.calls or 0 for each in self.members)

    @property
    def rejected(self) -> int:
        """AWS's count of refused calls without a token."""
        return sum(each.rejected or 0 for each in self.members)


@dataclass(frozen=True)
class Source:
    """A source of new instances that launches with v1, or may: ``reason`` says why.

    ``kind`` is ``launch template``, ``launch configuration``, ``Auto Scaling group``,
    ``EC2 Fleet``, ``Spot Fleet request`` or ``account default``. ``is_certain`` is False where
    facts are missing. ``id`` and ``version`` are a template's, ``options`` the metadata options
    that this version sets, in EC2's words, ``latest`` and ``latest_options`` those of the latest
    version. ``groups`` and ``fleets`` are those that
    launch it, ``pinned_by`` those groups that name this version by its number, and nothing else.
    ``notes`` say what holds launches up.
    """

    kind: str
    account: str
    region: str
    name: str
    reason: str
    is_certain: bool
    id: Optional[str] = None
    version: Optional[int] = None
    is_default: bool = False  # whether the template's default version is this one
    latest: Optional[int] = None
    options: Mapping[str, Union[str, int]] = field(default_factory=dict)
    latest_options: Mapping[str, Union[str, int]] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    fleets: tuple[str, ...] = ()
    pinned_by: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    owner: Optional[str] = None


@dataclass(frozen=True)
class Inventory:
    """The facts of all accounts. ``metrics`` is the period that CloudWatch was asked for."""

    sources: tuple[str, ...]
    taken_at: datetime.datetime  # of the oldest snapshot
    metrics: Optional[Period]
    accounts: int
    regions: int
    sets: tuple[InstanceSet, ...]
    launches: tuple[Source, ...]
    failures: tuple[Failure, ...] = ()
    later: tuple[str, ...] = ()  # hosts that no snapshot has and that ran after it: Host.key
    names: Mapping[str, str] = field(default_factory=dict)  # of accounts, by id

    def of(self, kind: Kind) -> InstanceSet:
        """Return one set; it may be empty."""
        return next(each for each in self.sets if each.kind is kind)

    @property
    def days(self) -> Optional[int]:
        """The number of whole days that CloudWatch was asked for."""
        return None if self.metrics is None else (self.metrics.end - self.metrics.start).days
