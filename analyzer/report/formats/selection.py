"""Selects what of a long report is shown in full, what in a row, and what is only counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from analyzer.imds import AWS
from analyzer.report.formats import fleet
from analyzer.report.result import Entry, Judgement, Reason, Report, Verdict

Item = TypeVar("Item")


@dataclass(frozen=True)
class Bounds:
    """Lengths up to which a format lists, before it only counts: as much as a person reads."""

    callers_in_detail: int
    callers_in_rows: int  # behind those in detail, and again for callers with nothing to do
    hosts: int
    commands: int  # of one caller or step
    command_characters: int  # of all of these together: one may name a thousand instances
    differences: int
    text: int  # characters of a name in a row


@dataclass(frozen=True)
class Detail:
    """Lists that the user asked to see in full; by default a report is one page.

    ``steps`` are the commands of every step, not of the first alone. ``by_host`` splits each fix
    by host.
    """

    hosts: bool = False
    callers: bool = False
    steps: bool = False
    by_host: bool = False


BRIEF = Detail()


@dataclass(frozen=True)
class Shown(Generic[Item]):
    """The first items of many, and the number of those left out."""

    items: tuple[Item, ...]
    left_out: int


def first(items: Sequence[Item], limit: int) -> Shown[Item]:
    """Return the first ``limit`` items."""
    return Shown(tuple(items[:limit]), max(0, len(items) - limit))


def commands(every: Sequence[str], bounds: Bounds) -> Shown[str]:
    """Return the first commands that fit, each whole: a part of one must not be run."""
    fitting = 0
    characters = 0
    for command in every[: bounds.commands]:
        characters += len(command)
        if characters > bounds.command_characters:
            break
        fitting += 1
    return first(every, fitting)


def cut(text: str, limit: int) -> str:
    """Return ``text``, with an ellipsis for what is beyond ``limit`` characters."""
    return text if len(text) <= limit else text[: max(0, limit - 1)] + "…"


def open_entries(report: Report) -> tuple[Entry, ...]:
    """Return the callers that are in the way, in the report's order."""
    keys = {each.key for each in fleet.in_the_way(report)}
    return tuple(each for each in report.entries if _is_aws(each) and each.group.key.caller in keys)


def settled_entries(report: Report) -> tuple[Entry, ...]:
    """Return the callers that are not: cleared, IMDSv2 only, or another cloud's probes."""
    open_ones = {id(each) for each in open_entries(report)}
    return tuple(each for each in report.entries if id(each) not in open_ones)


def never_in_the_way(report: Report) -> tuple[Entry, ...]:
    """Return the callers that never had to change: IMDSv2 only, or another cloud's probes."""
    cleared = {each.key for each in fleet.cleared(report)}
    return tuple(
        each
        for each in settled_entries(report)
        if not _is_aws(each) or each.group.key.caller not in cleared
    )


def all_hosts(report: Report) -> tuple[Verdict, ...]:
    """Return the verdicts on all hosts, the ones that are not SAFE first."""
    safe = (each for each in report.host_verdicts if each.judgement is Judgement.SAFE)
    return (*unsafe_hosts(report), *safe)


def unsafe_hosts(report: Report) -> tuple[Verdict, ...]:
    """Return the verdicts on hosts that are not SAFE; those that are NOT SAFE first."""
    others = [each for each in report.host_verdicts if each.judgement is not Judgement.SAFE]
    return tuple(sorted(others, key=lambda each: each.judgement is not Judgement.NOT_SAFE))


def obstacles(verdict: Verdict) -> tuple[Reason, ...]:
    """Return the reasons that keep a verdict from SAFE."""
    return tuple(each for each in verdict.reasons if not _is_remark(each, verdict))


def remarks(verdict: Verdict) -> tuple[Reason, ...]:
    """Return the reasons that change nothing."""
    return tuple(each for each in verdict.reasons if _is_remark(each, verdict))


def _is_remark(reason: Reason, verdict: Verdict) -> bool:
    from analyzer.report.verdict.rules import EFFECTS  # noqa: PLC0415 it imports the words of here

    if verdict.judgement is Judgement.SAFE:
        return True
    return EFFECTS.get(reason.code, verdict.judgement) is Judgement.SAFE


def _is_aws(entry: Entry) -> bool:
    return entry.group.key.provider == AWS
