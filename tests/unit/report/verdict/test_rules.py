"""The table of reasons is the same in the code, in the docs and in the tests."""

from __future__ import annotations

import re
from pathlib import Path

from analyzer.report.result import Judgement
from analyzer.report.verdict.rules import EFFECTS, ORDER, RULES

ROOT = Path(__file__).parents[4]
EFFECT_NAMES = {each.value: each for each in Judgement} | {"remark": Judgement.SAFE}


def test_the_table_in_the_docs_is_that_of_the_rules() -> None:
    """Each code, with its effect, in the same order."""
    page = (ROOT / "docs/decide.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| ([A-Z ]+|remark) \| \S", page, re.MULTILINE)
    documented = [(code, EFFECT_NAMES[effect]) for code, effect in rows]
    assert documented == [(rule.code, rule.effect) for rule in RULES]


def test_the_gravest_come_first() -> None:
    """Each code once."""
    ranks = [ORDER.index(rule.effect) for rule in RULES]
    assert ranks == sorted(ranks, reverse=True)
    assert len(EFFECTS) == len(RULES)


def test_each_code_has_a_test() -> None:
    """One that names it."""
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [code for code in EFFECTS if f'"{code}"' not in tests] == []
