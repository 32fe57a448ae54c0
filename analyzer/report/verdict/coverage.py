"""What the rules on time watched say: a sentence, or None where a rule does not apply."""

from __future__ import annotations

import datetime
from typing import Optional

from analyzer.report.formats.wording import at, lasting, number
from analyzer.report.verdict.evidence import Evidence


def not_covered(of: Evidence) -> Optional[str]:
    """Say that nothing of the window was watched."""
    if of.covered_s > 0:
        return None
    return "no heartbeat of the analyzer is in the window, so it is unknown whether it was running"


def short(of: Evidence) -> Optional[str]:
    """Say that watching began too late."""
    leading_s = sum(each.seconds for each in of.uncovered if each.start == of.window.start)
    if of.covered_s <= 0 or leading_s <= of.tolerance_s:
        return None
    whole = lasting(of.window.end - of.window.start)
    watched = lasting(datetime.timedelta(seconds=of.window.seconds - leading_s))
    return f"watched for {watched} of the {whole} that are judged; --period asks for less"


def gaps(of: Evidence) -> Optional[str]:
    """Say that watching was interrupted too long, or not long enough in all."""
    if of.covered_s <= 0:
        return None
    inner = [
        each for each in of.uncovered if each.start != of.window.start and each.end != of.window.end
    ]
    is_long = sum(each.seconds for each in inner) > of.tolerance_s
    is_sum = sum(each.seconds for each in of.uncovered) > of.tolerance_s
    if not is_long and (not is_sum or short(of) is not None or silent(of) is not None):
        return None
    said = inner if is_long else of.uncovered
    gone = lasting(datetime.timedelta(seconds=sum(each.seconds for each in said)))
    longest = max(said, key=lambda each: each.seconds)
    return (
        f"not watched for {gone} in {number(len(said), 'gap')}, the longest from"
        f" {at(longest.start)} to {at(longest.end)}"
    )


def silent(of: Evidence) -> Optional[str]:
    """Say that watching ended too early."""
    trailing = [each for each in of.uncovered if each.end == of.window.end]
    if of.covered_s <= 0 or sum(each.seconds for each in trailing) <= of.tolerance_s:
        return None
    return (
        f"not watched since {at(trailing[-1].start)}: if the instance is gone, leave its files"
        " out; else see why the analyzer stopped"
    )


def small_gaps(of: Evidence) -> Optional[str]:
    """Say that watching was interrupted a little."""
    gone_s = sum(each.seconds for each in of.uncovered)
    if not 0 < gone_s <= of.tolerance_s:
        return None
    gone = lasting(datetime.timedelta(seconds=gone_s))
    return f"not watched for {gone}, in {number(len(of.uncovered), 'gap')}"
