"""What has to be changed, and where: realistic callers through the recogniser and ``report``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from analyzer.commands.report import report
from tests.golden.diagnosed import agents, commands, scripts, tokens
from tests.golden.diagnosed.case import Case
from tests.golden.diagnosed.lines import NOW, started

# Of these, no section tells more.
NEEDS_NOTHING = ("v2_only", "other_cloud", "mended")
CASES = (*tokens.CASES, *scripts.CASES, *agents.CASES, *commands.CASES)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a log with all callers."""
    lines = [started("web-1"), started("web-2")]
    lines += [line for case in CASES for line in case.caller.lines()]
    path = tmp_path_factory.mktemp("log") / "imds.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    return path


def _shown(log: Path, form: str) -> str:
    arguments = ["--format", form, "--callers", "--until", NOW.isoformat(), str(log)]
    done = CliRunner().invoke(report, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def said(log: Path) -> Mapping[str, Any]:
    """Return what one report says of all callers, by key."""
    callers = json.loads(_shown(log, "json"))["callers"]
    return {each["caller"]: each["diagnosis"] for each in callers}


@pytest.fixture(scope="module")
def sections(log: Path) -> Sequence[str]:
    """Return what the text says of each caller in the way, without spaces: lines are broken."""
    _, _, listed = _shown(log, "table").partition("Callers in the way")
    return ["".join(each.split()) for each in re.split(r"^\d+\. ", listed, flags=re.MULTILINE)]


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


@pytest.mark.parametrize("case", CASES, ids=[each.name for each in CASES])
def test_the_text_says_it_where_the_caller_stands(case: Case, sections: Sequence[str]) -> None:
    """As a person reads it, with ``--callers``; what needs nothing has a row only."""
    if case.cause in NEEDS_NOTHING:
        return
    wanted = ["".join(words.split()) for words in case.must]
    key = "".join(case.caller.key().split())
    own = [each for each in sections if key in each]
    assert any(all(words in each for words in wanted) for each in own), (wanted, own)
