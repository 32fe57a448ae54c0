"""Defines the findings that an engine takes out of log lines, the same from every engine.

All are immutable. Times are aware datetimes in UTC. :mod:`analyzer.report.callers` and
:mod:`analyzer.report.hosts` have the facts about each caller and each host.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional

from analyzer.report.callers import Group, Sighting
from analyzer.report.hosts import Host

# Damaged lines that a report lists; all are counted.
DAMAGE_LISTED_MAX = 20


@dataclass(frozen=True)
class Bucket:
    """The requests to AWS in ``bucket_s`` seconds from ``start`` on, by version."""

    start: datetime.datetime
    requests: Mapping[str, int]
    tokenless_success: int  # v1 that IMDS answered with success: CloudWatch's MetadataNoToken
    tokenless_rejected: int  # v1 that was refused: MetadataNoTokenRejected
    tokenless_unanswered: int  # v1 of which no answer is known


@dataclass(frozen=True)
class Tokenless:
    """The calls without a token of one host in ``bucket_s`` seconds from ``start`` on.

    To whichever cloud they are: AWS counts them all. ``uncertain`` are those that it may have
    counted: no answer is known, the answer was an error, or another cloud's probe was refused.
    """

    start: datetime.datetime
    success: int = 0  # MetadataNoToken
    rejected: int = 0  # MetadataNoTokenRejected
    uncertain: int = 0


@dataclass(frozen=True)
class Damage:
    """A line, or a file from there on, that could not be read. ``line`` counts from 1."""

    file: str
    line: Optional[int]
    problem: str


@dataclass(frozen=True)
class Findings:
    """Everything that an engine found in its input.

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
    sightings: tuple[Sighting, ...] = ()
    # Callers of the sightings on hosts where they never called IMDSv1: only ``v2`` is filled.
    successors: tuple[Sighting, ...] = ()
    # By Host.key, in the order of time; only where a period was asked for (`--against`).
    tokenless: Mapping[str, tuple[Tokenless, ...]] = field(default_factory=dict)
    unread: tuple[Damage, ...] = ()  # files of the input that were not read, and why
    left_out: Mapping[str, int] = field(
        default_factory=dict
    )  # IMDSv1 calls after `--until`, by host

    @property
    def first_at(self) -> Optional[datetime.datetime]:
        """The first line's time; None where there is no host."""
        return min((each.first_at for each in self.hosts), default=None)

    @property
    def last_at(self) -> Optional[datetime.datetime]:
        """The last line's time; None where there is no host."""
        return max((each.last_at for each in self.hosts), default=None)
