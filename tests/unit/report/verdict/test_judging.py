"""SAFE, NOT SAFE, NOT ENOUGH EVIDENCE: of hosts and of the whole."""

from __future__ import annotations

import dataclasses

import pytest

from analyzer.report.findings import Damage
from analyzer.report.formats.wording import lasting
from analyzer.report.hosts import Loss, Odd, Span
from analyzer.report.result import Standing
from analyzer.report.verdict.rules import EFFECTS, ORDER
from tests.unit.report.verdict.samples import (
    MINUTE,
    NOT_ENOUGH,
    NOT_SAFE,
    SAFE,
    START,
    ago,
    codes,
    every,
    judge,
    judged,
    log,
    long_host,
    moments,
    of_hosts,
    sighting,
    text,
)
from tests.unit.report_samples import DAY, HOUR, NOW, WEEK, gcp_probe, group


def test_a_watched_host_without_v1_is_safe() -> None:
    """With how much was watched, and what it cannot know."""
    verdict = judged(log())
    assert verdict.judgement is SAFE
    assert codes(verdict) == {"only_logged", "boot_seen", "no_month_start"}
    assert verdict.window == Span(START, NOW)
    assert verdict.covered_s == WEEK.total_seconds()
    assert (verdict.callers, verdict.safe_on) == ((), None)


def test_probes_for_other_clouds_never_count() -> None:
    """They are v1 on the wire, and no credentials can be had with them."""
    assert judged(log(groups=(gcp_probe(),), other_clouds=7)).judgement is SAFE


def test_v1_calls_within_the_period_are_named() -> None:
    """With the host's own numbers, not those of the fleet."""
    known = group("/srv/worker.py", caller="k")
    callers = [
        sighting(moments(1, 2), caller="k", on="a"),
        sighting(moments(3), caller="k", on="b"),
    ]
    of = of_hosts((long_host("a"), long_host("b")), callers)
    whole, (a, b), _ = judge(dataclasses.replace(of, groups=(known,)))
    assert text(a, "v1_calls") == (
        "1 caller still uses v1, the last on 2026-11-21 00:00 UTC: /srv/worker.py (2 calls, last"
        " on 2026-11-21 00:00 UTC). Fix it"
    )
    assert "/srv/worker.py (1 call, last on 2026-11-19 00:00 UTC)" in text(b, "v1_calls")
    assert text(whole, "v1_calls") == (
        "1 caller still uses v1, on all 2 hosts: /srv/worker.py (2 hosts, last on"
        " 2026-11-21 00:00 UTC). Fix it"
    )


def test_callers_of_one_name_are_told_apart() -> None:
    """By their keys."""
    groups = [group("agent", caller=f"by={n}") for n in range(2)]
    of = log(*(sighting(moments(1), caller=f"by={n}") for n in range(2)), groups=groups)
    said = text(judged(of), "v1_calls")
    assert "agent [by=0] (1 call" in said
    assert "agent [by=1] (1 call" in said


def test_a_host_judges_a_caller_by_its_own_calls() -> None:
    """That it goes on elsewhere makes this host neither worse nor better."""
    callers = [sighting(every(1, 30, 0), on="a"), sighting(every(1, 30, 9), on="b")]
    whole, (a, b), _ = judge(of_hosts((long_host("a"), long_host("b")), callers))
    assert (whole.judgement, a.judgement, b.judgement) == (NOT_SAFE, NOT_SAFE, SAFE)
    assert "last on 2026-11-13 00:00 UTC" in text(b, "stopped_calling")


def test_in_the_way_is_what_keeps_it_from_safe() -> None:
    """Each caller has its standing, the worst first."""
    callers = [
        sighting(every(1, 30, 10), caller="silent"),
        sighting(moments(1), caller="calls"),
        sighting(every(1, 30, 10), v2=every(1, 9, 0), caller="mended"),
        sighting(moments(20), caller="due"),
    ]
    whole = judged(log(*callers))
    assert [(each.caller, each.standing) for each in whole.callers] == [
        ("calls", Standing.CALLS),
        ("due", Standing.DUE),
        ("mended", Standing.SPEAKS_V2),
        ("silent", Standing.SILENT),
    ]


