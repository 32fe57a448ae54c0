"""Judges what CloudWatch counted. Each rule returns its sentence, or None."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from analyzer.report.cloudwatch.differences import Comparison, Difference
from analyzer.report.formats.wording import at, lasting, listed, number
from analyzer.report.verdict.evidence import Evidence


def unaccounted_calls(of: Evidence) -> Optional[str]:
    """Say which calls AWS counted and the analyzer did not see."""
    missing = of.missing(is_within=True, is_covered=True)
    if not missing:
        return None
    return (
        f"AWS counted {_calls(missing)} without a token that were not recorded, though the"
        f" analyzer was running: {_periods(missing)}. Another instance's figures, or a caller"
        " that the analyzer cannot see: run `imds-analyzer doctor` there"
    )


def unwatched_calls(of: Evidence) -> Optional[str]:
    """Say which calls AWS counted while nobody watched."""
    missing = of.missing(is_within=True, is_covered=False)
    if not missing:
        return None
    return (
        f"AWS counted {_calls(missing)} without a token while the analyzer was not running:"
        f" {_periods(missing)}. Keep the analyzer running to see who it is"
    )


def unaccounted_earlier(of: Evidence) -> Optional[str]:
    """Say which calls from before the period were not seen."""
    missing = of.missing(is_within=False, is_covered=True)
    if not missing:
        return None
    return (
        f"before the period, AWS counted {_calls(missing)} without a token that were not"
        f" recorded, though the analyzer was running: {_periods(missing)}. Run"
        " `imds-analyzer doctor` there"
    )


def partial_figures(of: Evidence) -> Optional[str]:
    """Say that CloudWatch's figures are not whole: this host's own, else all together."""
    if of.comparison is None:
        return None
    account = of.comparison.accounts.get(of.host.key)
    if account is not None:
        own = "CloudWatch's figures of this instance are partial: ask for all of them"
        return own if account.is_partial else None
    return partial(of.comparison) if of.comparison.is_partial else None


def partial(comparison: Comparison) -> str:
    """Say what is missing of CloudWatch's figures."""
    notes = "; ".join(comparison.notes) or "days or instances are missing"
    return f"CloudWatch's figures are partial ({notes}): ask for all of them"


def accounted(of: Evidence) -> Optional[str]:
    """Say that all that AWS counted was recorded: of this host, else of all together.

    A host without figures of its own was compared only if none has any, and nothing is left out.
    """
    if of.comparison is None or partial_figures(of) is not None:
        return None
    if any(each.missing for each in of.comparison.of_host(of.host.key)):
        return None
    account = of.comparison.accounts.get(of.host.key)
    if account is not None:
        return (
            f"all {account.counted} calls without a token that AWS counted of this instance are"
            " accounted for"
        )
    if of.comparison.accounts or not of.comparison.periods:
        return None
    notes = f"; but {of.comparison.notes[0]}" if of.comparison.notes else ""
    return (
        f"all {of.comparison.counted} calls without a token that AWS counted in"
        f" {number(of.comparison.periods, 'period')} are accounted for{notes}"
    )


def _calls(differences: Sequence[Difference]) -> str:
    return number(sum(each.missing for each in differences), "call")


def _periods(differences: Sequence[Difference]) -> str:
    parts = [
        f"{each.missing} in the {lasting(each.period.end - each.period.start)} from"
        f" {at(each.period.start)}"
        for each in differences
    ]
    return listed(parts)
