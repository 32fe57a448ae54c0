"""Renders a report as text: for a terminal, a ticket, a browser, and programs.

Each format is a module of its own, imported only when it is asked for. The same report gives the
same text, byte by byte. Everything that comes out of a log is hostile and is neutralised where
it is shown: :func:`analyzer.text.visible` for control characters, then what the format needs.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Callable, Optional

from analyzer.report.result import Report

if TYPE_CHECKING:
    from analyzer.report.formats.selection import Detail


# These are short by default, and take a selection.Detail; the others always have everything.
_SHORT = ("table", "markdown")


def _lazy(module: str) -> Callable[..., str]:
    def as_text(report: Report, detail: Optional[Detail] = None) -> str:
        function: Callable[..., str] = importlib.import_module(f"{__name__}.{module}").as_text
        return function(report, detail) if detail and module in _SHORT else function(report)

    return as_text


# Each takes a report and, if the user asked for more, a selection.Detail.
# The table knows more of a terminal when it is given one: see table.show.
FORMATS: Mapping[str, Callable[..., str]] = {
    name: _lazy(name) for name in ("table", "json", "csv", "markdown", "html")
}
