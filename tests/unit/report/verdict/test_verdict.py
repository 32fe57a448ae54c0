"""SAFE, NOT SAFE, NOT ENOUGH EVIDENCE: each rule at its border, on each side of it."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Sequence
from typing import Any, Optional

import pytest

from analyzer.report.findings import Findings, Group, Host, Loss, Span, Tally
from analyzer.report.formats.wording import lasting
from analyzer.report.result import Comparison, Difference, Judgement, Verdict
from analyzer.report.verdict import rules as verdict_module
from analyzer.report.verdict.rules import EFFECTS, ORDER, RULES, judge_hosts
from tests.unit.report_samples import (
    DAY,
    HOUR,
    NOW,
    WEEK,
    everything,
    findings,
    fleet,
    gcp_probe,
    group,
    host,
    old_botocore,
    v2_only,
)

SAFE, NOT_SAFE = Judgement.SAFE, Judgement.NOT_SAFE
NOT_ENOUGH = Judgement.NOT_ENOUGH_EVIDENCE
MINUTE = datetime.timedelta(minutes=1)
START = NOW - WEEK
REFUSED = (Tally("v1", "no_token_header", "rejected", "credentials", 9),)


def judged(
    of: Findings,
    *,
    period: datetime.timedelta = WEEK,
    now: datetime.datetime = NOW,
    comparison: Optional[Comparison] = None,
) -> Verdict:
    return judge_hosts(of, period, now, comparison)[0]


def codes(verdict: Verdict) -> set[str]:
    return {each.code for each in verdict.reasons}


def text(verdict: Verdict, code: str) -> str:
    return next(each.text for each in verdict.reasons if each.code == code)


def of_host(*groups: Group, **fields: Any) -> Findings:
    """Return findings of one host that last called v1 when the groups did."""
    last = max((each.last_v1_at for each in groups if each.last_v1_at), default=None)
    return findings(groups or (v2_only(),), (host(**{"last_v1_at": last, **fields}),))


def with_gap(start: datetime.datetime, end: datetime.datetime) -> tuple[Span, ...]:
    return (Span(NOW - 8 * DAY, start), Span(end, NOW))


# --- SAFE ---------------------------------------------------------------------------------


def test_a_watched_host_without_v1_is_safe() -> None:
    """With how much was watched, and the reboot that was seen."""
    verdict = judged(of_host())
    assert verdict.judgement is SAFE
    assert codes(verdict) == {"boot_seen"}
    assert verdict.window == Span(START, NOW)
    assert verdict.covered_s == WEEK.total_seconds()


def test_probes_for_other_clouds_never_count() -> None:
    """They are v1 on the wire, and no credentials can be had with them."""
    assert judged(of_host(v2_only(), gcp_probe(), last_v1_at=None)).judgement is SAFE


# --- v1 left ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "judgement"),
    [
        (NOW - MINUTE, NOT_SAFE),
        (START + MINUTE, NOT_SAFE),
        (START, NOT_SAFE),
        (START - MINUTE, SAFE),
    ],
)
def test_v1_calls_count_within_the_period(last: datetime.datetime, judgement: Judgement) -> None:
    """Before it, a caller has stopped, and is named."""
    verdict = judged(of_host(old_botocore(first_at=last, last_at=last)))
    assert verdict.judgement is judgement
    code = "v1_calls" if judgement is NOT_SAFE else "stopped_calling"
    assert "/srv/app/worker.py (120 calls" in text(verdict, code)


def test_refused_v1_callers_are_broken_already() -> None:
    """NOT SAFE with a code of its own; beside others they have both."""
    refused = group("/srv/broken", tallies=REFUSED)
    assert codes(judged(of_host(refused))) >= {"v1_rejected"}
    assert "v1_calls" not in codes(judged(of_host(refused)))
    both = judged(of_host(refused, old_botocore()))
    assert {"v1_calls", "v1_rejected"} <= codes(both)
    assert "/srv/broken" not in text(both, "v1_calls")


def test_v1_calls_of_no_listed_caller_count() -> None:
    """What the host's numbers say needs no group."""
    verdict = judged(of_host(last_v1_at=NOW - HOUR, requests={"v1": 3, "v2": 1, "unknown": 0}))
    assert verdict.judgement is NOT_SAFE
    assert text(verdict, "v1_calls").startswith("3 calls used v1")


