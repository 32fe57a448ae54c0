"""The table of callers."""

from __future__ import annotations

import io
import re
from typing import Any, Optional

import pytest

from analyzer.logline.line import parse
from analyzer.tail.board import Board, Size
from analyzer.tail.callers import Callers
from analyzer.tail.filters import Filters
from analyzer.tail.layout import symbols
from analyzer.tail.views import Summary
from tests.unit.tail_lines import cron_job, encoded, golden, screen


def request(minute: int, name: str = "", version: str = "v1", second: int = 0) -> bytes:
    fields: dict[str, Any] = cron_job()
    if name:
        fields["process"] = {"pid": 5, "name": name}
        del fields["service"], fields["imds"]["caller"]
    fields["timestamp"] = f"2026-11-21T18:{minute:02d}:{second:02d}.000000Z"
    fields["imds"]["version"] = version
    return encoded(fields)


def table(*lines: bytes, columns: Optional[int] = None, most: int = 1000) -> list[str]:
    there = screen(columns)
    callers = Callers(most)
    board = Board(callers, symbols("utf-8"), is_utc=True)
    summary = Summary(there, board, callers, Filters(), follow=False)
    for each in lines:
        summary.show(each)
    summary.close()
    assert isinstance(there.out, io.BytesIO)
    return there.out.getvalue().decode().splitlines()


LINES = [
    *(request(50, "wget") for _ in range(2)),
    *(request(minute) for minute in (41, 45, 45, 45, 45, 49, 49, 50)),
    request(50, version="v2", second=59),
    *(request(50, "aws", "v2") for _ in range(30)),
    request(40, "odd", "unknown"),
    encoded({**golden("probe-of-another-cloud"), "timestamp": "2026-11-20T18:50:00.000000Z"}),
    b"nonsense",
    encoded({"event": "events_lost", "count": 7}),
]


def test_callers_by_v1_with_their_trend() -> None:
    """Of the last ten minutes; what is not from today has its date."""
    place, then = "docker 3f1c3f1c3f1c", "11-20 18:50"
    assert [re.sub(" {2,}", " | ", row) for row in table(*LINES)] == [
        "caller | first | last | v1 | unknown | v2 | 10 min",
        "curl ← deploy.sh, unit cron.service | 18:41:00 | 18:50:59 | 8 | - | 1 | ▂ | █ | ▄▄",
        "wget | 18:50:00 | 18:50:00 | 2 | - | - | █",
        "odd | 18:40:00 | 18:40:00 | - | 1 | -",
        "aws | 18:50:00 | 18:50:00 | - | - | 30 | █",
        f"worker.py ← gunicorn, unit app.service, {place} (gcp) | {then} | {then} | 1 | - | -",
        "10 v1, 1 unknown, 31 v2; 1 for other clouds; 1 not the analyzer's lines; 7 events lost",
    ]


def test_it_fits_into_80_columns() -> None:
    """Where a caller ran stands below it then."""
    rows = table(*LINES, columns=80)
    assert max(map(len, rows)) <= 80
    at = next(index for index, row in enumerate(rows) if row.startswith("curl ← deploy.sh"))
    assert rows[at + 1] == "  unit cron.service"


@pytest.mark.parametrize("columns", [40, 60, 80, 300])
def test_counts_are_never_cut_off(columns: int) -> None:
    """Rather times and trends are left out."""
    rows = table(*LINES, columns=columns)
    assert any(row.startswith("aws") and row.rstrip(" █").endswith(" 30") for row in rows)


@pytest.mark.parametrize("rows", [4, 8, 24])
def test_it_is_no_higher_than_the_terminal(rows: int) -> None:
    """What does not fit is counted."""
    there = screen(80)
    callers = Callers()
    for number in range(30):
        line = parse(request(50, f"program-{number}"))
        assert line is not None
        callers.add(line)
    board = Board(callers, symbols("utf-8"), is_utc=True)
    with there.console.capture() as captured:
        there.console.print(board.draw(0.0, Size(80, rows)))
    drawn = captured.get().splitlines()
    assert len(drawn) <= rows
    assert f"{30 - (len(drawn) - 2)} callers more" in drawn[-1]


def test_callers_beyond_the_limit_are_counted_together() -> None:
    """The longest unseen first; no call is lost from the totals."""
    rows = table(*(request(50, f"p{number}") for number in (0, 1, 2, 0, 3)), most=2)
    assert [row.split()[0] for row in rows[1:-1]] == ["p0", "p3"]
    assert (
        rows[-1]
        == "5 v1, 0 unknown, 0 v2; 3 callers no longer told apart, with 3 v1, 0 unknown, 0 v2"
    )
