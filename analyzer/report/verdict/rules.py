"""Decides whether IMDSv1 may be switched off, for each host and for all; the worst host decides.

The period is the last seven days (``--period``) before the last line of the whole input. Where a
caller used v1 more rarely, the window that must have been watched is longer: its longest time
between two calls, and a day.

| code                | effect              | when                                                |
|---------------------|---------------------|-----------------------------------------------------|
| v1_calls            | NOT SAFE            | tokenless calls to AWS within the period            |
| v1_rejected         | NOT SAFE            | the same, all refused: callers that fail already    |
| unaccounted_calls   | NOT SAFE            | AWS counted calls in it that were not recorded      |
| unwatched_calls     | NOT SAFE            | the same, while the analyzer was not running        |
| no_lines            | NOT ENOUGH EVIDENCE | no line of any host                                 |
| damaged_input       | NOT ENOUGH EVIDENCE | lines that could not be read, of whichever host     |
| clock_ahead         | NOT ENOUGH EVIDENCE | lines from the future                               |
| unnamed_capture     | NOT ENOUGH EVIDENCE | replayed packets of a host that nobody named        |
| old_log             | NOT ENOUGH EVIDENCE | the last line is more than a day old                |
| not_covered         | NOT ENOUGH EVIDENCE | the analyzer's heartbeats cover none of the window  |
| short               | NOT ENOUGH EVIDENCE | they begin too late (more than 1 % of the window)   |
| gaps                | NOT ENOUGH EVIDENCE | they have gaps (more than 1 % of the window)        |
| silent              | NOT ENOUGH EVIDENCE | they end too early (more than 1 % of the window)    |
| lost_events         | NOT ENOUGH EVIDENCE | requests may be missing: lost, or not written       |
| unknown_versions    | NOT ENOUGH EVIDENCE | requests within the period that could not be read   |
| no_requests         | NOT ENOUGH EVIDENCE | no request at all: does capturing work?             |
| recent_boot         | NOT ENOUGH EVIDENCE | booted less than an hour before the end             |
| rare_caller         | NOT ENOUGH EVIDENCE | a rare caller's next v1 call may still come         |
| boot_caller         | NOT ENOUGH EVIDENCE | called v1 on days of a boot only; no boot since     |
| unaccounted_earlier | NOT ENOUGH EVIDENCE | as unaccounted_calls, but before the period         |
| stopped_calling     | remark              | used v1 before the period, and no longer            |
| small_gaps          | remark              | gaps of less than 1 % of the window                 |
| lost_answers        | remark              | outcomes or callers of requests may be missing      |
| recent_deployment   | remark              | a service's process started in the last day         |
| no_boot_seen        | remark              | no reboot: callers at boot have not been seen       |
| boot_seen           | remark              | the last reboot that was seen                       |
| accounted           | remark              | all that AWS counted is accounted for               |

Other clouds' probes never count. A reboot within the period is good evidence, as callers at boot
were seen; that there was none is only a remark, because servers run for months, and a caller that
is known to use v1 at boot has a rule of its own. So has no deployment: a job that a timer starts
looks like one. More v1 calls, losses, gaps or damage never make a verdict better; the one
exception is a call before the period that shows a rare caller to be less rare than it seemed, or
not to call at boot alone.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from analyzer.report.findings import Findings, Span
from analyzer.report.result import Acceptance, Comparison, Judgement, Reason, Roster, Verdict
from analyzer.report.verdict import calls, coverage
from analyzer.report.verdict.evidence import Evidence, evidence_of

_SAFE = Judgement.SAFE
_NOT_SAFE = Judgement.NOT_SAFE
_NOT_ENOUGH = Judgement.NOT_ENOUGH_EVIDENCE

# How long a caller must be silent of which one call is known: longer than the longest month.
RARE = datetime.timedelta(days=35)

# From the best to the worst.
ORDER = (_SAFE, _NOT_ENOUGH, _NOT_SAFE)


@dataclass(frozen=True)
class Rule:
    """What a code means; ``maybe_say`` returns None where it does not apply.

    ``effect`` SAFE makes it a remark.
    """

    code: str
    effect: Judgement
    maybe_say: Callable[[Evidence], Optional[str]]


RULES: tuple[Rule, ...] = (
    Rule("v1_calls", _NOT_SAFE, calls.v1_calls),
    Rule("v1_rejected", _NOT_SAFE, calls.v1_rejected),
    Rule("unaccounted_calls", _NOT_SAFE, calls.unaccounted_calls),
    Rule("unwatched_calls", _NOT_SAFE, calls.unwatched_calls),
    Rule("damaged_input", _NOT_ENOUGH, calls.damaged_input),
    Rule("clock_ahead", _NOT_ENOUGH, calls.clock_ahead),
    Rule("unnamed_capture", _NOT_ENOUGH, calls.unnamed_capture),
    Rule("old_log", _NOT_ENOUGH, calls.old_log),
    Rule("not_covered", _NOT_ENOUGH, coverage.not_covered),
    Rule("short", _NOT_ENOUGH, coverage.short),
    Rule("gaps", _NOT_ENOUGH, coverage.gaps),
    Rule("silent", _NOT_ENOUGH, coverage.silent),
    Rule("lost_events", _NOT_ENOUGH, calls.lost_events),
    Rule("unknown_versions", _NOT_ENOUGH, calls.unknown_versions),
    Rule("no_requests", _NOT_ENOUGH, calls.no_requests),
    Rule("recent_boot", _NOT_ENOUGH, calls.recent_boot),
    Rule("rare_caller", _NOT_ENOUGH, calls.rare_caller),
    Rule("boot_caller", _NOT_ENOUGH, calls.boot_caller),
    Rule("unaccounted_earlier", _NOT_ENOUGH, calls.unaccounted_earlier),
    Rule("stopped_calling", _SAFE, calls.stopped_calling),
    Rule("small_gaps", _SAFE, coverage.small_gaps),
    Rule("lost_answers", _SAFE, calls.lost_answers),
    Rule("recent_deployment", _SAFE, calls.recent_deployment),
    Rule("no_boot_seen", _SAFE, calls.no_boot_seen),
    Rule("boot_seen", _SAFE, calls.boot_seen),
    Rule("accounted", _SAFE, calls.accounted),
)

# What each code does to a verdict; SAFE is a remark.
EFFECTS = {"no_lines": _NOT_ENOUGH, **{each.code: each.effect for each in RULES}}

# These say of all hosts the same, so the whole need not say of which.
_OF_ALL = frozenset(
    ("unaccounted_calls", "unwatched_calls", "damaged_input", "old_log", "unaccounted_earlier",
     "accounted")
)  # fmt: skip


def judge_hosts(
    findings: Findings,
    period: datetime.timedelta,
    now: datetime.datetime,
    comparison: Optional[Comparison] = None,
    *,
    roster: Optional[Roster] = None,  # noqa: ARG001 (the contract)
    accepted: Sequence[Acceptance] = (),  # noqa: ARG001
    rare: datetime.timedelta = RARE,  # noqa: ARG001
) -> tuple[Verdict, tuple[Verdict, ...]]:
    """Return the verdict on the whole, and one for each host in the order of the findings."""
    evidence = evidence_of(findings, period, now, comparison)
    if not evidence:
        return _without_lines(findings), ()
    found = [(each, _reasons(each)) for each in evidence]
    hosts = tuple(
        Verdict(
            each.host.key,
            _judgement(reasons),
            reasons,
            each.window,
            each.covered_s,
            each.host.name,
        )
        for each, reasons in found
    )
    whole = _whole(found)
    window = Span(min(each.window.start for each in evidence), evidence[0].window.end)
    covered_s = min(each.covered_s for each in evidence)
    return Verdict(None, _judgement(whole), whole, window, covered_s), hosts


def _reasons(evidence: Evidence) -> tuple[Reason, ...]:
    said = ((each.code, each.maybe_say(evidence)) for each in RULES)
    return tuple(Reason(code, text) for code, text in said if text is not None)


def _judgement(reasons: Sequence[Reason]) -> Judgement:
    return max((EFFECTS[each.code] for each in reasons), key=ORDER.index, default=_SAFE)


def _whole(found: Sequence[tuple[Evidence, tuple[Reason, ...]]]) -> tuple[Reason, ...]:
    """Return each reason that a host has, once, and of how many hosts it is one."""
    merged = []
    for rule in RULES:
        having = [
            (evidence, reason.text)
            for evidence, reasons in found
            for reason in reasons
            if reason.code == rule.code
        ]
        if not having:
            continue
        if len(found) == 1 or rule.code in _OF_ALL:
            text = having[0][1]
        elif rule.code == "v1_calls":
            text = calls.callers_of_hosts([each for each, _ in having], len(found))
        else:
            text = calls.of_hosts([each for each, _ in having], len(found), having[0][1])
        merged.append(Reason(rule.code, text))
    return tuple(merged)


def _without_lines(findings: Findings) -> Verdict:
    reasons = [Reason("no_lines", calls.no_lines(findings))]
    if findings.damaged:
        reasons.append(Reason("damaged_input", calls.damage(findings.damaged)))
    return Verdict(None, _NOT_ENOUGH, tuple(reasons), None, 0.0)
