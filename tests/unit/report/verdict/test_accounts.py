"""What AWS counted and the log does not have."""

from __future__ import annotations

import pytest

from analyzer.report.result import Comparison, Difference, Judgement
from tests.unit.report.verdict.samples import (
    NOT_ENOUGH,
    NOT_SAFE,
    SAFE,
    START,
    ago,
    codes,
    difference,
    judge,
    judged,
    log,
    long_host,
    of_hosts,
    text,
)
from tests.unit.report_samples import DAY


@pytest.mark.parametrize(
    ("differences", "code", "judgement"),
    [
        ([], "accounted", SAFE),
        ([difference(ago(1))], "unaccounted_calls", NOT_SAFE),
        ([difference(ago(1), is_covered=False)], "unwatched_calls", NOT_SAFE),
        ([difference(START - DAY)], "unaccounted_earlier", NOT_ENOUGH),
        ([difference(START - DAY, is_covered=False)], "boot_seen", SAFE),
        ([difference(ago(1), recorded=9)], "accounted", SAFE),
        ([difference(ago(1), recorded=3, unanswered=2)], "accounted", SAFE),
    ],
)
def test_what_aws_counted_and_the_log_lacks_is_a_v1_caller(
    differences: list[Difference], code: str, judgement: Judgement
) -> None:
    """Watched or not: AWS says that somebody used v1."""
    verdict = judged(log(), comparison=Comparison(168, 5, 0, tuple(differences)))
    assert verdict.judgement is judgement
    assert code in codes(verdict)


@pytest.mark.parametrize(("of", "bad"), [("a", "a"), ("b", "b"), (None, "ab"), ("c", "")])
def test_only_the_instances_concerned_are_condemned(of: str, bad: str) -> None:
    """Figures of all together concern all."""
    hosts = of_hosts((long_host("a"), long_host("b")))
    comparison = Comparison(168, 5, 0, (difference(ago(1), host=of),))
    whole, verdicts, _ = judge(hosts, comparison=comparison)
    condemned = "".join(str(each.host) for each in verdicts if each.judgement is NOT_SAFE)
    assert condemned == bad
    assert whole.judgement is (NOT_SAFE if bad else SAFE)


def test_partial_figures_are_said_to_be_partial() -> None:
    """And then not all is accounted for."""
    notes = ("NextToken: there is more",)
    verdict = judged(log(), comparison=Comparison(1, 0, 0, (), notes, is_partial=True))
    assert "partial (NextToken: there is more)" in text(verdict, "partial_figures")
    assert (verdict.judgement, "accounted" in codes(verdict)) == (SAFE, False)
    assert "partial_figures" not in codes(judged(log(), comparison=Comparison(1, 0, 0, ())))