def test_the_period_can_be_chosen() -> None:
    """A shorter one asks for less."""
    three_days_ago = of_host(old_botocore(first_at=NOW - 3 * DAY, last_at=NOW - 3 * DAY))
    assert judged(three_days_ago).judgement is NOT_SAFE
    assert judged(three_days_ago, period=2 * DAY).judgement is SAFE


# --- callers that run rarely, or at boot ----------------------------------------------------


def rare(*days_ago: float) -> Group:
    times = sorted(NOW - each * DAY for each in days_ago)
    return old_botocore(
        first_at=times[0],
        last_at=times[-1],
        days=[each.date() for each in times],
        v1_days=[each.date() for each in times],
    )


@pytest.mark.parametrize(
    ("days_ago", "judgement"),
    [
        ((22, 15, 8), SAFE),  # weekly: a week and a day have passed
        ((21.9, 14.9, 7.9), NOT_ENOUGH),  # weekly: its next call may still be late
        ((45, 15), NOT_ENOUGH),  # monthly
        ((62, 32), SAFE),  # monthly, and 31 days have passed
        ((12, 11, 10, 9, 8), SAFE),  # daily
        ((12,), SAFE),  # once: nothing tells that it is rare
        ((21, 14, 6.9), NOT_SAFE),  # it called within the period
    ],
)
def test_a_rare_caller_must_have_had_its_next_chance(
    days_ago: Sequence[float], judgement: Judgement
) -> None:
    """A full interval, and a day, since its last v1 call."""
    start = NOW - 70 * DAY
    verdict = judged(
        of_host(rare(*days_ago), first_at=start, boots=(start, NOW - 5 * DAY, NOW - 2 * DAY))
    )
    assert verdict.judgement is judgement
    assert ("rare_caller" in codes(verdict)) == (judgement is NOT_ENOUGH)


def test_a_rare_caller_makes_the_window_longer() -> None:
    """All that time must have been watched."""
    monthly = rare(62, 32)
    verdict = judged(of_host(monthly, first_at=NOW - 20 * DAY))
    assert verdict.window == Span(NOW - 31 * DAY, NOW)
    assert (verdict.judgement, "short" in codes(verdict)) == (NOT_ENOUGH, True)


@pytest.mark.parametrize(
    ("boots_ago", "v1_ago", "is_waiting"),
    [
        ((20, 12), 12, True),  # called on the day of the boot, and it has not booted since
        ((20, 12, 3), 12, False),  # it has
        ((20, 12), 11, False),  # called on another day
        ((12,), 12, False),  # the first boot seen is only where the log begins
    ],
)
def test_a_caller_at_boot_must_have_had_a_reboot(
    boots_ago: Sequence[int], v1_ago: int, is_waiting: bool
) -> None:
    """Else nothing tells that it has stopped."""
    boots = [NOW - each * DAY for each in boots_ago]
    verdict = judged(of_host(rare(v1_ago - 0.01), first_at=boots[0], boots=boots))
    assert ("boot_caller" in codes(verdict)) == is_waiting
    assert verdict.judgement is (NOT_ENOUGH if is_waiting else SAFE)


def test_a_host_judges_a_caller_by_its_own_calls() -> None:
    """That it goes on elsewhere makes this host neither worse nor better."""
    caller = old_botocore(hosts=("a", "b"))
    hosts = (
        host("a", last_v1_at=NOW - HOUR),
        host("b", last_v1_at=NOW - 7.5 * DAY),
    )
    whole, (a, b) = judge_hosts(findings((caller,), hosts), WEEK, NOW)
    assert (whole.judgement, a.judgement, b.judgement) == (NOT_SAFE, NOT_SAFE, SAFE)
    assert "2026-11-14 12:00" in text(b, "stopped_calling")


