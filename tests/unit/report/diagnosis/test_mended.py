"""A caller that was mended: its diagnosis says since when, and it is not in the way."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from analyzer.commands.report import report
from tests.fleet.histories import DAY, HOUR, UTC, History, every, instance_id

NOW = datetime.datetime(2026, 11, 22, tzinfo=UTC)
SINCE = NOW - 9 * DAY


def said(folder: Path, host: History, form: str = "json") -> str:
    path = folder / "a.jsonl"
    host.write(path)
    done = CliRunner().invoke(report, [str(path), "--format", form])
    assert done.exit_code == 0, done.output
    return done.output


def mended(*, again: bool = False) -> History:
    """Return a host whose caller spoke v1 each hour, and v2 since."""
    host = History("web-1", instance_id(1)).watched(NOW - 30 * DAY, NOW)
    host.called(every(HOUR, NOW - 30 * DAY, SINCE), "v1", "job")
    host.called(every(HOUR, SINCE, NOW), "v2", "job")
    return host.called([NOW - HOUR], "v1", "job") if again else host


def caller(text: str) -> Any:
    (found,) = json.loads(text)["callers"]
    return found["diagnosis"]


def test_it_says_since_when(tmp_path: Path) -> None:
    """And that nothing is to be done."""
    text = said(tmp_path, mended())
    diagnosis = caller(text)
    assert diagnosis["cause"] == "mended"
    assert diagnosis["summary"].startswith(f"v2 since {SINCE:%Y-%m-%d %H}")
    assert (diagnosis["advice"], diagnosis["commands"]) == ([], [])
    assert not any(each["title"].startswith("Fix") for each in json.loads(text)["steps"])
    table = said(tmp_path, mended(), "table")
    assert "in the way (all: --callers)" not in table
    assert "No longer in the way: 1" in table


def test_whoever_calls_again_was_not_mended(tmp_path: Path) -> None:
    """One call is enough."""
    text = said(tmp_path, mended(again=True))
    assert caller(text)["cause"] != "mended"
    assert any(each["title"].startswith("Fix") for each in json.loads(text)["steps"])
