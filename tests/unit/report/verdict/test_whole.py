"""The whole: what is true of no host alone, of instances without a log, and of those gone."""

from __future__ import annotations

import dataclasses
from typing import Optional

import pytest

from analyzer.report.findings import Damage, Findings
from analyzer.report.result import Judgement
from analyzer.report.roster.instances import Instance
from tests.unit.report.verdict.samples import (
    NOT_ENOUGH,
    NOT_SAFE,
    SAFE,
    ago,
    codes,
    instance,
    judge,
    judged,
    log,
    long_host,
    moments,
    of_hosts,
    roster,
    sighting,
    text,
)
from tests.unit.report_samples import DAY, HOST, findings

EMPTY: Findings = dataclasses.replace(findings((), ()), lines=0)


def test_nothing_to_judge_is_not_enough() -> None:
    """With all that is known of the input."""
    verdict = judged(EMPTY)
    assert (verdict.judgement, codes(verdict)) == (NOT_ENOUGH, {"no_lines"})
    unread = (Damage("a.gz", None, "cut"),)
    of = dataclasses.replace(EMPTY, damaged=2, unread=unread)
    verdict = judged(of, roster=roster(instance(1, None)))
    assert codes(verdict) == {"no_lines", "unwatched_instances", "damaged_input", "unread_files"}
    gone = judged(EMPTY, roster=roster(instance(1, None, "terminated")))
    assert codes(gone) == {"no_lines"}


@pytest.mark.parametrize(
    ("state", "judgement"),
    [
        ("running", NOT_ENOUGH),
        ("pending", NOT_ENOUGH),
        (None, NOT_ENOUGH),
        ("terminated", SAFE),
        ("stopped", SAFE),
    ],
)
def test_a_running_instance_without_a_log_is_not_enough(
    state: Optional[str], judgement: Judgement
) -> None:
    """One that does not run need not be watched."""
    whole, (a,), _ = judge(
        log_of_a(),
        roster=roster(instance(1, "a"), dataclasses.replace(instance(2, None), state=state)),
    )
    assert (whole.judgement, a.judgement) == (judgement, SAFE)
    assert ("unwatched_instances" in codes(whole)) == (judgement is NOT_ENOUGH)
    assert "only_logged" not in codes(whole)
    assert whole.safe_on is None


def log_of_a() -> Findings:
    return of_hosts((long_host("a"),))


def test_instances_without_a_log_are_named_by_group_and_owner() -> None:
    """The largest groups first, the rest by number."""
    lacking = [
        instance(2, None),
        instance(3, None),
        instance(4, None, group=None, template="lt-1", owner=None),
        instance(5, None, group=None, owner=None),
        Instance(None, "named", "running", group="x"),
        Instance(None, None, "running", group="y"),
    ]
    whole, _, _ = judge(log_of_a(), roster=roster(instance(1, "a"), *lacking))
    said = text(whole, "unwatched_instances")
    assert said.startswith(
        "1 of 7 running instances have a log; without one: Auto Scaling group web-asg (owner"
        " team-web): i-00000000000000002, i-00000000000000003; "
    )
    assert "Auto Scaling group x: named" in said
    assert "; and 2 more groups. Install the analyzer there" in said


