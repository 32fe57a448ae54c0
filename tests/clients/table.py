"""The table: what was recorded of each client beside what is known of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Optional

from rich import box
from rich.console import Console
from rich.table import Table

# Wider than a log file's 80 columns, so that a kind stands in one line.
WIDTH = 164


class Row(NamedTuple):
    """One client under one setting."""

    client: str
    version: str
    setting: str
    recorded: tuple[str, ...]  # lines
    expected: tuple[str, ...]
    skipped: Optional[str]
    problems: tuple[str, ...]

    @property
    def result(self) -> str:
        """Return ``ok``, ``wrong`` or ``skipped``."""
        return "skipped" if self.skipped else "wrong" if self.problems else "ok"


def show(rows: Sequence[Row], title: str) -> None:
    """Print the table, what is wrong under it, and the closing line."""
    table = Table(title=title, box=box.HORIZONTALS, title_justify="left", pad_edge=False)
    for heading in ("client", "version", "setting", "recorded", "expected, in this order", ""):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(
            row.client,
            row.version,
            row.setting,
            f"({row.skipped})" if row.skipped else "\n".join(row.recorded) or "nothing",
            "\n".join(row.expected),
            row.result,
            end_section=row is rows[-1] or row.client != rows[rows.index(row) + 1].client,
        )
    Console(width=WIDTH, highlight=False, markup=False).print(table)
    for row in rows:
        for problem in dict.fromkeys(row.problems):
            print(f"{row.client}, {row.setting}: {problem}")


def closing_line(rows: Iterable[Row]) -> str:
    """Return the counts, alone on a line."""
    counts = Counter(row.result for row in rows)
    return f"{counts['ok']} passed, {counts['wrong']} failed, {counts['skipped']} skipped"
