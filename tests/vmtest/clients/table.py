"""The table: what was recorded of each client beside what is known of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from rich import box
from rich.console import Console
from rich.table import Table

# Wider than a log file's 80 columns, so that a kind stands in one line.
WIDTH = 200
ROWS_FILE = "clients.json"


class Row(NamedTuple):
    """One client under one setting."""

    client: str
    version: str
    setting: str
    recorded: tuple[str, ...]  # lines
    expected: tuple[str, ...]
    skipped: Optional[str]
    problems: tuple[str, ...]
    judged: str = ""  # what report says of it

    @property
    def result(self) -> str:
        """Return ``ok``, ``wrong`` or ``skipped``."""
        return "skipped" if self.skipped else "wrong" if self.problems else "ok"


def show(rows: Sequence[Row], title: str) -> None:
    """Print the table, and under it what is wrong."""
    table = Table(title=title, box=box.HORIZONTALS, title_justify="left", pad_edge=False)
    for heading in (
        "client",
        "version",
        "setting",
        "recorded",
        "expected, in this order",
        "report",
        "",
    ):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(
            row.client,
            row.version,
            row.setting,
            f"({row.skipped})" if row.skipped else "\n".join(row.recorded) or "nothing",
            "\n".join(row.expected),
            row.judged,
            row.result,
            end_section=row is rows[-1] or row.client != rows[rows.index(row) + 1].client,
        )
    Console(width=WIDTH, highlight=False, markup=False).print(table)
    for row in rows:
        for problem in dict.fromkeys(row.problems):
            print(f"{row.client}, {row.setting}: {problem}")


def write_rows(path: Path, rows: Mapping[str, Sequence[Row]]) -> None:
    """Write, for each probe, its rows: what a machine leaves behind for the one it runs on."""
    as_objects = {probe: [row._asdict() for row in each] for probe, each in rows.items()}
    path.write_text(json.dumps(as_objects), encoding="utf-8")


def read_rows(path: Path) -> dict[str, list[Row]]:
    """Read what ``write_rows`` wrote. Raises ValueError, or OSError where there is nothing."""
    written = json.loads(path.read_text(encoding="utf-8"))
    try:
        return {probe: [Row(**each) for each in rows] for probe, rows in written.items()}
    except (AttributeError, TypeError) as error:
        raise ValueError(str(error)) from error


def closing_line(rows: Iterable[Row]) -> str:
    """Return the counts, alone on a line."""
    counts = Counter(row.result for row in rows)
    return f"{counts['ok']} passed, {counts['wrong']} failed, {counts['skipped']} skipped"
