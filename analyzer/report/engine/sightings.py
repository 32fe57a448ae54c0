"""Asks an engine for the callers that used IMDSv1 on each host, and when they called."""

from __future__ import annotations

from collections import defaultdict
from typing import Optional

from analyzer.report.callers import Sighting
from analyzer.report.engine.bounds import MICROSECONDS
from analyzer.report.engine.rows import Ask, Rows, at, by_first
from analyzer.report.engine.sql import query
from analyzer.report.hosts import Span


def gather_sightings(ask: Ask) -> tuple[Sighting, ...]:
    """Return all sightings, those with the most IMDSv1 calls first."""
    days = by_first(ask(query("sighting_days")))
    return tuple(
        Sighting(
            caller=caller,
            host=host,
            v1=_spans(days[number], "v1"),
            v2=_spans(days[number], "v2"),
            unclear=_spans(days[number], "unclear"),
            all_v1=int(calls),
            v1_rejected=int(rejected),
            v1_at_boot=int(at_boot),
            boot_offset_s=_seconds(offset_us),
            boot_last_s=_seconds(last_offset_us),
        )
        for (
            number, caller, host, calls, rejected, at_boot, offset_us, last_offset_us
        ) in ask(query("sighting_numbers"))
    )  # fmt: skip


def gather_successors(ask: Ask) -> tuple[Sighting, ...]:
    """Return the callers of the sightings on hosts where they called with tokens only."""
    days: dict[tuple[str, str], list[Span]] = defaultdict(list)
    for caller, host, first_us, last_us in ask(query("successor_days")):
        days[caller, host].append(Span(at(first_us), at(last_us)))
    return tuple(
        Sighting(caller=caller, host=host, v1=(), v2=tuple(spans), all_v1=0)
        for (caller, host), spans in days.items()
    )


def _spans(days: Rows, version: str) -> tuple[Span, ...]:
    return tuple(Span(at(first), at(last)) for of, first, last in days if of == version)


def _seconds(us: Optional[int]) -> Optional[float]:
    return None if us is None else int(us) / MICROSECONDS