# --- what was not watched -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gap", "code", "judgement"),
    [
        (100 * MINUTE, "small_gaps", SAFE),
        (102 * MINUTE, "gaps", NOT_ENOUGH),
    ],
)
def test_gaps_of_a_hundredth_of_the_window_are_too_much(
    gap: datetime.timedelta, code: str, judgement: Judgement
) -> None:
    """100.8 minutes of a week."""
    covered = with_gap(NOW - 3 * DAY, NOW - 3 * DAY + gap)
    verdict = judged(of_host(covered=covered))
    assert verdict.judgement is judgement
    assert code in codes(verdict)
    assert verdict.covered_s == (WEEK - gap).total_seconds()


def test_many_small_gaps_add_up() -> None:
    """At the edges, too."""
    hour = [NOW - n * DAY for n in range(6, 0, -1)]
    starts = [NOW - 8 * DAY, *(each + 20 * MINUTE for each in hour)]
    covered = [Span(a, b) for a, b in zip(starts, [*hour, NOW])]
    verdict = judged(of_host(covered=covered))
    assert (verdict.judgement, "gaps" in codes(verdict)) == (NOT_ENOUGH, True)
    assert "in 6 gaps" in text(verdict, "gaps")
    edges = [Span(START + 60 * MINUTE, NOW - DAY), Span(NOW - DAY + MINUTE, NOW - 60 * MINUTE)]
    assert "gaps" in codes(judged(of_host(covered=edges)))


@pytest.mark.parametrize(
    ("covered", "code"),
    [
        ((), "not_covered"),
        ((Span(NOW - 20 * DAY, NOW - 10 * DAY),), "not_covered"),
        ((Span(NOW - 6 * DAY, NOW),), "short"),
        ((Span(NOW - 8 * DAY, NOW - DAY),), "silent"),
    ],
)
def test_a_window_that_was_not_watched_is_not_enough(covered: Sequence[Span], code: str) -> None:
    """Whichever part of it."""
    verdict = judged(of_host(covered=covered))
    assert verdict.judgement is NOT_ENOUGH
    assert code in codes(verdict)


def test_edges_that_together_are_too_much_are_said() -> None:
    """No verdict is better for its unwatched time being cut in two."""
    covered = (Span(START + 60 * MINUTE, NOW - 60 * MINUTE),)
    verdict = judged(of_host(covered=covered))
    assert verdict.judgement is NOT_ENOUGH


def test_a_host_that_fell_silent_before_the_others_is_not_enough() -> None:
    """The end is that of the whole input."""
    hosts = (host("a"), host("b", last_at=NOW - DAY, covered=(Span(NOW - 9 * DAY, NOW - DAY),)))
    whole, (a, b) = judge_hosts(findings((v2_only(),), hosts), WEEK, NOW)
    assert (whole.judgement, a.judgement, b.judgement) == (NOT_ENOUGH, SAFE, NOT_ENOUGH)
    assert text(whole, "silent").startswith("1 of 2 hosts (b): not watched since")


# --- what is missing or unreadable ------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "is_request", "code", "judgement"),
    [
        (NOW - HOUR, True, "lost_events", NOT_ENOUGH),
        (NOW - HOUR, False, "lost_answers", SAFE),
        (START - HOUR, True, "", SAFE),
    ],
)
def test_lost_requests_within_the_window_count(
    at: datetime.datetime, is_request: bool, code: str, judgement: Judgement
) -> None:
    """Lost answers are a remark: the request itself was seen."""
    verdict = judged(of_host(losses=(Loss(at, "ring_full", 3, is_request),)))
    assert verdict.judgement is judgement
    assert {"lost_events", "lost_answers"} & codes(verdict) == ({code} if code else set())


@pytest.mark.parametrize(("at", "judgement"), [(NOW - HOUR, NOT_ENOUGH), (START - HOUR, SAFE)])
def test_requests_of_unknown_version_count_within_the_period(
    at: datetime.datetime, judgement: Judgement
) -> None:
    """They may have been v1."""
    verdict = judged(of_host(last_unknown_at=at, requests={"v1": 0, "v2": 5, "unknown": 2}))
    assert verdict.judgement is judgement


def test_a_damaged_log_is_never_safe() -> None:
    """Nobody knows whose lines they were, so it holds for every host."""
    damaged = dataclasses.replace(of_host(), damaged=1)
    whole, hosts = judge_hosts(damaged, WEEK, NOW)
    assert whole.judgement is NOT_ENOUGH
    assert {each.judgement for each in hosts} == {NOT_ENOUGH}
    assert text(whole, "damaged_input").startswith("1 line could not be read")


