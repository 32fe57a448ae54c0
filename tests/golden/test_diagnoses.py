"""What has to be changed, and where: realistic callers through the recogniser and ``report``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from click.testing import CliRunner

from analyzer.commands.report import report
from tests.golden.diagnosed import agents, commands, scripts, tokens
from tests.golden.diagnosed.case import Case
from tests.golden.diagnosed.lines import NOW, started

CASES = (*tokens.CASES, *scripts.CASES, *agents.CASES, *commands.CASES)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """Return what one report says of all callers, by key."""
    lines = [started("web-1"), started("web-2")]
    lines += [line for case in CASES for line in case.caller.lines()]
    log = tmp_path_factory.mktemp("log") / "imds.jsonl"
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    done = CliRunner().invoke(
        report, ["--format", "json", "--callers", "--until", NOW.isoformat(), str(log)]
    )
    assert done.exit_code == 0, done.output
    return {each["caller"]: each["diagnosis"] for each in json.loads(done.stdout)["callers"]}


def test_no_two_cases_are_one_caller() -> None:
    """Their lines would be mixed."""
    assert len({each.caller.key() for each in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[each.name for each in CASES])
def test_a_caller_is_told_what_to_change(case: Case, said: Mapping[str, Any]) -> None:
    """Its own, and nobody else's."""
    diagnosis = said[case.caller.key()]
    text = "\n".join((diagnosis["summary"], *diagnosis["advice"], *diagnosis["commands"]))
    assert diagnosis["cause"] == case.cause, text
    for words in case.must:
        assert words in text, text
    for words in case.must_not:
        assert words not in text, text
