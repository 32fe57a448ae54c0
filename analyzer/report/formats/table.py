"""Prints the report at a terminal, or without control codes to a file or pipe.

By default it is one page for a meeting: at most ``ROWS_MAX`` rows, whatever the input. What the
user asks for with ``--hosts``, ``--callers``, ``--by-host`` and ``--steps`` comes in
full, and makes it longer.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from analyzer.report.formats.fix_listing import listed
from analyzer.report.formats.listing import Listing
from analyzer.report.formats.meeting import Meeting
from analyzer.report.formats.paper import COLUMNS_MAX, Lines, Paper
from analyzer.report.formats.selection import BRIEF, Detail
from analyzer.report.result import Report

__all__ = ["COLUMNS_MAX", "ROWS_MAX", "as_text", "show"]

ROWS_MAX = 60  # what a meeting reads; two screens of a terminal
COLUMNS_OF_TEXT = 80  # where there is no terminal to ask


def as_text(report: Report, detail: Detail = BRIEF) -> str:
    """Return the table as it is in a pipe, 80 columns wide."""
    file = io.StringIO()
    console = Console(file=file, width=COLUMNS_OF_TEXT, color_system=None, legacy_windows=False)
    show(report, console, detail)
    return file.getvalue()


def show(report: Report, console: Console, detail: Detail = BRIEF) -> None:
    """Write a report to a console; the verdict first and, for it scrolls away, last."""
    for line in _lines(report, Paper(console), detail):
        console.print(line, soft_wrap=True)


def _lines(report: Report, paper: Paper, detail: Detail) -> Iterator[Text]:
    meeting = Meeting(report, paper)
    listing = Listing(report, paper)
    page = meeting.page(ROWS_MAX, detail)
    in_full: dict[str, Lines] = {}
    if detail.callers or detail.by_host:
        in_full["changes"] = listed(report, paper, detail)
    if detail.hosts:
        in_full["instances"] = listing.hosts()
    if detail.callers:
        in_full["fixes"] = listing.callers()
    if detail.steps:
        in_full["steps"] = listing.steps()
    for name, lines in page:
        yield from lines
        yield from in_full.get(name, ())
