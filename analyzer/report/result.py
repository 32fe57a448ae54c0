"""Defines the report: findings with their diagnosis, the verdict, and what to do next.

All are immutable; ``formats`` shows them and adds nothing.
"""

from __future__ import annotations

import datetime
import enum
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Optional

from analyzer.report.findings import Findings, Group, Span
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
class Instance:
    """An instance of the roster (``aws ec2 describe-instances``, or a list of names and ids).

    ``state`` is EC2's (``running``, ``stopped``, ``terminated``, ...); None where a list says
    nothing. ``group`` is the Auto Scaling group, else None. ``http_tokens`` is ``optional`` or
    ``required``. ``name`` is the Name tag, else the private DNS name; ``names`` are all names
    that its host may have. ``account`` is the id of its AWS account, where that is known.
    """

    id: Optional[str]
    name: Optional[str]
    state: Optional[str] = None
    group: Optional[str] = None
    template: Optional[str] = None  # launch template id
    template_version: Optional[str] = None
    image: Optional[str] = None  # AMI id
    owner: Optional[str] = None
    launched_at: Optional[datetime.datetime] = None
    http_tokens: Optional[str] = None
    hop_limit: Optional[int] = None
    host: Optional[str] = None  # key of the host whose log this is, where there is one
    names: tuple[str, ...] = ()
    region: Optional[str] = None
    account: Optional[str] = None
    http_endpoint: Optional[str] = None  # "disabled": there is no IMDS at all
    tags: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def is_running(self) -> bool:
        """True if it should be watched: it runs, or may be running."""
        return self.state not in ("stopping", "stopped", "shutting-down", "terminated")

    @property
    def is_gone(self) -> bool:
        """True if it was terminated: it can no longer be changed."""
        return self.state in ("terminated", "shutting-down")

    @property
    def is_switched(self) -> bool:
        """True if IMDS requires tokens there already, or is disabled."""
        return self.http_tokens == "required" or self.http_endpoint == "disabled"


@dataclass(frozen=True)
class Roster:
    """The instances that there are, joined with the hosts of the log."""

    source: str
    instances: tuple[Instance, ...]

    @property
    def running(self) -> tuple[Instance, ...]:
        """The instances that should be watched."""
        return tuple(each for each in self.instances if each.is_running)

    @property
    def unwatched(self) -> tuple[Instance, ...]:
        """The running instances without a log."""
        return tuple(each for each in self.running if each.host is None)


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
class Difference:
    """One period of CloudWatch's: what AWS counted, and what was recorded of it.

    ``recorded`` counts tokenless requests that succeeded (or were rejected, as ``metric`` says),
    ``unanswered`` those that AWS may have counted, too: no answer was seen, the answer was an
    error, or another cloud's probe was refused.
    """

    metric: str
    period: Span
    counted: int
    recorded: int
    unanswered: int
    is_covered: bool  # whether the analyzer was running all of the time
    host: Optional[str] = None  # key of the host whose figures these are; None: of all of them

    @property
    def missing(self) -> int:
        """The calls that AWS counted and the log cannot account for."""
        return max(0, self.counted - self.recorded - self.unanswered)


@dataclass(frozen=True)
class Account:
    """AWS's count for one host, by its own figures, and the recorded count.

    ``is_partial`` tells that some of its figures are missing.
    """

    counted: int
    recorded: int
    is_partial: bool


@dataclass(frozen=True)
class Comparison:
    """The comparison with CloudWatch. ``differences`` are the periods that do not agree."""

    periods: int
    counted: int
    recorded: int
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()
    # Of each host with figures of its own: when AWS counted, with no call without a token.
    silent: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    is_partial: bool = False  # figures are missing: NextToken, PartialData, days or instances
    # By key, the hosts with figures of their own. Others are compared only if figures name none.
    accounts: Mapping[str, Account] = field(default_factory=dict)

    def of_host(self, host: str) -> tuple[Difference, ...]:
        """Return the differences of a host, and those that may be of any, in their order."""
        of_any, own = self._by_host.get(None, ()), self._by_host.get(host, ())
        if not of_any or not own:
            return own or of_any
        return tuple(sorted((*of_any, *own), key=lambda each: each.period.start))

    @functools.cached_property
    def _by_host(self) -> Mapping[Optional[str], tuple[Difference, ...]]:
        """The differences by host: a fleet has too many to look through them for each host."""
        found: dict[Optional[str], list[Difference]] = {}
        for each in self.differences:
            found.setdefault(each.host, []).append(each)
        return {host: tuple(several) for host, several in found.items()}


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
