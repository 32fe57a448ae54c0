"""Counts the IMDSv1 calls that ``--until`` leaves out. A verdict without them may be better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from analyzer.report.engine.rows import Ask
from analyzer.report.engine.sql import query

# Between the counts of a folded line, and between the parts of one.
_RECORD, _UNIT = "\x1e", "\x1f"


def gather_left_out(ask: Ask) -> Mapping[str, int]:
    """Return how many calls of each host came after the end that was asked for."""
    found: Counter[str] = Counter()
    for host, version, repeated, lines in ask(query("left_out")):
        calls = _calls(repeated) if repeated else int(version == "v1")
        if calls:
            found[host] += int(lines) * calls
    return dict(found)


def _calls(repeated: str) -> int:
    """Return the IMDSv1 calls that a folded line stands for."""
    counts = (count.split(_UNIT) for count in repeated.split(_RECORD))
    return sum(int(calls) for version, _, _, calls in counts if version == "v1")