def test_a_host_that_is_known_by_its_id_is_shown_by_its_name() -> None:
    """And by both, if another host has the same name."""
    one, other = long_host("web"), long_host("web")
    hosts = (dataclasses.replace(one, key="i-1"), dataclasses.replace(other, key="i-2"))
    odd = Odd("before_boot", 1, ago(1), ago(1), "x")
    hosts = (hosts[0], dataclasses.replace(hosts[1], odd=(odd,)))
    whole, (a, b), _ = judge(of_hosts(hosts))
    assert ((a.host, a.name), (b.host, b.name)) == (("i-1", "web"), ("i-2", "web"))
    assert text(whole, "impossible_time").startswith(
        "impossible times on 1 of 2 hosts, web [i-2]: "
    )


def test_the_period_can_be_chosen() -> None:
    """A shorter one asks for less."""
    caller = sighting(every(1, 30, 3))
    assert judged(log(caller)).judgement is NOT_SAFE
    assert judged(log(caller), period=2 * DAY).judgement is SAFE


def test_a_later_log_of_another_host_makes_no_host_better() -> None:
    """A host's period ends with its own last line."""
    caller = sighting(every(1, 30, 7), on="a")
    a = long_host("a")
    assert judged(of_hosts((a,), (caller,))).judgement is NOT_SAFE
    b = long_host("b", last_at=NOW + HOUR)
    _, (first, _), _ = judge(of_hosts((a, b), (caller,)), now=NOW + HOUR)
    assert first.judgement is NOT_SAFE


def test_the_whole_is_as_its_worst_host() -> None:
    """And says of which hosts what is so."""
    names = [f"web-{n:02d}" for n in range(30)]
    callers = [sighting(moments(1), on=name) for name in names[::3]]
    whole, hosts, groups = judge(of_hosts([long_host(name) for name in names], callers))
    assert whole.judgement is NOT_SAFE
    assert [each.judgement for each in hosts].count(NOT_SAFE) == 10
    assert [each.judgement for each in hosts].count(SAFE) == 20
    assert text(whole, "v1_calls").startswith("1 caller still uses v1, on 10 of 30 hosts: ")
    assert text(whole, "boot_seen").startswith("boot watched on all 30 hosts")
    assert len(whole.callers) == 10
    assert groups == ()


def test_reasons_come_gravest_first() -> None:
    """For much at once, of hosts and of the whole."""
    callers = [sighting(moments(1)), sighting(moments(20), caller="b")]
    loss = Loss(ago(1), "ring_full", 1, True)
    of = log(*callers, losses=(loss,), overlap=Span(ago(3), ago(2)))
    unread = (Damage("a", None, "cut"),)
    for verdict in judge(dataclasses.replace(of, damaged=2, unread=unread))[1]:
        ranks = [ORDER.index(EFFECTS[each.code]) for each in verdict.reasons]
        assert ranks == sorted(ranks, reverse=True)
        assert len(ranks) > 5


def test_times_are_written_in_their_two_largest_units() -> None:
    """For sentences."""
    assert [
        lasting(each)
        for each in (7 * DAY, 7.5 * DAY, 90 * MINUTE, 5 * MINUTE, MINUTE / 2, DAY + MINUTE)
    ] == ["7 d", "7 d 12 h", "1 h 30 min", "5 min", "30 s", "1 d"]


@pytest.mark.no_cover  # counting lines takes most of the time, and other tests come by them
@pytest.mark.timeout(60)
def test_a_large_fleet_is_judged_quickly() -> None:
    """Each caller is looked at for its own host only."""
    names = [f"h{n}" for n in range(2000)]
    month = every(1, 30, 1)
    callers = [
        sighting(month, caller=f"/srv/{name}/{n}", on=name) for name in names for n in range(5)
    ]
    whole, verdicts, _ = judge(of_hosts([long_host(name) for name in names], callers))
    assert whole.judgement is NOT_SAFE
    assert all(f"/srv/{each.host}/" in text(each, "v1_calls") for each in verdicts)
    assert NOT_ENOUGH not in {each.judgement for each in verdicts}
