"""Who used IMDSv1 on a host is known from the whole input, with the days of its calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.report.callers import Sighting
from analyzer.report.engine import sql
from analyzer.report.hosts import Span
from tests.unit.report.engine.lines import DAY, HOUR, MINUTE, START, Boot, Line, found_in

ONE, OTHER = "i-0123456789abcdef0", "i-0123456789abcdef1"
HOST, SECOND = Boot("app", "b1", ONE), Boot("app", "b2", OTHER)
NOON = START + 12 * HOUR


def sightings(directory: Path, lines: list[Line]) -> tuple[Sighting, ...]:
    return found_in(directory, lines).sightings


def test_each_caller_has_a_sighting_on_each_host(tmp_path: Path) -> None:
    """With a span for each day; only successful calls with a token are calls of v2."""
    lines = [
        HOST.started(START - DAY),
        SECOND.started(START - DAY),
        HOST.call(NOON),
        HOST.call(NOON + HOUR, outcome="rejected"),
        HOST.call(NOON + DAY),
        HOST.call(NOON + 2 * DAY, "v2"),
        HOST.call(NOON + 2 * DAY + HOUR, "v2"),
        HOST.call(NOON + 3 * DAY, "v2", outcome="rejected"),
        HOST.call(NOON + 4 * DAY, "v2", operation="token"),
        HOST.call(NOON + 5 * DAY, provider="gcp"),
        HOST.call(NOON, "v2", "speaks v2"),
        SECOND.call(NOON),
    ]
    first, second = sightings(tmp_path, lines)
    assert (first.caller, first.host, first.all_v1, first.v1_rejected) == ("app", ONE, 3, 1)
    assert first.v1 == (Span(NOON, NOON + HOUR), Span(NOON + DAY, NOON + DAY))
    assert first.v2 == (Span(NOON + 2 * DAY, NOON + 2 * DAY + HOUR),)
    assert (second.host, second.all_v1, second.v2) == (OTHER, 1, ())
    assert not first.v1_at_boot
    assert first.boot_offset_s is None is first.boot_last_s


def test_folded_calls_count_for_what_they_stand_for(tmp_path: Path) -> None:
    """Also by outcome."""
    counts = [
        {"version": "v1", "operation": "metadata", "outcome": "success", "count": 40},
        {"version": "v1", "operation": "metadata", "outcome": "rejected", "count": 2},
    ]
    (found,) = sightings(tmp_path, [HOST.started(START), HOST.call(NOON, repeated=counts)])
    assert (found.all_v1, found.v1_rejected) == (42, 2)


def test_since_hides_no_caller(tmp_path: Path) -> None:
    """What is listed is of the window; what is behind its end is not known yet."""
    lines = [HOST.call(START), HOST.call(START + 9 * DAY, "v2"), HOST.call(START + 20 * DAY)]
    found = found_in(tmp_path, lines, since=START + 8 * DAY, until=START + 10 * DAY)
    (sighting,) = found.sightings
    assert sighting.v1 == (Span(START, START),)
    assert len(sighting.v2) == 1
    assert found.groups[0].count("v1") == 0
    assert found.hosts[0].requests == {"v1": 0, "v2": 1, "unknown": 0}
    assert found.lines == 1
    assert sum(bucket.requests["v1"] for bucket in found.timeline) == 0


@pytest.mark.parametrize("has_time", [True, False])
def test_a_call_within_ten_minutes_is_at_boot(tmp_path: Path, has_time: bool) -> None:
    """Of the boot's time, or where no line tells it, of its first line."""
    started = HOST.started(START + MINUTE / 6, START if has_time else None)
    lines = [started, HOST.call(START + 2 * MINUTE), HOST.call(START + 9 * MINUTE)]
    (found,) = sightings(tmp_path, lines)
    assert found.is_boot_only
    assert found.v1_at_boot == 2
    assert found.boot_offset_s == (120.0 if has_time else None)
    assert found.boot_last_s == (540.0 if has_time else 530.0)


