"""Hosts are told apart by their instances, and their boots are known as far as lines tell."""

from __future__ import annotations

from pathlib import Path

from analyzer.report.hosts import Boot as FoundBoot
from analyzer.report.hosts import Span
from tests.unit.report.engine.lines import DAY, HOUR, MINUTE, START, Boot, found_in

ONE, OTHER = "i-0123456789abcdef0", "i-0123456789abcdef1"


def test_two_instances_with_one_name_are_two(tmp_path: Path) -> None:
    """Private names repeat over networks, accounts and time."""
    first, second = Boot("app", "b1", ONE), Boot("app", "b2", OTHER)
    lines = [first.call(START), first.call(START + HOUR, "v2"), second.call(START + HOUR, "v2")]
    found = found_in(tmp_path, lines)
    assert [(host.key, host.name, host.instance_id) for host in found.hosts] == [
        (ONE, "app", ONE),
        (OTHER, "app", OTHER),
    ]
    assert [host.requests["v1"] for host in found.hosts] == [1, 0]
    assert found.groups[0].v1_hosts == (ONE,)
    assert found.groups[0].host_count == 2


def test_an_instance_that_is_renamed_is_one(tmp_path: Path) -> None:
    """Its name is the newest, whatever the order of the lines."""
    former, later = Boot("ip-10-0-0-5", "b1", ONE), Boot("web", "b1", ONE)
    lines = [later.call(START + HOUR), former.call(START), former.call(START + MINUTE)]
    (host,) = found_in(tmp_path, lines).hosts
    assert (host.key, host.name, host.names) == (ONE, "web", ("ip-10-0-0-5", "web"))
    assert host.requests["v1"] == 3
    assert host.overlap is None


def test_lines_without_an_id_belong_to_the_instance_of_their_boot(tmp_path: Path) -> None:
    """An older release did not write it."""
    lines = [Boot("app", "b1").call(START), Boot("app", "b1", ONE).call(START + HOUR)]
    (host,) = found_in(tmp_path, lines).hosts
    assert (host.key, host.requests["v1"]) == (ONE, 2)


def test_a_boot_that_two_instances_claim_is_nobodys(tmp_path: Path) -> None:
    """A boot has one id, so that one of the two is forged."""
    lines = [Boot("app", "b1", each).call(START) for each in (ONE, OTHER, None)]
    assert [host.key for host in found_in(tmp_path, lines).hosts] == ["app", ONE, OTHER]


def test_a_rename_within_a_boot_is_one_host(tmp_path: Path) -> None:
    """cloud-init gives a host its name after the analyzer's start."""
    lines = [Boot("localhost", "b1").call(START), Boot("web", "b1").call(START + HOUR)]
    lines.append(Boot("web", "b2").call(START + DAY))
    (host,) = found_in(tmp_path, lines).hosts
    assert (host.key, host.names, host.requests["v1"]) == ("web", ("localhost", "web"), 3)


def test_a_name_never_passes_for_an_instance(tmp_path: Path) -> None:
    """Neither a name that is one's id, nor one that has the mark of such names."""
    names = (ONE, f"host={ONE}", "mi-x", "web")
    lines = [Boot(name, f"b{at}").call(START) for at, name in enumerate(names)]
    lines.append(Boot("app", "b9", ONE).call(START))
    lines.append(Boot("app", "b8", "host=web").call(START))  # no instance id is like this
    assert {host.key: host.name for host in found_in(tmp_path, lines).hosts} == {
        ONE: "app",
        f"host={ONE}": ONE,
        f"host=host={ONE}": f"host={ONE}",
        "host=mi-x": "mi-x",
        "web": "web",
        "app": "app",
    }


def test_boots_of_one_name_that_overlap_are_two_hosts(tmp_path: Path) -> None:
    """Without ids nothing else tells them apart; some seconds are a line that came late."""
    first, second = Boot("app", "b1"), Boot("app", "b2")
    lines = [first.call(START), first.call(START + HOUR), second.call(START + 2 * HOUR)]
    assert found_in(tmp_path, lines).hosts[0].overlap is None
    late = second.call(START + HOUR - MINUTE / 20)
    assert found_in(tmp_path, [*lines, late]).hosts[0].overlap is None
    early = second.call(START + MINUTE)
    overlap = found_in(tmp_path, [*lines, early]).hosts[0].overlap
    assert overlap == Span(START + MINUTE, START + HOUR)
    for each in (first, second):
        each.instance = ONE
    lines = [first.call(START), first.call(START + HOUR), second.call(START + MINUTE)]
    assert found_in(tmp_path, lines).hosts[0].overlap is None


