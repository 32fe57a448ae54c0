"""Lines that cannot count as they are count for nothing, and are told."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import pytest

from analyzer.report.hosts import Host
from tests.unit.report.engine.lines import (
    HOUR,
    START,
    Boot,
    Line,
    found_in,
    name_of,
    on_hosts_of_their_own,
)

HOST = Boot("app", "b1", "i-0123456789abcdef0")
EARLY = datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc)


NOT_UNDERSTOOD = {
    "imds.version: v3": HOST.call(START + HOUR, "v3"),
    "imds.provider: aws2": HOST.call(START + HOUR, "v2", provider="aws2"),
    "event: imds_summary": HOST.event(START + HOUR, "imds_summary"),
}
CLOUDS = ("GCP", "gcp", "Google", "Azure", "AZURE", "Alibaba", " oci ")
COUNTS: Mapping[str, Line] = {
    "missing": {},
    "text": {"count": "many"},
    "negative": {"count": -1},
    "null": {"count": None},
}
COUNTERS = {
    "heartbeat": HOST.beat(START + HOUR),
    "analyzer_stopped": HOST.stopped(START + HOUR, 3600.0),
}
BEAT = HOST.beat(START + HOUR, lost=40)
STOP = HOST.stopped(START + 2 * HOUR, 7200.0, lost=50)
FOLDED = {"operation": "metadata", "outcome": "success", "count": 3}


def lost(reason: str, **fields: object) -> Line:
    return HOST.event(START + HOUR / 2, "events_lost", reason=reason, **fields)


def folded(*versions: str | None) -> Line:
    counts = [{**FOLDED, "version": version} for version in versions]
    return HOST.call(START + HOUR, "v2", repeated=counts)


def without(line: Line, field: str) -> Line:
    return {name: value for name, value in line.items() if name != field}


# What a host's log has besides its first line. Each is on a host of its own, in one report.
CASES: Mapping[str, tuple[Line, ...]] = {
    **{example: (line,) for example, line in NOT_UNDERSTOOD.items()},
    **{name: (HOST.call(START + HOUR, provider=name),) for name in (*CLOUDS, "AWS")},
    "too early": (HOST.call(EARLY, "v2"),),
    "a second before its boot": (HOST.call(START - HOUR / 3600),),
    "before its boot": (HOST.call(START - HOUR),),
    **{f"count {name}": (lost("x", **count),) for name, count in COUNTS.items()},
    "count 3": (lost("x", count=3),),
    **{event: (line,) for event, line in COUNTERS.items()},
    **{
        f"{event} {how} {field}": (changed,)
        for event, line in COUNTERS.items()
        for field in ("requests", "lost")
        for how, changed in (("text", {**line, field: "many"}), ("no", without(line, field)))
    },
    "beat twice": (BEAT, BEAT),
    "beat, stop": (BEAT, STOP),
    "beat, stop, told": (BEAT, STOP, lost("ring_buffer_full", count=50)),
    "beat, stop, answers": (BEAT, STOP, lost("answers_lost", count=50)),
    "folded v9": (folded("v9"),),
    "folded v2, v9": (folded("v2", "v9"),),
    "folded null, v2": (folded(None, "v2"),),
    "folded v2, unknown": (folded("v2", "unknown"),),
}


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Host]:
    """Return the host of each case."""
    logs = [(HOST.started(START, START), *own) for own in CASES.values()]
    names = {name_of(number): name for number, name in enumerate(CASES)}
    found = found_in(tmp_path_factory.mktemp("odd"), on_hosts_of_their_own(logs))
    return {names[host.key]: host for host in found.hosts}


@pytest.mark.parametrize("example", NOT_UNDERSTOOD)
def test_what_is_not_understood_counts_for_nothing(hosts: Mapping[str, Host], example: str) -> None:
    """A later release may have written it; it is no damage."""
    found = hosts[example]
    (odd,) = found.odd
    assert (odd.kind, odd.count, odd.example) == ("not_understood", 1, example)
    assert (odd.first_at, odd.last_at) == (START + HOUR, START + HOUR)
    assert found.requests == {"v1": 0, "v2": 0, "unknown": 0}
    assert found.other_clouds == 0


@pytest.mark.parametrize("name", CLOUDS)
def test_another_clouds_probe_is_one_in_any_spelling(hosts: Mapping[str, Host], name: str) -> None:
    """It is no call to AWS, and understood."""
    found = hosts[name]
    assert (found.other_clouds, found.requests["v1"], found.odd) == (1, 0, ())


def test_aws_is_aws_in_any_spelling(hosts: Mapping[str, Host]) -> None:
    """A call without a token counts against."""
    assert hosts["AWS"].requests["v1"] == 1


def test_a_line_of_before_imdsv2_tells_no_time(hosts: Mapping[str, Host]) -> None:
    """The host's window is that of its other lines."""
    found = hosts["too early"]
    assert [(odd.kind, odd.count, odd.first_at) for odd in found.odd] == [("too_early", 1, EARLY)]
    assert found.first_at == START


