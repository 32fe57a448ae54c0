"""Groups of instances: what was seen of one counts for its successors, and for no other."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any, Optional

import pytest

from analyzer.report.callers import FURTHER, Sighting
from analyzer.report.findings import Findings
from analyzer.report.hosts import Host, Loss, Odd, Shortfall, Span
from analyzer.report.result import Acceptance, GroupVerdict, Judgement, Standing, Verdict
from analyzer.report.roster.instances import Instance, Roster
from analyzer.report.verdict.groups import group_of
from tests.unit.report.verdict.samples import (
    CALLER,
    MINUTE,
    NOT_ENOUGH,
    NOT_SAFE,
    SAFE,
    ago,
    codes,
    every,
    instance,
    judge,
    launch,
    long_host,
    moments,
    of_hosts,
    only,
    roster,
    sighting,
    text,
)
from tests.unit.report_samples import DAY, HOUR, NOW

# How long an instance of the fleet lives, in days: six hours.
LIFE = 0.25


def short_lived(n: int, days_ago: float, lives: float = LIFE, **fields: Any) -> Host:
    """Return an instance that was launched so many days ago, and watched while it lived."""
    start = ago(days_ago)
    end = min(start + lives * DAY, NOW)
    defaults: dict[str, Any] = {
        "first_at": start,
        "last_at": end,
        "boots": (launch(start, 5.0),),
        "covered": (Span(start + 5 * MINUTE / 60, end),),
        "deployed_at": None,
    }
    return long_host(f"h{n}", **{**defaults, **fields})


def fleet(days: float = 12.0) -> list[Host]:
    """Return instances one after the other, up to the present."""
    count = int(days / LIFE)
    return [short_lived(n, (count - n) * LIFE) for n in range(count)]


def of_fleet(hosts: Sequence[Host], running: int = 1, **fields: Any) -> Roster:
    """Return the roster of these hosts, of which the last run."""
    states = ["terminated"] * (len(hosts) - running) + ["running"] * running
    return roster(
        *(
            instance(n, host.key, state, **fields)
            for n, (host, state) in enumerate(zip(hosts, states))
        )
    )


def on_fleet(
    hosts: Sequence[Host], *callers: Sighting, of: Optional[Roster] = None, **options: Any
) -> tuple[Verdict, Verdict, GroupVerdict]:
    """Return the verdicts on the whole, on the last host, and on the only group."""
    found = of_hosts(hosts, callers)
    whole, verdicts, (group,) = judge(found, roster=of or of_fleet(hosts), **options)
    return whole, verdicts[-1], group


def test_a_fleet_of_short_lives_can_be_safe() -> None:
    """The group was watched for the period, with its launches. One instance was not."""
    hosts = fleet()
    whole, last, group = on_fleet(hosts)
    assert (whole.judgement, last.judgement, group.judgement) == (SAFE, SAFE, SAFE)
    assert text(last, "young").endswith("its Auto Scaling group web-asg was watched all the time,"
                                        " with 28 launches")  # fmt: skip
    assert (group.name, group.kind, group.running, group.launches) == (
        "web-asg",
        "Auto Scaling group",
        1,
        28,
    )
    assert group.watched_s > 0.99 * 7 * DAY.total_seconds()
    alone = roster(*(instance(n, each.key, group=None) for n, each in enumerate(hosts[-1:])))
    whole, (one,), groups = judge(of_hosts(hosts[-1:]), roster=alone)
    assert (one.judgement, "young" in codes(one), groups) == (NOT_ENOUGH, False, ())


def changed(host: Host, **fields: Any) -> Host:
    """Return a host with some of its facts changed."""
    return dataclasses.replace(host, **fields)


LOSS = Loss(ago(3), "ring_full", 1, True)
ODD = Odd("too_early", 1, ago(3), ago(3), "x")
SHORTFALL = Shortfall(Span(ago(3) - HOUR, ago(3)), "v1", 2, 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"covered": ()},
        {"losses": (LOSS,)},
        {"overlap": Span(ago(3), ago(2.9))},
        {"odd": (ODD,)},
        {"shortfalls": (SHORTFALL,)},
    ],
)
def test_a_group_that_was_not_watched_whole_cannot_speak(fields: dict[str, Any]) -> None:
    """If requests of one of its instances are missing in the period, nobody saw that time."""
    hosts = fleet()
    index = len(hosts) - 12  # of three days ago
    hosts[index] = changed(hosts[index], **fields)
    whole, last, _ = on_fleet(hosts)
    assert (whole.judgement, last.judgement) == (NOT_ENOUGH, NOT_ENOUGH)
    assert "The group cannot speak for it yet." in text(last, "short")


def test_losses_of_before_the_period_do_not_count_against_a_group() -> None:
    """They do not against an instance."""
    hosts = fleet()
    hosts[0] = changed(hosts[0], losses=(Loss(ago(11.9), "ring_full", 1, True),))
    at = Span(ago(11.9) - HOUR, ago(11.9))
    hosts[1] = changed(hosts[1], shortfalls=(Shortfall(at, "v1", 2, 1),))
    assert on_fleet(hosts)[0].judgement is SAFE


def test_a_later_log_of_another_group_moves_no_group_s_period() -> None:
    """The period begins its length before the group's last line, as that of a host does."""
    hosts = fleet()
    index = len(hosts) - 28
    loss = Loss(hosts[index].first_at + 20 * MINUTE, "ring_full", 1, True)
    hosts[index] = changed(hosts[index], losses=(loss,))
    last = f"h{len(hosts) - 1}"
    later = long_host("other", last_at=NOW + 40 * MINUTE)
    for several in (hosts, [*hosts, later]):
        listed = (*of_fleet(hosts).instances, instance(99, "other", group="x"))
        _, verdicts, _ = judge(of_hosts(several), roster=roster(*listed), now=NOW + 40 * MINUTE)
        (one,) = (each for each in verdicts if each.host == last)
        assert (one.judgement, "young" in codes(one)) == (NOT_ENOUGH, False)


