"""Defines the result of a check, and how much it matters for the probe in use."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple, Optional

EVERY_PROBE = "*"


class Level(enum.Enum):
    """The severity of a finding."""

    OK = "ok"
    INFO = "info"  # not there, and not needed; or could not be learned
    WARN = "warn"  # works, but with less: less seen, less named, or at a higher cost
    FAIL = "fail"  # keeps every probe from working


class CheckResult(NamedTuple):
    """The result of one check. ``fix`` is empty where there is nothing to fix."""

    level: Level
    found: str
    fix: str = ""


class Finding(NamedTuple):
    """An answer with the name of its check."""

    name: str
    level: Level
    found: str
    fix: str


class Examination(NamedTuple):
    """All findings, and the probe that ``run`` would use: None if no probe can run."""

    findings: tuple[Finding, ...]
    chosen: Optional[str]


def fine(found: str) -> CheckResult:
    """Answer that all is well."""
    return CheckResult(Level.OK, found)


def note(found: str, fix: str = "") -> CheckResult:
    """Answer something to know that keeps nothing from working."""
    return CheckResult(Level.INFO, found, fix)


def warning(found: str, fix: str) -> CheckResult:
    """Answer something that makes the result poorer, whichever probe is used."""
    return CheckResult(Level.WARN, found, fix)


def lacking(found: str, fix: str) -> CheckResult:
    """Answer that something is not there; :func:`weigh` says how much that matters."""
    return CheckResult(Level.FAIL, found, fix)


def weigh(
    answer: CheckResult,
    needed_for: Sequence[str],
    order: Sequence[str],
    chosen: Optional[str],
    *,
    others_block: bool,
) -> CheckResult:
    """Return the answer with the weight that a lack has here.

    ``needed_for`` are patterns of probe names, ``order`` the probes from best to worst. A lack is
    a failure if no probe works. It is a warning if a better probe than the working one needs it,
    and else a note. If something that every probe needs is lacking too (``others_block``), a lack
    that only some need is not the failure.
    """
    if answer.level is not Level.FAIL:
        return answer
    if chosen is None and (EVERY_PROBE in needed_for or not others_block):
        return answer
    better = order if chosen is None else order[: order.index(chosen)]
    in_the_way = any(fnmatchcase(probe, each) for probe in better for each in needed_for)
    return answer._replace(level=Level.WARN if in_the_way else Level.INFO)
