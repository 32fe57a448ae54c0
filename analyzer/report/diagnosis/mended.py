"""Says of a caller that was mended since when it speaks IMDSv2, in place of why it did not."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from analyzer.imds import AWS
from analyzer.report.result import (
    CLEARED,
    CallerStanding,
    Cause,
    Entry,
    Standing,
    Verdict,
)


def with_mended(entries: Sequence[Entry], host_verdicts: Sequence[Verdict]) -> tuple[Entry, ...]:
    """Return the entries, with a diagnosis of its own for each that was mended on all hosts.

    An incident stays one: it is about what was asked, not about how.
    """
    standings: dict[str, list[CallerStanding]] = {}
    for verdict in host_verdicts:
        for each in verdict.callers:
            standings.setdefault(each.caller, []).append(each)
    return tuple(_mended(each, standings.get(each.group.key.caller, ())) for each in entries)


def _mended(entry: Entry, standings: Sequence[CallerStanding]) -> Entry:
    since = [each.since for each in standings if each.standing is Standing.SPEAKS_V2 and each.since]
    is_cleared = all(each.standing in CLEARED for each in standings)
    if not since or not is_cleared or entry.is_incident or entry.group.key.provider != AWS:
        return entry
    former = entry.diagnosis
    diagnosis = dataclasses.replace(
        former,
        cause=Cause.MENDED,
        summary=f"v2 since {max(since):%Y-%m-%d %H:%M} UTC; before, it was this: {former.summary}",
        advice=(),
        commands=(),
    )
    return dataclasses.replace(entry, diagnosis=diagnosis)
