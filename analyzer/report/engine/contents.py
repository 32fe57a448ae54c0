"""Asks an engine what is among the lines, so that nothing else need be asked about the rest.

To plan a query about something that is not there takes most of a small report's time.
"""

from __future__ import annotations

from typing import NamedTuple

from analyzer.logline.fields import VERSIONS
from analyzer.report.engine.rows import Ask
from analyzer.report.engine.sql import query


class Contents(NamedTuple):
    """Lines that count, damaged ones, and what may be among them, as ``contents.sql`` has it."""

    lines: int
    damaged: int
    folded: bool
    v1: bool
    token_requests: bool
    token_failures: bool
    hop_limits: bool
    starts: bool
    evidence: bool
    losses: bool
    counted_losses: bool
    counted_v1: bool
    counted_v2: bool
    counted_unknown: bool
    stops: bool
    left_out: bool
    bootless_marks: bool

    @property
    def counted(self) -> tuple[str, ...]:
        """The versions of which heartbeats, or ends of runs, counted requests."""
        return tuple(each for each in VERSIONS if getattr(self, f"counted_{each}"))


def gather_contents(ask: Ask) -> Contents:
    """Return what the table ``line_counts`` has."""
    ((lines, damaged, *kinds),) = ask(query("contents"))
    return Contents(int(lines or 0), int(damaged or 0), *map(bool, kinds))
