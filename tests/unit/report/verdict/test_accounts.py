"""What AWS counted and the log does not have."""

from __future__ import annotations

import pytest

from analyzer.report.cloudwatch.differences import Account, Comparison, Difference
from analyzer.report.result import Judgement
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


def test_a_host_is_accounted_for_by_its_own_figures() -> None:
    """Another's, whole or partial, say nothing of it."""
    hosts = of_hosts((long_host("a"), long_host("b"), long_host("c")))
    own = {"a": Account(4, 4, is_partial=False), "b": Account(1, 1, is_partial=True)}
    comparison = Comparison(168, 5, 5, (), is_partial=True, accounts=own)
    whole, (a, b, c), _ = judge(hosts, comparison=comparison)
    assert text(a, "accounted") == (
        "all 4 calls without a token that AWS counted of this instance are accounted for"
    )
    assert "partial_figures" not in codes(a)
    assert "figures of this instance are partial" in text(b, "partial_figures")
    assert "days or instances are missing" in text(c, "partial_figures")
    assert [each.host for each in (a, b, c) if "accounted" in codes(each)] == ["a"]
    assert text(whole, "accounted").startswith(
        "AWS counted the same on 1 of 3 hosts, a: all 4 calls"
    )
    assert text(whole, "partial_figures").startswith(
        "partial AWS figures on 2 of 3 hosts, such as b: "
    )


def test_only_the_host_with_missing_calls_is_not_accounted_for() -> None:
    """The other is, by its own figures."""
    hosts = of_hosts((long_host("a"), long_host("b")))
    own = {"a": Account(5, 5, is_partial=False), "b": Account(5, 0, is_partial=False)}
    differences = (difference(ago(1), host="b"), difference(ago(2), recorded=9, host="a"))
    comparison = Comparison(168, 10, 5, differences, accounts=own)
    _, (a, b), _ = judge(hosts, comparison=comparison)
    assert ("accounted" in codes(a), "accounted" in codes(b)) == (True, False)
    assert ("unaccounted_calls" in codes(a), "unaccounted_calls" in codes(b)) == (False, True)


def test_a_host_that_was_compared_with_nothing_is_not_accounted_for() -> None:
    """Figures of others, or no period at all."""
    others = Comparison(168, 5, 5, (), accounts={"x": Account(5, 5, is_partial=False)})
    assert "accounted" not in codes(judged(log(), comparison=others))
    assert "accounted" not in codes(judged(log(), comparison=Comparison(0, 0, 0, ())))


def test_figures_of_all_together_account_for_all() -> None:
    """Said once, with what is to be said of the figures."""
    hosts = of_hosts((long_host("a"), long_host("b")))
    whole, _, _ = judge(hosts, comparison=Comparison(168, 5, 5, (), ("labels name no instance",)))
    assert text(whole, "accounted") == (
        "AWS counted the same on all 2 hosts: all 5 calls without a token that AWS counted in"
        " 168 periods are accounted for; but labels name no instance"
    )


def test_partial_figures_that_no_host_lacks_are_said_of_the_whole() -> None:
    """There are further pages, of instances that nobody knows."""
    own = {log().hosts[0].key: Account(5, 5, is_partial=False)}
    comparison = Comparison(168, 5, 5, (), ("NextToken: there is more",), {}, True, own)
    whole, (one,), _ = judge(log(), comparison=comparison)
    assert "NextToken" in text(whole, "partial_figures")
    assert "partial_figures" not in codes(one)
