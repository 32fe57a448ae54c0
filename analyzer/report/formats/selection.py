"""Selects what of a long report is shown in full, what in a row, and what is only counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from analyzer.imds import AWS
from analyzer.report.result import Entry, Judgement, Report, Verdict

Item = TypeVar("Item")


@dataclass(frozen=True)
class Bounds:
    """How much a format shows before it only counts; what a person still reads."""

    callers_in_detail: int
    callers_in_rows: int  # behind those in detail, and again for callers with nothing to do
    hosts: int
    commands: int  # of one caller or step
    command_characters: int  # of all of these together: one may name a thousand instances
    differences: int
    text: int  # characters of a name in a row


@dataclass(frozen=True)
class Detail:
    """What the user asked to see all of; by default a report is one page.

    ``steps`` are the commands of every step, not of the first alone.
    """

    hosts: bool = False
    callers: bool = False
    steps: bool = False


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


def is_open(entry: Entry) -> bool:
    """Whether something has to be done before IMDSv1 can go, or to be looked at."""
    group = entry.group
    return group.key.provider == AWS and bool(group.count("v1") or group.count("unknown"))


def open_entries(report: Report) -> tuple[Entry, ...]:
    """Return the callers that are in the way, in the report's order."""
    return tuple(each for each in report.entries if is_open(each))


def settled_entries(report: Report) -> tuple[Entry, ...]:
    """Return the callers that are not: IMDSv2 only, or another cloud's probes."""
    return tuple(each for each in report.entries if not is_open(each))


def unsafe_hosts(report: Report) -> tuple[Verdict, ...]:
    """Return the verdicts on hosts that are not SAFE; those that are NOT SAFE first."""
    others = [each for each in report.host_verdicts if each.judgement is not Judgement.SAFE]
    return tuple(sorted(others, key=lambda each: each.judgement is not Judgement.NOT_SAFE))
