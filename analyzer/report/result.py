"""Defines the report: findings with their diagnosis, the verdict, and what to do next.

All are immutable; ``formats`` shows them and adds nothing.
"""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from analyzer.report.callers import Group
from analyzer.report.cloudwatch.differences import Comparison
from analyzer.report.findings import Findings
from analyzer.report.hosts import Span
from analyzer.report.roster.instances import Roster
from analyzer.report.targets import Target

if TYPE_CHECKING:
    from analyzer.report.account.inventory import Inventory


class Cause(enum.Enum):
    """Reason why a group calls. Formats for programs print the value."""

    FORGERY = "request_forgery"  # possibly asked for somebody else (SSRF): an incident
    V2_ONLY = "v2_only"  # nothing to do
    MENDED = "mended"  # used v1, and speaks v2 since
    OLD_SDK = "old_sdk"  # cannot speak v2 at this version
    FALLBACK = "fallback"  # speaks v2, but its token request failed first
    CONFIGURED_V1 = "configured_v1"  # can speak v2, and was told or left not to
    SCRIPT = "script"  # curl, wget or the like, called by hand or by a script
    PROXY = "proxy"  # forwards the calls of others
    PROBE = "probe"  # asks for `/` alone, to see which cloud this is
    OTHER_CLOUD = "other_cloud"  # asks for another cloud: harmless
    UNREADABLE = "unreadable"  # only requests of unknown version
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Diagnosis:
    """Cause of a group's calls, in a sentence, and advice.

    ``client`` and ``version`` are what was recognised, ``needed`` the first version that needs no
    v1. ``advice`` are sentences, ``commands`` text to copy, ``sources`` where the facts come from.
    ``evidence`` are the requests that an incident rests on.
    """

    cause: Cause
    summary: str
    advice: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    client: Optional[str] = None
    version: Optional[str] = None
    needed: Optional[str] = None
    sources: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """A group and its diagnosis; ``targets`` are what has to be changed, the first it counts for.

    It has none where nothing has to be.
    """

    group: Group
    diagnosis: Diagnosis
    targets: tuple[Target, ...] = ()
    owner: Optional[str] = None  # whose it is wherever it runs, by a pattern or a label of its pods

    @property
    def is_incident(self) -> bool:
        """True if it comes before all upgrades."""
        return self.diagnosis.cause is Cause.FORGERY


class Judgement(enum.Enum):
    """Verdict on the question of whether IMDSv1 can be switched off."""

    SAFE = "SAFE"
    NOT_SAFE = "NOT SAFE"
    NOT_ENOUGH_EVIDENCE = "NOT ENOUGH EVIDENCE"


WORST_FIRST = (Judgement.NOT_SAFE, Judgement.NOT_ENOUGH_EVIDENCE, Judgement.SAFE)


@dataclass(frozen=True)
class Reason:
    """One reason of a verdict. ``code`` is stable, for programs; ``text`` is a sentence."""

    code: str
    text: str


class Standing(enum.Enum):
    """Effect on a host's verdict of a caller that used IMDSv1 there."""

    CALLS = "calls"  # used IMDSv1 within the period
    REJECTED = "rejected"  # the same, and IMDS refused all of it
    DUE = "due"  # silent, but not for as long as it may be between two calls
    AWAITS_BOOT = "awaits_boot"  # calls at boot, and no boot since was watched from its start
    SPEAKS_V2 = "speaks_v2"  # cleared: IMDSv2 since
    SILENT = "silent"  # cleared: silent for longer than ever before
    BOOTED = "booted"  # cleared: a boot since was watched from its start
    ACCEPTED = "accepted"  # somebody decided that it does not matter


# The worst first: what breaks, what may, what somebody decided, what no longer counts.
STANDINGS = (
    Standing.CALLS,
    Standing.REJECTED,
    Standing.DUE,
    Standing.AWAITS_BOOT,
    Standing.ACCEPTED,
    Standing.SPEAKS_V2,
    Standing.BOOTED,
    Standing.SILENT,
)
CLEARED = frozenset({Standing.SPEAKS_V2, Standing.SILENT, Standing.BOOTED, Standing.ACCEPTED})


@dataclass(frozen=True)
class Acceptance:
    """A decision of the user's that a caller does not matter, out of ``--accept FILE``.

    ``caller`` is matched as a whole with :attr:`Key.caller` or the program, ``hosts`` (instance
    ids, names or groups; empty is all). It ends at ``until``.
    """

    caller: str
    by: str
    why: str
    until: datetime.date
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class CallerStanding:
    """A caller that used IMDSv1 on one host (or on a former instance of its group).

    ``interval`` is the longest known time between two of its calls, None with one sighting.
    ``since`` is when it was first seen to call IMDSv2 after its last IMDSv1 call, for
    ``SPEAKS_V2``. ``safe_on`` is when it no longer stands in the way if it does not call IMDSv1
    again; None where it does not now, or only a boot or a change can clear it. ``former`` is the
    instance of the group that it was seen on, where that is not this one.
    """

    caller: str
    host: str
    standing: Standing
    calls: int
    last_v1_at: datetime.datetime
    interval: Optional[datetime.timedelta] = None
    since: Optional[datetime.datetime] = None
    safe_on: Optional[datetime.datetime] = None
    accepted: Optional[Acceptance] = None
    former: Optional[str] = None


@dataclass(frozen=True)
class GroupVerdict:
    """The verdict on the instances of one Auto Scaling group, launch template or AMI.

    ``launches`` are boots that were watched from the start, ``watched_s`` is how long at least
    one of its instances was watched within the window.
    """

    name: str
    kind: str  # "Auto Scaling group", "launch template" or "AMI"
    judgement: Judgement
    hosts: tuple[str, ...]
    running: int
    unwatched: int
    launches: int
    watched_s: float


@dataclass(frozen=True)
class Verdict:
    """A judgement over ``window``, with the reasons for it, the gravest first.

    ``host`` is :attr:`Host.key`, None for the whole; ``name`` is what to show. ``covered_s`` is
    how much of the window was watched. ``callers`` are those that used IMDSv1 there, in the
    log's time. ``safe_on`` is when this becomes SAFE if nothing calls IMDSv1 and all is watched
    until then; None where it is SAFE, or where no time alone makes it so.
    """

    host: Optional[str]
    judgement: Judgement
    reasons: tuple[Reason, ...]
    window: Optional[Span]
    covered_s: float
    name: Optional[str] = None
    callers: tuple[CallerStanding, ...] = ()
    safe_on: Optional[datetime.datetime] = None
    group: Optional[str] = None  # name of the GroupVerdict that it belongs to


@dataclass(frozen=True)
class Step:
    """An action to take next: the reason, and the commands or the policy to copy."""

    title: str
    why: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """The complete result, as formats render it."""

    generated_at: datetime.datetime
    analyzer_version: str
    findings: Findings
    entries: tuple[Entry, ...]
    verdict: Verdict
    host_verdicts: tuple[Verdict, ...]
    steps: tuple[Step, ...]
    comparison: Optional[Comparison] = None
    roster: Optional[Roster] = None
    groups: tuple[GroupVerdict, ...] = ()
    accepted: tuple[Acceptance, ...] = ()
    inventory: Optional[Inventory] = None  # only with snapshots of accounts
    owner: Optional[str] = None  # of whom a part of a report is; "" is nobody
    shared: tuple[Entry, ...] = ()  # in the way in this part, and listed in another

    @property
    def incidents(self) -> tuple[Entry, ...]:
        """The callers whose requests somebody else may have made."""
        return tuple(each for each in self.entries if each.is_incident)