@pytest.mark.parametrize("damaged", [0, 3])
def test_an_empty_log_is_never_safe(damaged: int) -> None:
    """It has no window either."""
    verdict = judged(findings((), (), lines=0, damaged=damaged))
    assert (verdict.judgement, verdict.window, verdict.covered_s) == (NOT_ENOUGH, None, 0.0)
    assert codes(verdict) == {"no_lines"} | ({"damaged_input"} if damaged else set())


def test_a_host_without_any_request_is_not_enough() -> None:
    """Perhaps nothing is captured; a probe for another cloud shows that it is."""
    nothing = {"v1": 0, "v2": 0, "unknown": 0}
    assert codes(judged(of_host(requests=nothing))) >= {"no_requests"}
    assert judged(of_host(requests=nothing)).judgement is NOT_ENOUGH
    assert judged(of_host(requests=nothing, other_clouds=1)).judgement is SAFE


# --- times --------------------------------------------------------------------------------------


def test_lines_from_the_future_are_not_enough() -> None:
    """Five minutes are allowed between clocks."""
    for ahead, judgement in ((4 * MINUTE, SAFE), (6 * MINUTE, NOT_ENOUGH)):
        verdict = judged(of_host(last_at=NOW + ahead))
        assert verdict.judgement is judgement
        assert ("clock_ahead" in codes(verdict)) == (judgement is NOT_ENOUGH)
        assert verdict.window == Span(START, NOW)


def test_an_old_log_says_nothing_of_today() -> None:
    """A day is allowed: logs are collected daily."""
    assert judged(of_host(), now=NOW + DAY).judgement is SAFE
    verdict = judged(of_host(), now=NOW + DAY + MINUTE)
    assert (verdict.judgement, "old_log" in codes(verdict)) == (NOT_ENOUGH, True)


@pytest.mark.parametrize(("ago", "judgement"), [(59 * MINUTE, NOT_ENOUGH), (HOUR, SAFE)])
def test_a_host_that_booted_just_now_is_not_enough(
    ago: datetime.timedelta, judgement: Judgement
) -> None:
    """What runs some time after boot has not called yet."""
    verdict = judged(of_host(boots=(NOW - 8 * DAY, NOW - ago)))
    assert verdict.judgement is judgement


def test_the_begin_of_a_log_is_no_boot() -> None:
    """When the host really booted is not known."""
    assert "recent_boot" not in codes(judged(of_host(boots=(NOW - MINUTE,))))


def test_that_no_reboot_was_seen_is_a_remark() -> None:
    """Servers run for months; the first boot of a log is only where it begins."""
    verdict = judged(of_host(boots=(NOW - 8 * DAY,)))
    assert verdict.judgement is SAFE
    assert "no_boot_seen" in codes(verdict)
    assert "boot_seen" not in codes(verdict)
    assert "no_boot_seen" in codes(judged(of_host(boots=(NOW - 9 * DAY, NOW - 8 * DAY))))


@pytest.mark.parametrize(("ago", "is_said"), [(23 * HOUR, True), (25 * HOUR, False)])
def test_a_recent_deployment_is_a_remark(ago: datetime.timedelta, is_said: bool) -> None:
    """A job that a timer starts looks like one."""
    verdict = judged(of_host(deployed_at=NOW - ago))
    assert verdict.judgement is SAFE
    assert ("recent_deployment" in codes(verdict)) == is_said


# --- CloudWatch ---------------------------------------------------------------------------------


def difference(start: datetime.datetime, counted: int = 5, **fields: Any) -> Difference:
    defaults = {"recorded": 0, "unanswered": 0, "is_covered": True}
    span = Span(start, start + HOUR)
    return Difference("MetadataNoToken", span, counted, **{**defaults, **fields})


