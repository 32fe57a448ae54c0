"""Renders a report as text: for a terminal, a ticket, a browser, and programs.

Each format is a module of its own, imported only when it is asked for. The same report gives the
same text, byte by byte. Everything that comes out of a log is hostile and is neutralised where
it is shown: :func:`analyzer.text.visible` for control characters, then what the format needs.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Protocol

from analyzer.report.formats.selection import BRIEF, Detail
from analyzer.report.result import Report

# The formats whose as_text() takes the detail; the others show the same always.
DETAILED = frozenset({"table", "markdown"})


class Format(Protocol):
    """Returns a report as text."""

    def __call__(self, report: Report, detail: Detail = ...) -> str:
        """Return the text."""
        ...


def _lazy(name: str) -> Format:
    def as_text(report: Report, detail: Detail = BRIEF) -> str:
        module = importlib.import_module(f"{__name__}.{name}")
        arguments = (report, detail) if name in DETAILED else (report,)
        text: str = module.as_text(*arguments)
        return text

    return as_text


# The table knows more of a terminal when it is given one: see table.show.
FORMATS: Mapping[str, Format] = {
    name: _lazy(name) for name in ("table", "json", "csv", "markdown", "html")
}
