"""A table behind a run of pytest: what its tests noted as a property of theirs."""

from __future__ import annotations

import pytest


def show(terminal: pytest.TerminalReporter, title: str, name: str) -> None:
    """Print each value noted under a name, in the order of the tests; nothing where none is."""
    table = [
        str(value)
        for outcome in ("passed", "failed")
        for report in terminal.stats.get(outcome, ())
        for noted, value in report.user_properties
        if noted == name and report.when == "call"
    ]
    if table:
        terminal.section(title)
        for each in table:
            terminal.write_line(each)