@pytest.mark.parametrize(
    "boot",
    [
        launch(ago(LIFE), None),
        launch(ago(LIFE), 61.0),
        dataclasses.replace(launch(ago(LIFE)), booted_at=None),
    ],
)
def test_an_instance_that_was_not_watched_from_its_launch_is_judged_alone(boot: Any) -> None:
    """And so is one without any boot."""
    hosts = fleet()
    for boots in ((boot,), ()):
        last = on_fleet([*hosts[:-1], changed(hosts[-1], boots=boots)])[1]
        assert (last.judgement, "young" in codes(last)) == (NOT_ENOUGH, False)


def test_a_launch_that_is_not_the_first_boot_is_none() -> None:
    """The roster says when it was launched: the log begins with a later boot."""
    hosts = fleet()
    late = of_fleet(hosts, launched_at=NOW - 90 * DAY)
    _, last, group = on_fleet(hosts, of=late)
    assert (group.launches, last.judgement) == (0, NOT_ENOUGH)


def test_the_youngest_instance_of_a_group_is_young_though_it_just_booted() -> None:
    """Its boot is none that is waited for: its group has had others."""
    hosts = [*fleet(), short_lived(99, 2 / 24 / 60)]
    last = on_fleet(hosts, of=of_fleet(hosts, running=2))[1]
    assert "recent_boot" not in codes(last)
    assert last.judgement is SAFE


# --- callers of instances that no longer run -----------------------------------------------


def long_fleet() -> list[Host]:
    """Return a fleet that was watched for sixty days: a day each."""
    return [short_lived(n, 60 - n, lives=1) for n in range(60)]


@pytest.mark.parametrize(
    ("days_ago", "standing", "judgement"),
    [
        (3, Standing.CALLS, NOT_SAFE),
        (20, Standing.DUE, NOT_ENOUGH),
        (40, Standing.SILENT, SAFE),
    ],
)
def test_a_former_instance_s_caller_counts_for_the_running_ones(
    days_ago: int, standing: Standing, judgement: Judgement
) -> None:
    """What it called is evidence for its successors."""
    hosts = long_fleet()
    caller = sighting(moments(days_ago), on=hosts[60 - days_ago].key)
    whole, last, group = on_fleet(hosts, caller)
    assert (only(last).standing, only(last).former) == (standing, f"h{60 - days_ago}")
    assert (whole.judgement, last.judgement, group.judgement) == (judgement,) * 3
    assert "gone" in codes(whole)
    if judgement is NOT_SAFE:
        assert "on the former instance h57" in text(last, "v1_calls")


def test_a_silence_that_the_group_was_not_watched_through_clears_nothing() -> None:
    """Until as long after the gap."""
    hosts = long_fleet()
    caller = sighting(moments(40), on=hosts[20].key)
    assert on_fleet(hosts, caller)[0].judgement is SAFE
    hosts[40] = changed(hosts[40], covered=())
    last = on_fleet(hosts, caller)[1]
    assert (last.judgement, only(last).standing) == (NOT_ENOUGH, Standing.DUE)
    assert only(last).safe_on == hosts[41].covered[0].start + 36 * DAY


