"""Defines the report: findings with their diagnosis, the verdict, and what to do next.

All are immutable; ``formats`` shows them and adds nothing.
"""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass
from typing import Optional

from analyzer.report.findings import Findings, Group, Span


class Cause(enum.Enum):
    """Why a group calls as it does. The value is what formats for programs say."""

    V2_ONLY = "v2_only"  # nothing to do
    OLD_SDK = "old_sdk"  # cannot speak v2 at this version
    FALLBACK = "fallback"  # speaks v2, but its token request failed first
    CONFIGURED_V1 = "configured_v1"  # can speak v2, and was told or left not to
    SCRIPT = "script"  # curl, wget or the like, called by hand or by a script
    PROXY = "proxy"  # forwards the calls of others
    OTHER_CLOUD = "other_cloud"  # asks for another cloud: harmless
    UNREADABLE = "unreadable"  # only requests of unknown version
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Diagnosis:
    """Why, in a sentence, and what to do.

    ``client`` and ``version`` are what was recognised, ``needed`` the first version that needs no
    v1. ``advice`` are sentences, ``commands`` text to copy, ``sources`` where the facts come from.
    """

    cause: Cause
    summary: str
    advice: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    client: Optional[str] = None
    version: Optional[str] = None
    needed: Optional[str] = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """A group and its diagnosis."""

    group: Group
    diagnosis: Diagnosis


class Judgement(enum.Enum):
    """Whether IMDSv1 may be switched off."""

    SAFE = "SAFE"
    NOT_SAFE = "NOT SAFE"
    NOT_ENOUGH_EVIDENCE = "NOT ENOUGH EVIDENCE"


@dataclass(frozen=True)
class Reason:
    """One reason of a verdict. ``code`` is stable, for programs; ``text`` is a sentence."""

    code: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """A judgement over ``window``, with the reasons for it, the gravest first.

    ``host`` is None for the whole. ``covered_s`` is how much of the window was watched.
    """

    host: Optional[str]
    judgement: Judgement
    reasons: tuple[Reason, ...]
    window: Optional[Span]
    covered_s: float


@dataclass(frozen=True)
class Step:
    """Something to do next: why, and the commands or the policy to copy."""

    title: str
    why: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """One period of CloudWatch's: what AWS counted, and what was recorded of it.

    ``recorded`` counts tokenless requests that succeeded (or were rejected, as ``metric`` says),
    ``unanswered`` those that may have, because no answer was seen.
    """

    metric: str
    period: Span
    counted: int
    recorded: int
    unanswered: int
    is_covered: bool  # whether the analyzer was running all of the time

    @property
    def missing(self) -> int:
        """What AWS counted and the log cannot account for."""
        return max(0, self.counted - self.recorded - self.unanswered)


@dataclass(frozen=True)
class Comparison:
    """The comparison with CloudWatch. ``differences`` are the periods that do not agree."""

    periods: int
    counted: int
    recorded: int
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """Everything that is shown."""

    generated_at: datetime.datetime
    analyzer_version: str
    findings: Findings
    entries: tuple[Entry, ...]
    verdict: Verdict
    host_verdicts: tuple[Verdict, ...]
    steps: tuple[Step, ...]
    comparison: Optional[Comparison] = None
