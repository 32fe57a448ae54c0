"""Makes the part that stands above all else: requests that somebody else may have made."""

from __future__ import annotations

from rich.text import Text

from analyzer.report.formats import selection, wording
from analyzer.report.formats.paper import INDENT, ITEMS_MAX, Block, Paper
from analyzer.report.result import Report

_TEXT_MAX = 400  # characters of what is seen; --callers has all
_ALARM = "bold white on red"


def incidents(report: Report, paper: Paper) -> Block:
    """Return the incidents, each with the first of what it rests on; empty without any."""
    found = report.incidents
    if not found:
        return Block()
    number = wording.plural(len(found), "possible incident")
    title = f"INCIDENT: {number}. Look at this before all else (what to do: --callers)"
    items = []
    for each in found[:ITEMS_MAX]:
        diagnosis = each.diagnosis
        lines = paper.paragraph(diagnosis.summary, "bold", mark="! ", is_hanging=True)
        for seen in diagnosis.evidence[:1]:
            lines += paper.paragraph(selection.cut(seen, _TEXT_MAX), mark="- ", indent=INDENT)
        items.append(lines)
    return Block(
        [*paper.paragraph(title, _ALARM)],
        [*items, [Text("")]],
        least=8,
        noun="incident",
        where="--callers",
        left_out=len(found) - min(len(found), ITEMS_MAX),
    )
