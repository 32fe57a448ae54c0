"""Renders a report as text: for a terminal, a ticket, a browser, and programs.

Each format is a module of its own, imported only when it is asked for. The same report gives the
same text, byte by byte. Everything that comes out of a log is hostile and is neutralised where
it is shown: :func:`analyzer.text.visible` for control characters, then what the format needs.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Callable

from analyzer.report.result import Report


def _lazy(module: str) -> Callable[[Report], str]:
    def as_text(report: Report) -> str:
        function: Callable[[Report], str] = importlib.import_module(f"{__name__}.{module}").as_text
        return function(report)

    return as_text


# The table knows more of a terminal when it is given one: see table.show.
FORMATS: Mapping[str, Callable[[Report], str]] = {
    name: _lazy(name) for name in ("table", "json", "csv", "markdown", "html")
}