@pytest.mark.parametrize(("days_ago", "judgement"), [(1, NOT_ENOUGH), (50, SAFE)])
@pytest.mark.parametrize("is_listed", [False, True])
def test_callers_of_an_instance_that_is_gone_count_if_no_successor_is_known(
    is_listed: bool, days_ago: float, judgement: Judgement
) -> None:
    """Somebody may launch its like. One that has stopped calling is in nobody's way."""
    found = of_hosts((long_host("a"), long_host("b")), (sighting(moments(days_ago), on="b"),))
    listed = (instance(2, "b", "terminated", group=None),) if is_listed else ()
    whole, (_, b), _ = judge(found, roster=roster(instance(1, "a"), *listed))
    assert (whole.judgement, b.judgement) == (judgement, judgement)
    assert ("gone_callers" in codes(whole)) == (judgement is NOT_ENOUGH)
    assert "gone" in codes(b)
    state = "it is terminated" if is_listed else "it is not in the list of instances"
    assert text(b, "gone").startswith(state)
    if judgement is NOT_ENOUGH:
        assert text(whole, "gone_callers").startswith(
            "1 instance that does not run, and of no known group with a successor, used v1: b: "
        )
        assert whole.safe_on == b.safe_on == ago(1) + 36 * DAY
    else:
        assert text(whole, "gone").startswith("1 instance not running: b")
        assert ("1 of 1 is in no list" in text(whole, "gone")) is not is_listed


def test_several_instances_that_are_gone_are_one_reason() -> None:
    """With their number."""
    names = "abc"
    callers = [sighting(moments(1), on=name) for name in "bc"]
    found = of_hosts([long_host(name) for name in names], callers)
    whole, _, _ = judge(found, roster=roster(instance(1, "a")))
    assert text(whole, "gone_callers").startswith("2 instances that do not run")


@pytest.mark.parametrize(
    ("state", "judgement"), [("stopped", NOT_ENOUGH), ("terminated", NOT_ENOUGH)]
)
def test_a_stopped_instance_of_a_group_without_others_may_return(
    state: str, judgement: Judgement
) -> None:
    """So may one of a group that was scaled to none: it launches another."""
    found = of_hosts((long_host("a"), long_host("b")), (sighting(moments(1), on="b"),))
    listed = (instance(1, "a", group="other"), instance(2, "b", state))
    whole, (_, b), _ = judge(found, roster=roster(*listed))
    assert (whole.judgement, b.judgement) == (judgement, judgement)


def test_a_gone_instance_with_a_successor_is_judged_by_it() -> None:
    """And the text says so."""
    found = of_hosts((long_host("a"), long_host("b")), (sighting(moments(1), on="b"),))
    listed = (instance(1, "a"), instance(2, "b", "terminated"))
    whole, (a, b), _ = judge(found, roster=roster(*listed))
    assert (whole.judgement, a.judgement, b.judgement) == (NOT_SAFE, NOT_SAFE, SAFE)
    assert text(b, "gone").endswith("its callers count for the Auto Scaling group web-asg")


def test_a_log_of_which_nothing_runs_is_not_enough() -> None:
    """Nobody knows what the instances that run do."""
    whole = judged(log_of_a(), roster=roster(instance(1, "a", "stopped")))
    assert (whole.judgement, "no_lines" in codes(whole)) == (NOT_ENOUGH, True)
    assert (whole.window, whole.covered_s, whole.safe_on) == (None, 0.0, None)
    assert judged(log(), roster=roster(instance(1, log().hosts[0].key))).judgement is SAFE


def test_calls_after_the_end_that_was_asked_for_are_told() -> None:
    """Whatever the verdict is, and also if no host is left."""
    quiet = log()
    assert "left_out" not in codes(judged(quiet))
    verdict = judged(dataclasses.replace(quiet, left_out={HOST: 3, "other": 1}))
    assert verdict.judgement is SAFE
    assert text(verdict, "left_out") == "4 later IMDSv1 calls on 2 hosts were left out by --until"
    nobody = dataclasses.replace(quiet, hosts=(), left_out={HOST: 1})
    assert text(judged(nobody), "left_out") == "1 later IMDSv1 call was left out by --until"


def test_less_silence_than_the_default_is_told() -> None:
    """Once, of several hosts, too."""
    of = of_hosts((long_host("a"), long_host("b")))
    assert "less_silence" not in codes(judged(of))
    assert "less_silence" not in codes(judged(of, rare=50 * DAY))
    said = text(judged(of, rare=14 * DAY), "less_silence")
    assert said.startswith("only 14 d of silence were asked for (--rare), not 35 d")