def test_a_line_of_before_its_boot_is_told(hosts: Mapping[str, Host]) -> None:
    """A call without a token counts against all the same; a second is the clock."""
    assert hosts["a second before its boot"].odd == ()
    found = hosts["before its boot"]
    assert [(odd.kind, odd.count) for odd in found.odd] == [("before_boot", 1)]
    assert found.requests["v1"] == 1


@pytest.mark.parametrize("count", COUNTS)
def test_a_loss_without_a_readable_count_is_told(hosts: Mapping[str, Host], count: str) -> None:
    """How much was lost is not known, which is not the same as nothing."""
    assert [odd.kind for odd in hosts[f"count {count}"].odd] == ["unreadable_loss"]


def test_a_loss_with_a_count_is_not_odd(hosts: Mapping[str, Host]) -> None:
    """It is a loss of as many."""
    fine = hosts["count 3"]
    assert (fine.odd, fine.losses[0].count) == ((), 3)


@pytest.mark.parametrize("event", COUNTERS)
def test_counters_that_can_be_read_are_not_odd(hosts: Mapping[str, Host], event: str) -> None:
    """Else the test below would show nothing."""
    assert hosts[event].odd == ()


@pytest.mark.parametrize("field", ["requests", "lost"])
@pytest.mark.parametrize("event", COUNTERS)
@pytest.mark.parametrize("how", ["text", "no"])
def test_a_counter_that_cannot_be_read_may_hide_a_loss(
    hosts: Mapping[str, Host], how: str, event: str, field: str
) -> None:
    """Missing, or no number; the line tells all the same that the analyzer ran."""
    found = hosts[f"{event} {how} {field}"]
    assert [(odd.kind, odd.count, odd.example) for odd in found.odd] == [
        ("unreadable_loss", 1, event)
    ]
    assert found.covered[0].end == START + HOUR


def test_losses_that_only_counters_tell(hosts: Mapping[str, Host]) -> None:
    """A copy without the lines of warnings; where these are there, nothing counts twice."""
    (loss,) = hosts["beat twice"].losses
    assert (loss.reason, loss.count, loss.is_request) == ("counted_lost", 40, True)
    assert loss.at == START + HOUR
    (loss,) = hosts["beat, stop"].losses
    assert loss.count == 50
    assert [each.reason for each in hosts["beat, stop, told"].losses] == ["ring_buffer_full"]
    found = [each.reason for each in hosts["beat, stop, answers"].losses]
    assert sorted(found) == ["answers_lost", "counted_lost"]


@pytest.mark.parametrize("versions", ["v9", "v2, v9", "null, v2"])
def test_a_folded_line_with_a_version_that_nobody_knows(
    hosts: Mapping[str, Host], versions: str
) -> None:
    """It is not understood, also beside a version that is known."""
    (odd,) = hosts[f"folded {versions}"].odd
    assert (odd.kind, odd.example) == ("not_understood", "imds.repeated.version")


def test_a_folded_line_with_known_versions_is_not_odd(hosts: Mapping[str, Host]) -> None:
    """An unknown version is one of them."""
    assert hosts["folded v2, unknown"].odd == ()
