"""The alerting rules, judged by promtool: each alert fires, and its neighbour does not."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.monitoring import skip_without
from tests.monitoring.prometheus import RULES, SCRAPE

skip_without("promtool")

CASES = sorted(Path(__file__).parent.glob("*.promtool.yml"))
ALERTS = sorted(set(re.findall(r"- alert: (\w+)$", RULES.read_text(), re.MULTILINE)))


def promtool(*arguments: str) -> str:
    """Run promtool; fails with what it says if it finds a fault."""
    result = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_rules_and_scrape_job_are_valid() -> None:
    assert re.search(r"SUCCESS: \d+ rules found", promtool("check", "rules", str(RULES)))
    promtool("check", "config", str(SCRAPE))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_alerts_fire_when_they_should_and_only_then(case: Path) -> None:
    promtool("test", "rules", str(case))


@pytest.mark.parametrize("alert", ALERTS)
def test_both_sides_of_each_alert_are_tested(alert: str) -> None:
    """A rule without a case that fires, or without one that does not, proves nothing."""
    text = "".join(path.read_text() for path in CASES)
    following = re.findall(rf"alertname: {alert}\n +exp_alerts:(.*)", text)
    assert {each.strip() for each in following} == {"", "[]"}


@pytest.mark.parametrize("alert", ALERTS)
def test_a_broken_rule_is_noticed(alert: str, tmp_path: Path) -> None:
    """With any rule turned off, promtool's cases fail: they depend on each rule."""
    text = RULES.read_text()
    off = re.sub(
        rf"(- alert: {alert}\n +expr: )(?:>-\n(?: {{10}}.*\n)+|.*\n)", r"\1vector(1) > 2\n", text
    )
    assert off != text
    (tmp_path / RULES.name).write_text(off)
    results = []
    for case in CASES:
        copy = tmp_path / case.name
        copy.write_text(re.sub(rf"- \S*{RULES.name}", f"- {RULES.name}", case.read_text()))
        if f"alertname: {alert}\n" in copy.read_text():
            results.append(
                subprocess.run(
                    ["promtool", "test", "rules", str(copy)], capture_output=True, check=False
                ).returncode
            )
    assert results
    assert all(results)