def test_a_boot_caller_is_cleared_by_a_later_launch_of_its_group() -> None:
    """Of any instance, if that was watched from the start."""
    hosts = long_fleet()
    caller = sighting(moments(20), on=hosts[40].key, v1_at_boot=1, boot_offset_s=20.0)
    whole, last, _ = on_fleet(hosts, caller)
    assert (whole.judgement, only(last).standing) == (SAFE, Standing.BOOTED)
    blind = [
        changed(each, boots=(launch(each.boots[0].at, None),)) if n > 40 else each
        for n, each in enumerate(hosts)
    ]
    last = on_fleet(blind, caller)[1]
    assert (last.judgement, only(last).standing) == (NOT_ENOUGH, Standing.AWAITS_BOOT)
    assert "launch an instance of its group" in text(last, "boot_caller")


def test_one_caller_on_many_former_instances_is_one() -> None:
    """Its rhythm is that of all of them, and its switch to v2 may be anywhere in the group."""
    hosts = long_fleet()
    callers = [sighting(moments(59.5 - n), on=hosts[n].key) for n in range(0, 45, 5)]
    last = on_fleet(hosts, *callers)[1]
    assert (only(last).calls, only(last).interval) == (9, 5 * DAY)
    assert (only(last).standing, only(last).former) == (Standing.SILENT, "h40")
    switched = Sighting(CALLER, hosts[-1].key, tuple(every(1, 20, 19)), tuple(every(1, 18, 0)), 2)
    daily = [sighting(moments(60 - n), on=hosts[n].key) for n in range(40)]
    found = of_hosts(hosts, [*daily, switched])
    _, verdicts, _ = judge(found, roster=of_fleet(hosts))
    former = [each for each in verdicts[-1].callers if each.former]
    assert [each.standing for each in former] == [Standing.SPEAKS_V2]


@pytest.mark.parametrize(
    ("own_v2", "elsewhere_v2", "standing"),
    [
        ((), every(1, 3, 0), Standing.SPEAKS_V2),
        ((), moments(3), Standing.CALLS),  # one call shows nothing
        (every(1, 12, 4), every(1, 3, 0), Standing.CALLS),  # it spoke both in turn
        ((), every(1, 12, 0), Standing.SPEAKS_V2),  # another was mended before
        # The successor was launched, and spoke v2, while the former instance still ran.
        ((), [Span(ago(3.6), ago(3.1)), *every(1, 3, 0)], Standing.SPEAKS_V2),
    ],
)
def test_successors_that_speak_v2_clear_a_former_caller(
    own_v2: Sequence[Span], elsewhere_v2: Sequence[Span], standing: Standing
) -> None:
    """As the next image of a group does: they never used IMDSv1."""
    former = Sighting(CALLER, "a", tuple(every(1, 12, 3.5)), tuple(own_v2), 9)
    successor = Sighting(CALLER, "b", (), tuple(elsewhere_v2), 0)
    hosts = (long_host("a", last_at=ago(3), last_v1_at=ago(3.5)), long_host("b"))
    found = dataclasses.replace(of_hosts(hosts, (former,)), successors=(successor,))
    listed = roster(instance(1, "a", "terminated"), instance(2, "b"))
    whole, (_, b), _ = judge(found, roster=listed)
    assert (only(b).standing, only(b).former) == (standing, "a")
    assert (whole.judgement is SAFE) == (standing is Standing.SPEAKS_V2)


def test_calls_without_a_caller_on_a_former_instance_count() -> None:
    """Nobody knows who that was."""
    hosts = long_fleet()
    hosts[55] = changed(hosts[55], last_v1_at=ago(4.5), requests={"v1": 3, "v2": 9, "unknown": 0})
    last = on_fleet(hosts)[1]
    assert (last.judgement, only(last).caller, only(last).former) == (NOT_SAFE, FURTHER, "h55")


@pytest.mark.parametrize(
    ("hosts_named", "judgement"),
    [((), SAFE), (("web-asg",), SAFE), (("h57",), SAFE), (("other-asg",), NOT_SAFE)],
)
def test_a_decision_can_be_for_a_group(hosts_named: tuple[str, ...], judgement: Judgement) -> None:
    """Or for one of its instances, or for all."""
    hosts = long_fleet()
    caller = sighting(moments(3), on=hosts[57].key)
    decision = Acceptance(CALLER, "Ana", "goes", datetime.date(2027, 1, 1), hosts_named)
    whole, _, _ = on_fleet(hosts, caller, accepted=(decision,))
    assert whole.judgement is judgement


