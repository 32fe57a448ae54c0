"""What a person sees of a caller's code: a line of its own, and one beneath the caller."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Optional

import pytest
from rich.cells import cell_len

from analyzer.tail.board import Board, Size
from analyzer.tail.callers import Callers
from analyzer.tail.filters import Filters, filters
from analyzer.tail.layout import symbols
from analyzer.tail.views import Summary
from tests.unit.tail_lines import cron_job, encoded, screen, shown

LINE = {"path": "/srv/deploy.sh", "line": 12, "text": "curl -s http://169.254.169.254/"}
LIBRARY = {"type": "pypi", "name": "botocore", "version": "1.12.253", "path": "/srv/botocore"}
PACKAGE = {"type": "dpkg", "name": "curl", "version": "7.88.1", "path": "/usr/bin/curl"}
CODE = {"script": {"lines": [LINE]}, "libraries": [LIBRARY], "packages": [PACKAGE]}


def evidence(code: object = CODE, **more: Any) -> bytes:
    """Return the line on the code of the cron job's curl."""
    request = cron_job()
    return encoded(
        {
            "timestamp": "2026-11-21T18:50:02.000000Z",
            "event": "caller_evidence",
            "imds": {"caller": request["imds"]["caller"]},
            "process": {"pid": 4242, "name": "curl"},
            "service": {"name": "cron.service"},
            "code": code,
            **more,
        }
    )


def table(*lines: bytes, columns: Optional[int] = None) -> list[str]:
    there = screen(columns)
    callers = Callers()
    board = Board(callers, symbols("utf-8"), is_utc=True)
    summary = Summary(there, board, callers, Filters(), follow=False)
    for each in lines:
        summary.show(each)
    summary.close()
    assert isinstance(there.out, io.BytesIO)
    return there.out.getvalue().decode().splitlines()


def test_a_row_says_what_was_found() -> None:
    """Script lines say most; the log's line has all."""
    assert shown(evidence()) == (
        "2026-11-21 18:50:02 -- code of curl from deploy.sh:"
        " /srv/deploy.sh:12: curl -s http://169.254.169.254/,"
        " botocore 1.12.253 in /srv/botocore, 1 more\n"
    )


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ({"packages": [PACKAGE]}, "curl 7.88.1 (dpkg) owns /usr/bin/curl"),
        ({"entry_point": {"type": "pypi", "name": "gunicorn"}}, "gunicorn"),
        ({"origins": [{"type": "cron", "path": "/etc/crontab", "line": 3}]},
         "cron (/etc/crontab:3)"),
        ({"libraries": [{**LIBRARY, "required_by": ["s3transfer 0.1"]}]},
         "botocore 1.12.253 (for s3transfer 0.1) in /srv/botocore"),
        ({"lacks": ["limit"]}, "limit"),
        *((each, "nothing found") for each in ({}, None, 7, [CODE], {"libraries": [None]})),
    ],
)  # fmt: skip
def test_whatever_was_found(code: object, said: str) -> None:
    assert shown(evidence(code)).rstrip().endswith(f"deploy.sh: {said}")


def test_nothing_in_it_acts_on_a_terminal() -> None:
    hostile = {**LINE, "text": "\x1b[2Jgone\u202e"}
    for columns in (None, 80):
        assert "\x1b" not in shown(evidence({"script": {"lines": [hostile]}}), columns=columns)
        rows = table(encoded(cron_job()), evidence({"script": {"lines": [hostile]}}))
        assert "\x1b" not in "".join(rows)


def test_it_stands_beneath_its_caller() -> None:
    """On a terminal it is cut."""
    rows = table(encoded(cron_job()), evidence())
    assert rows[2].strip() == (
        f"code: /srv/deploy.sh:12: {LINE['text']}, botocore 1.12.253 in /srv/botocore, 1 more"
    )
    narrow = table(evidence(), encoded(cron_job()), columns=60)
    assert any("code: /srv/deploy" in row for row in narrow)
    assert max(map(cell_len, narrow)) <= 60
    assert table(encoded(cron_job()), evidence({})) == table(encoded(cron_job()))


def test_it_takes_rows_of_a_terminal() -> None:
    """A table is never higher than its terminal."""
    callers = Callers()
    summary = Summary(
        screen(80), Board(callers, symbols("utf-8"), is_utc=True), callers, Filters(), follow=False
    )
    for line in (encoded(cron_job()), evidence()):
        summary.show(line)
    board = Board(callers, symbols("utf-8"), is_utc=True)
    there = screen(80)
    there.console.print(board.draw(0.0, Size(80, 5)))
    assert isinstance(there.console.file, io.StringIO)
    assert "1 callers more" in there.console.file.getvalue()


@pytest.mark.parametrize(
    ("given", "is_shown"),
    [
        (((), (), (), (), ()), True),
        ((("v1",), (), (), (), ()), True),
        ((("v2",), (), (), (), ()), False),
        (((), ("curl",), (), (), ()), True),
        (((), ("deploy.sh",), (), (), ()), True),
        (((), ("python*",), (), (), ()), False),
        (((), (), (), (), ("cron",)), True),
        (((), (), (), (), ("ssh",)), False),
        (((), (), ("docker",), (), ()), False),
        (((), (), (), ("/latest/",), ()), False),
    ],
)
def test_filters_for_callers_take_it(given: tuple[Any, ...], is_shown: bool) -> None:
    """It is that of calls without a token; no path is its own."""
    assert bool(shown(evidence(), filters=filters(*given))) is is_shown


def test_the_golden_is_shown() -> None:
    golden = Path(__file__).parents[2] / "golden" / "evidence" / "caller-evidence.jsonl"
    assert "worker.py:12" in shown(golden.read_bytes().strip())
