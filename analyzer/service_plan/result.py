"""Says what an installation has come to. No I/O."""

from __future__ import annotations

from typing import NamedTuple

from analyzer.service_plan.lines import Line
from analyzer.service_plan.places import NAME


class ResultFacts(NamedTuple):
    """The facts that install.sh found, and what it did."""

    program: str
    version: str
    dry_run: bool
    changed: bool
    start: bool
    was_active: bool
    old: str  # the release before this one, by its name; empty: none, or the same
    is_enabled: bool


def result(facts: ResultFacts) -> list[Line]:
    """Return the lines that say so."""
    if facts.dry_run:
        return [("say", f"  {facts.program} doctor"), ("say", "Nothing was changed.")]
    return [("say", _said(facts))]


def _said(facts: ResultFacts) -> str:
    what = f"{NAME} {facts.version}"
    if not facts.changed:
        return f"Nothing to do: {what} is installed{' and running' if facts.start else ''}."
    if facts.start:
        return f"{what} is running{f' (before: {facts.old})' if facts.old else ''}."
    if facts.was_active:
        return f"{what} is installed; the running service takes it with: systemctl restart {NAME}"
    if facts.old and not facts.is_enabled:
        return f"{what} is installed; the service is disabled, and stays so."
    return f"{what} is installed and starts with the next boot, or with: systemctl start {NAME}"