# --- which group, and what becomes of it ---------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "group"),
    [
        ({"group": "a", "template": "lt-1", "image": "ami-1"}, ("Auto Scaling group", "a")),
        ({"group": None, "template": "lt-1", "image": "ami-1"}, ("launch template", "lt-1")),
        ({"group": None, "image": "ami-1"}, ("AMI", "ami-1")),
        ({"group": None}, None),
    ],
)
def test_a_group_is_what_launches_successors(
    fields: dict[str, Any], group: Optional[tuple[str, str]]
) -> None:
    """The nearest of the three."""
    assert group_of(instance(1, None, **fields)) == group


def test_a_group_without_a_log_is_not_judged() -> None:
    """Its running instances are without a log, and that is said of the whole."""
    other = instance(2, None, group="silent-asg")
    whole, _, groups = judge(of_hosts((long_host("a"),)), roster=roster(instance(1, "a"), other))
    assert [each.name for each in groups] == ["web-asg"]
    assert "unwatched_instances" in codes(whole)


def test_a_group_with_a_running_instance_without_a_log_is_not_enough() -> None:
    """Though those with a log are SAFE."""
    found = of_hosts((long_host("a"),))
    whole, (a,), (group,) = judge(found, roster=roster(instance(1, "a"), instance(2, None)))
    assert (whole.judgement, a.judgement, group.judgement) == (NOT_ENOUGH, SAFE, NOT_ENOUGH)
    assert (group.running, group.unwatched) == (2, 1)


@pytest.mark.parametrize(("days_ago", "judgement"), [(1, NOT_ENOUGH), (None, SAFE)])
def test_a_group_of_which_nothing_runs_is_judged_by_its_former_callers(
    days_ago: Optional[float], judgement: Judgement
) -> None:
    """It scaled to nothing, and may come back."""
    hosts = fleet()
    callers = [] if days_ago is None else [sighting(moments(1), on=hosts[-4].key)]
    found = of_hosts([*hosts, long_host("other")], callers)
    instances = of_fleet(hosts, running=0).instances
    _, _, groups = judge(found, roster=roster(*instances, instance(99, "other", group="x")))
    assert {each.name: each.judgement for each in groups} == {"web-asg": judgement, "x": SAFE}


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_entries_for_one_host_the_running_one_counts(order: int) -> None:
    """In whichever order the roster has them."""
    entries: list[Instance] = [instance(1, "a", "terminated"), instance(2, "a", "running")]
    found: Findings = of_hosts((long_host("a"),), (sighting(moments(1), on="a"),))
    whole, _, (group,) = judge(found, roster=roster(*entries[::order]))
    assert (whole.judgement, group.hosts) == (NOT_SAFE, ("a",))


@pytest.mark.parametrize(
    ("members", "days_ago", "judgement", "has_date"),
    [
        ([], 20, NOT_ENOUGH, True),  # not in the list: nobody knows its group
        ([], 40, SAFE, False),
        ([instance(2, "old", "stopped", group="db")], 20, NOT_ENOUGH, False),
        ([instance(2, "old", "stopped", group="db")], 40, NOT_ENOUGH, False),
    ],
)
def test_a_caller_of_an_instance_that_is_gone_for_good_is_forgotten(
    members: Sequence[Instance], days_ago: int, judgement: object, *, has_date: bool
) -> None:
    """After the silence that is asked for; a stopped instance may call as soon as it starts."""
    old = long_host("old", last_at=ago(days_ago) + HOUR)
    of = of_hosts((long_host("new"), old), (sighting(moments(days_ago), on="old"),))
    whole = judge(of, roster=roster(instance(1, "new"), *members))[0]
    assert (whole.judgement, "gone_callers" in codes(whole)) == (
        judgement,
        judgement is NOT_ENOUGH,
    )
    assert whole.safe_on == (ago(days_ago) + 36 * DAY if has_date else None)
    if members:
        assert text(whole, "gone_callers").startswith(
            "1 stopped instance used v1, and may again once started: old: "
        )
        assert "Start it with the analyzer, terminate it" in text(whole, "gone_callers")


def test_stopped_and_terminated_instances_are_said_apart() -> None:
    """What helps is not the same."""
    names = ("a", "b", "c")
    callers = [sighting(moments(20), on=name) for name in names]
    of = of_hosts((long_host("new"), *(long_host(name) for name in names)), callers)
    states = ("stopped", "stopped", "terminated")
    gone = [instance(n + 2, names[n], state, group=None) for n, state in enumerate(states)]
    whole = judge(of, roster=roster(instance(1, "new"), *gone))[0]
    said = text(whole, "gone_callers")
    assert said.startswith("2 stopped instances used v1, and may again once started: a: ")
    assert "Start them with the analyzer, terminate them" in said
    assert ". 1 instance that does not run, and of no known group with a successor, used" in said