def test_the_first_start_of_a_boot_tells_of_it(tmp_path: Path) -> None:
    """A later start in the same boot attached later."""
    boot, bare = Boot("app", "b1", ONE), Boot("app", "b2", ONE)
    lines = [
        boot.call(START + MINUTE / 2),
        boot.started(START + MINUTE, START, 8.5),
        boot.stopped(START + HOUR, 3540),
        boot.started(START + 2 * HOUR, START, 7200.0),
        boot.stopped(START + 3 * HOUR, 3600),
        bare.call(START + DAY),
        bare.stopped(START + DAY + MINUTE, 60),
        bare.call(START + DAY + HOUR),
    ]
    (host,) = found_in(tmp_path, lines).hosts
    assert host.boots == (
        FoundBoot("b1", START + MINUTE / 2, START + 3 * HOUR, START, 8.5, START + 3 * HOUR),
        FoundBoot("b2", START + DAY, START + DAY + HOUR),
    )
    assert host.boots[1].at == START + DAY


def test_since_hides_no_boot(tmp_path: Path) -> None:
    """Boots count from the whole input, also those of which the window has no line."""
    boots = [Boot("app", f"b{day}", ONE) for day in range(3)]
    lines = [each.call(START + day * DAY) for day, each in enumerate(boots)]
    (host,) = found_in(tmp_path, lines, since=START + 2 * DAY).hosts
    assert [each.id for each in host.boots] == ["b0", "b1", "b2"]
    assert (host.first_at, host.requests["v1"]) == (START + 2 * DAY, 1)


def test_analyzers_without_boot_ids_that_overlap_are_two_hosts(tmp_path: Path) -> None:
    """One writes while the other's interval is under way. A restart is one analyzer."""
    one = Boot("app", "")
    beats = [one.beat(START + n * HOUR) for n in range(1, 4)]
    again = [one.started(START + 3.5 * HOUR), one.beat(START + 4.5 * HOUR)]
    lines = [one.started(START), *beats, *again]
    assert found_in(tmp_path, lines).hosts[0].overlap is None
    assert found_in(tmp_path, [*lines, beats[0]]).hosts[0].overlap is None  # delivered twice
    others = [one.beat(START + (n + 0.5) * HOUR) for n in (1, 2)]
    overlap = found_in(tmp_path, [*lines, *others]).hosts[0].overlap
    assert overlap == Span(START + HOUR / 2, START + HOUR)
    started = found_in(tmp_path, [*lines, one.started(START + 1.5 * HOUR)]).hosts[0].overlap
    assert started == Span(START + HOUR, START + 1.5 * HOUR)
    one.instance = ONE
    lines = [one.beat(START + n * HOUR / 2) for n in range(2, 6)]
    assert found_in(tmp_path, lines).hosts[0].overlap is None


def test_calls_after_the_end_are_counted_and_left_out(tmp_path: Path) -> None:
    """Those of IMDSv1; a folded line counts for what it stands for."""
    one, other = Boot("app", "b1", ONE), Boot("late", "b2")
    folded = [
        {"version": "v1", "operation": "metadata", "outcome": "success", "count": 7},
        {"version": "v2", "operation": "metadata", "outcome": "success", "count": 5},
    ]
    lines = [one.call(START), one.call(START + HOUR), one.call(START + DAY, "v2")]
    lines += [one.call(START + DAY, repeated=folded), other.call(START + DAY)]
    lines += [one.call(START + DAY, provider="gcp")]
    found = found_in(tmp_path, lines, until=START + HOUR)
    assert found.left_out == {ONE: 8, "late": 1}
    assert [(host.key, host.requests["v1"]) for host in found.hosts] == [(ONE, 1)]
    assert (found.lines, len(found.sightings)) == (1, 1)
    assert found_in(tmp_path, lines).left_out == {}