@pytest.mark.parametrize(
    ("differences", "code", "judgement"),
    [
        ([], "accounted", SAFE),
        ([difference(NOW - DAY)], "unaccounted_calls", NOT_SAFE),
        ([difference(NOW - DAY, is_covered=False)], "unwatched_calls", NOT_SAFE),
        ([difference(START - DAY)], "unaccounted_earlier", NOT_ENOUGH),
        ([difference(START - DAY, is_covered=False)], "boot_seen", SAFE),
        ([difference(NOW - DAY, recorded=9)], "accounted", SAFE),
        ([difference(NOW - DAY, recorded=3, unanswered=2)], "accounted", SAFE),
    ],
)
def test_what_aws_counted_and_the_log_lacks_is_a_v1_caller(
    differences: list[Difference], code: str, judgement: Judgement
) -> None:
    """Watched or not: AWS says that somebody used v1."""
    comparison = Comparison(168, 5, 0, tuple(differences))
    verdict = judged(of_host(), comparison=comparison)
    assert verdict.judgement is judgement
    assert code in codes(verdict)


# --- the whole --------------------------------------------------------------------------------


def test_the_whole_is_as_its_worst_host() -> None:
    """And says of which hosts what is so."""
    whole, hosts = judge_hosts(fleet(30), WEEK, NOW)
    assert whole.judgement is NOT_SAFE
    assert [each.judgement for each in hosts].count(NOT_SAFE) == 10
    assert [each.judgement for each in hosts].count(SAFE) == 20
    assert text(whole, "v1_calls").startswith(
        "1 caller still uses v1, on 10 of 30 hosts (ip-10-0-0-0, ip-10-0-0-3, ip-10-0-0-6 and 7"
    )
    assert text(whole, "boot_seen").startswith("all 30 hosts")


def test_a_caller_of_more_hosts_than_are_listed_may_be_on_any() -> None:
    """So none of them loses its name."""
    names = [f"h{n}" for n in range(25)]
    caller = old_botocore(hosts=names[:20], host_count=25)
    hosts = [host(each, last_v1_at=NOW - HOUR) for each in names]
    _, verdicts = judge_hosts(findings((caller,), hosts), WEEK, NOW)
    assert all("/srv/app/worker.py" in text(each, "v1_calls") for each in verdicts)


def test_reasons_come_gravest_first() -> None:
    """In the order of the rules, for everything at once."""
    verdict = judged(dataclasses.replace(everything(), damaged=2))
    ranks = [ORDER.index(EFFECTS[each.code]) for each in verdict.reasons]
    assert ranks == sorted(ranks, reverse=True)
    assert [each.effect for each in RULES] == sorted(
        (each.effect for each in RULES), key=ORDER.index, reverse=True
    )


def test_times_are_written_in_their_two_largest_units() -> None:
    """For sentences."""
    assert [
        lasting(each)
        for each in (7 * DAY, 7.5 * DAY, 90 * MINUTE, 5 * MINUTE, MINUTE / 2, DAY + MINUTE)
    ] == ["7 d", "7 d 12 h", "1 h 30 min", "5 min", "30 s", "1 d"]


def test_a_large_fleet_is_judged_quickly() -> None:
    """Each group is looked at for its own hosts only."""
    names = [f"h{n}" for n in range(2000)]
    groups = [
        old_botocore(program=f"/srv/{name}", hosts=(name,), last_at=NOW - HOUR) for name in names
    ]
    hosts: list[Host] = [host(each, last_v1_at=NOW - HOUR) for each in names]
    whole, verdicts = judge_hosts(findings(groups, hosts), WEEK, NOW)
    assert whole.judgement is NOT_SAFE
    assert all(f"/srv/{each.host} (" in text(each, "v1_calls") for each in verdicts)


def test_the_table_in_the_documentation_is_that_of_the_rules() -> None:
    """Each code, with its effect, in the same order."""
    rows = re.findall(r"^\| (\w+) +\| (SAFE|NOT SAFE|NOT ENOUGH EVIDENCE|remark) +\|",
                      str(verdict_module.__doc__), re.MULTILINE)  # fmt: skip
    effects = {each.value: each for each in Judgement} | {"remark": SAFE}
    documented = [(code, effects[effect]) for code, effect in rows]
    assert [each for each in documented if each[0] != "no_lines"] == [
        (each.code, each.effect) for each in RULES
    ]
    assert dict(documented) == EFFECTS
