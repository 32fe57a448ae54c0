"""Lists all changes for a terminal, each with all of its callers, or split by host, or both."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from analyzer.report.formats import fix_words, fixes, fleet, wording
from analyzer.report.formats.fixes import Fix
from analyzer.report.formats.paper import INDENT, LABEL_COLUMNS, Lines, Paper
from analyzer.report.formats.selection import Detail
from analyzer.report.result import Report


def listed(report: Report, paper: Paper, detail: Detail) -> Lines:
    """Return every change, with what ``detail`` asks for of it; nothing if there is none."""
    names = fleet.names(report)
    found = fixes.of(report)
    lines = paper.title(f"What to change ({wording.count(len(found))})") if found else []
    for place, fix in enumerate(found, 1):
        title = fix_words.title(fix, paper.arrow)
        lines += [Text(""), *paper.paragraph(title, "bold", mark=f"{place}. ", is_whole=True)]
        lines += paper.paragraph(fix_words.size(fix), indent=INDENT)
        for label, value in fix_words.facts(fix, report, names):
            mark = f"{label:{LABEL_COLUMNS}}"
            lines += paper.paragraph(value, "dim", mark=mark, indent=INDENT)
        for text in _rows(fix, paper, detail):
            lines += paper.paragraph(text, mark="- ", indent=INDENT, is_whole=True)
        if detail.by_host:
            for share in fix.by_host():
                text = f"{names.get(share.host, share.host)}: {fix_words.share(share, paper.arrow)}"
                lines += paper.paragraph(text, mark="- ", indent=INDENT, is_whole=True)
    return lines


def _rows(fix: Fix, paper: Paper, detail: Detail) -> Iterator[str]:
    if detail.callers or not detail.by_host:
        yield from (fix_words.member(each, paper.arrow) for each in fix.callers)
    yield from (fix_words.besides(each.caller, paper.arrow) for each in fix.also)
