"""Which callers fetched credentials by IMDSv1: of each line, folded or not, and of no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

import pytest

from analyzer.report.engine.fetches import Fetched, fetched
from analyzer.report.inputs import open_inputs
from tests.unit.report.engine.test_callers import line

INSTANCE = "i-0123456789abcdef0"
PATH = "/latest/meta-data/iam/security-credentials/web-role"


def call(minute: int, *, instance: Optional[str] = INSTANCE, **imds: Any) -> dict[str, Any]:
    made = line(minute, version=imds.pop("version", "v1"))
    made["imds"].update({"operation": "credentials", "outcome": "success", **imds})
    made["url"] = {"path": PATH}
    made["timestamp"] = f"2026-11-21T18:{minute:02}:01.000000Z"
    if instance is not None:
        made["cloud"] = {"instance": {"id": instance}}
    return made


def ask(directory: Path, *lines: dict[str, Any]) -> Fetched:
    file = directory / "imds.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    with open_inputs([str(file)]) as files:
        return fetched(files)


def test_fetches_are_added_up_by_caller_and_hour(tmp_path: Path) -> None:
    later = call(5)
    later["timestamp"] = "2026-11-21T19:30:00.000000Z"
    found = ask(tmp_path, call(10), call(20), later)
    first, second = sorted(found.fetches, key=lambda each: each.first_at)
    assert (first.instance, first.role, first.calls) == (INSTANCE, "web-role", 2)
    assert (first.first_at.minute, first.last_at.minute) == (10, 20)
    assert (second.calls, second.first_at.hour) == (1, 19)
    assert first.caller == second.caller
    assert first.key


@pytest.mark.parametrize(
    "other",
    [
        {"version": "v2"},
        {"operation": "metadata"},
        {"outcome": "rejected"},
        {"outcome": None},
        {"provider": "gcp"},
    ],
)
def test_other_calls_are_no_fetches_but_the_instance_is_watched(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    found = ask(tmp_path, call(10, **other))
    assert found.fetches == ()
    assert found.watched == {INSTANCE}


def test_a_folded_line_counts_its_fetches_by_v1(tmp_path: Path) -> None:
    repeated = [
        {"version": "v2", "operation": "credentials", "outcome": "success", "count": 7},
        {"version": "v1", "operation": "credentials", "outcome": "success", "count": 30},
        {"version": "v1", "operation": "metadata", "outcome": "success", "count": 5},
    ]
    (fetch,) = ask(tmp_path, call(10, repeated=repeated)).fetches
    assert fetch.calls == 30
    assert ask(tmp_path, call(10, repeated=repeated[::2])).fetches == ()


def test_a_host_without_an_instance_id_is_known_by_its_name(tmp_path: Path) -> None:
    made = call(10, instance=None)
    made["host"]["name"] = "web-1"
    found = ask(tmp_path, made)
    assert found.fetches[0].instance == "web-1"
    assert found.watched == {"web-1"}


def test_what_was_not_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no log", encoding="utf-8")
    (tmp_path / "imds.jsonl").write_text(json.dumps(call(1)) + "\n", encoding="utf-8")
    with open_inputs([str(tmp_path)]) as files:
        found = fetched(files)
    assert len(found.fetches) == 1
    assert "notes.txt" in found.unread[0]