def test_a_caller_that_calls_later_too_is_no_boot_caller(tmp_path: Path) -> None:
    """On the same day, or on another."""
    lines = [HOST.started(START, START), HOST.call(START + MINUTE)]
    for later in (11 * MINUTE, 2 * DAY):
        (found,) = sightings(tmp_path, [*lines, HOST.call(START + later)])
        assert not found.is_boot_only
        assert found.v1_at_boot == 1


@pytest.mark.parametrize(
    ("unit", "kind", "launcher", "is_boot"),
    [
        ("cloud-final.service", "script", "", True),
        ("cloud-init-local.service", "script", "", True),
        ("x.service", "boot", "", True),
        ("x.service", "script", "/var/lib/cloud/instance/scripts/part-001", True),
        ("cloud-init-hotplugd.service", "script", "", False),
        ("cloud-initiative.service", "program", "/opt/cloud-init", False),
    ],
)
def test_what_cloud_init_runs_is_at_boot_however_late(
    tmp_path: Path, unit: str, kind: str, launcher: str, is_boot: bool
) -> None:
    """User data may take an hour; devices that come later are no boot."""
    who = {"program": "x", "kind": kind, "launcher": launcher, "key": "k"}
    lines = [HOST.started(START, START), HOST.call(START + HOUR, unit=unit, caller=who)]
    (found,) = sightings(tmp_path, lines)
    assert found.is_boot_only is is_boot
    assert found.boot_offset_s == (3600.0 if is_boot else None)
    assert found.boot_last_s == (3600.0 if is_boot else None)


def test_what_is_left_out_are_those_with_the_fewest_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the number of pairs, and of their days."""
    lines = [HOST.started(START - DAY)]
    for number in range(4):
        lines += [HOST.call(NOON + day * DAY, key=f"k{number}") for day in range(number + 1)]
    environment = sql._environment()
    assert environment.cache is not None
    for bound, expected in (
        ({"SIGHTINGS_MAX": 2}, ["k3", "k2"]),
        ({"SIGHTING_DAYS_MAX": 9}, ["k3", "k2", "k1"]),
    ):
        with monkeypatch.context() as patch:
            for name, value in bound.items():
                patch.setitem(environment.globals, name, value)
            environment.cache.clear()
            assert [each.caller for each in sightings(tmp_path, lines)] == expected
    environment.cache.clear()


def test_since_hides_no_host_with_a_caller(tmp_path: Path) -> None:
    """Though it has no line since; a host that called with tokens only is left out."""
    lines = [
        Boot("gone", "b1").call(START),
        Boot("fine", "b2").call(START, "v2"),
        Boot("here", "b3").call(START + 9 * DAY, "v2"),
    ]
    found = found_in(tmp_path, lines, since=START + 8 * DAY)
    assert [host.name for host in found.hosts] == ["gone", "here"]
    assert found.hosts[0].requests == {"v1": 0, "v2": 0, "unknown": 0}


def test_calls_that_are_not_clear_are_known(tmp_path: Path) -> None:
    """Of unknown version, or with a token and refused: IMDSv1 may have come behind them."""
    lines = [
        HOST.call(NOON),
        HOST.call(NOON + DAY, "unknown"),
        HOST.call(NOON + 2 * DAY, "v2", outcome="rejected"),
        HOST.call(NOON + 3 * DAY, "v2", outcome="not_found"),
        HOST.call(NOON + 4 * DAY, "v2", operation="token", outcome="rejected"),
    ]
    (found,) = sightings(tmp_path, lines)
    assert found.unclear == tuple(Span(NOON + n * DAY, NOON + n * DAY) for n in (1, 2))


def test_a_caller_that_speaks_v2_elsewhere_is_a_successor(tmp_path: Path) -> None:
    """On hosts where it never used IMDSv1; others that never did are of no interest."""
    lines = [
        HOST.call(NOON),
        SECOND.call(NOON + DAY, "v2"),
        SECOND.call(NOON + 2 * DAY, "v2"),
        SECOND.call(NOON, "v2", "another"),
        SECOND.call(NOON, "v2", operation="token"),
    ]
    (found,) = found_in(tmp_path, lines).successors
    assert (found.caller, found.host, found.v1, found.all_v1) == ("app", OTHER, (), 0)
    assert found.v2 == tuple(Span(NOON + n * DAY, NOON + n * DAY) for n in (1, 2))
