"""Holds the table of reasons: each code, what it does to a verdict, and the rule that says it.

docs/decide.md has the same table for readers. The worst reason decides on a host, and the worst
host on the whole. More IMDSv1 calls, losses, gaps or damage never make a verdict better. The one
exception: a further call of a caller that is known, if it shows that the caller runs more often,
has stopped, or does not call at boot alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from analyzer.report.result import WORST_FIRST, Judgement, Reason
from analyzer.report.verdict import accounts, callers, coverage, dormant, lines, named, remarks
from analyzer.report.verdict.evidence import Evidence

_SAFE = Judgement.SAFE
_NOT_SAFE = Judgement.NOT_SAFE
_NOT_ENOUGH = Judgement.NOT_ENOUGH_EVIDENCE

# From the best to the worst.
ORDER = WORST_FIRST[::-1]


@dataclass(frozen=True)
class Rule:
    """Meaning of a code. ``maybe_say`` returns None if the rule does not apply.

    ``effect`` SAFE makes it a remark. Without ``maybe_say`` it is of the whole only: whole.py
    says it.
    """

    code: str
    effect: Judgement
    maybe_say: Optional[Callable[[Evidence], Optional[str]]] = None


RULES: tuple[Rule, ...] = (
    Rule("v1_calls", _NOT_SAFE, callers.v1_calls),
    Rule("v1_rejected", _NOT_SAFE, callers.v1_rejected),
    Rule("unaccounted_calls", _NOT_SAFE, accounts.unaccounted_calls),
    Rule("unwatched_calls", _NOT_SAFE, accounts.unwatched_calls),
    Rule("counted_unwatched", _NOT_SAFE),
    Rule("no_lines", _NOT_ENOUGH),
    Rule("incomplete_account", _NOT_ENOUGH),
    Rule("uncovered_hosts", _NOT_ENOUGH),
    Rule("old_snapshot", _NOT_ENOUGH),
    Rule("later_snapshot", _NOT_ENOUGH),
    Rule("unwatched_instances", _NOT_ENOUGH),
    Rule("damaged_input", _NOT_ENOUGH, lines.damaged_input),
    Rule("unread_files", _NOT_ENOUGH, lines.unread_files),
    Rule("ambiguous_host", _NOT_ENOUGH, lines.ambiguous_host),
    Rule("found_by_name", _NOT_ENOUGH, named.found_by_name),
    Rule("clock_ahead", _NOT_ENOUGH, lines.clock_ahead),
    Rule("impossible_time", _NOT_ENOUGH, lines.impossible_time),
    Rule("not_understood", _NOT_ENOUGH, lines.not_understood),
    Rule("unnamed_capture", _NOT_ENOUGH, lines.unnamed_capture),
    Rule("old_log", _NOT_ENOUGH, lines.old_log),
    Rule("not_covered", _NOT_ENOUGH, coverage.not_covered),
    Rule("short", _NOT_ENOUGH, coverage.short),
    Rule("gaps", _NOT_ENOUGH, coverage.gaps),
    Rule("recurring_gap", _NOT_ENOUGH, coverage.recurring_gap),
    Rule("silent", _NOT_ENOUGH, coverage.silent),
    Rule("lost_events", _NOT_ENOUGH, lines.lost_events),
    Rule("missing_lines", _NOT_ENOUGH, lines.missing_lines),
    Rule("unknown_versions", _NOT_ENOUGH, lines.unknown_versions),
    Rule("no_requests", _NOT_ENOUGH, lines.no_requests),
    Rule("recent_boot", _NOT_ENOUGH, remarks.recent_boot),
    Rule("rare_caller", _NOT_ENOUGH, callers.rare_caller),
    Rule("boot_caller", _NOT_ENOUGH, callers.boot_caller),
    Rule("dormant_code", _NOT_ENOUGH, dormant.dormant_code),
    Rule("not_scanned", _NOT_ENOUGH, dormant.not_scanned),
    Rule("gone_callers", _NOT_ENOUGH),
    Rule("counted_stopped", _NOT_ENOUGH),
    Rule("unaccounted_earlier", _NOT_ENOUGH, accounts.unaccounted_earlier),
    Rule("left_out", _SAFE),
    Rule("less_silence", _SAFE, callers.less_silence),
    Rule("only_logged", _SAFE),
    Rule("incomplete_facts", _SAFE),
    Rule("snapshot_before_end", _SAFE),
    Rule("later_instances", _SAFE),
    Rule("before_enforcement", _SAFE),
    Rule("dormant", _SAFE, dormant.dormant),
    Rule("accepted", _SAFE, callers.accepted),
    Rule("mended", _SAFE, callers.mended),
    Rule("stopped_calling", _SAFE, callers.stopped_calling),
    Rule("gone", _SAFE),
    Rule("young", _SAFE, coverage.young),
    Rule("off", _SAFE, coverage.was_off),
    Rule("small_gaps", _SAFE, coverage.small_gaps),
    Rule("closed_by_cloudwatch", _SAFE, coverage.closed_by_cloudwatch),
    Rule("lost_answers", _SAFE, lines.lost_answers),
    Rule("recent_deployment", _SAFE, remarks.recent_deployment),
    Rule("no_boot_seen", _SAFE, remarks.no_boot_seen),
    Rule("boot_seen", _SAFE, remarks.boot_seen),
    Rule("no_month_start", _SAFE, remarks.no_month_start),
    Rule("blind_spots", _SAFE, remarks.blind_spots),
    Rule("partial_figures", _SAFE, accounts.partial_figures),
    Rule("accounted", _SAFE, accounts.accounted),
)

# What each code does to a verdict; SAFE is a remark.
EFFECTS = {rule.code: rule.effect for rule in RULES}


def reasons(of: Evidence) -> tuple[Reason, ...]:
    """Return the reasons of one host, the gravest first."""
    said = ((rule.code, rule.maybe_say(of)) for rule in RULES if rule.maybe_say is not None)
    return tuple(Reason(code, text) for code, text in said if text is not None)


def judgement(found: Sequence[Reason]) -> Judgement:
    """Return what reasons make of a verdict: the worst decides."""
    return max((EFFECTS[each.code] for each in found), key=ORDER.index, default=_SAFE)


def against(found: Sequence[Reason]) -> tuple[Reason, ...]:
    """Return the reasons that keep a verdict from SAFE."""
    return tuple(each for each in found if EFFECTS[each.code] is not _SAFE)
