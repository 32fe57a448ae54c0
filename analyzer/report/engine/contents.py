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
    folded: bool = True
    v1: bool = True
    token_requests: bool = True
    token_failures: bool = True
    hop_limits: bool = True
    starts: bool = True
    evidence: bool = True
    losses: bool = True
    counted_losses: bool = True
    counted_v1: bool = True
    counted_v2: bool = True
    counted_unknown: bool = True
    stops: bool = True
    left_out: bool = True
    bootless_marks: bool = True

    @property
    def counted(self) -> tuple[str, ...]:
        """The versions of which heartbeats, or ends of runs, counted requests."""
        return tuple(each for each in VERSIONS if getattr(self, f"counted_{each}"))


def gather_contents(ask: Ask) -> Contents:
    """Return what the table ``line_counts`` has."""
    ((lines, damaged, *kinds),) = ask(query("contents"))
    return Contents(int(lines or 0), int(damaged or 0), *map(bool, kinds))
