"""CloudWatch's embedded metric format, by the rules of its specification and JSON schema."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from analyzer.recorder.records import Version
from analyzer.recorder.source_events import Lost
from tests.metrics import Bench
from tests.unit.recorder.metrics.test_counts import named, of_version
from tests.unit.recorder.sinks.test_jsonl import RECORD, lines_of

UNITS = re.compile(
    "(Seconds|Microseconds|Milliseconds|(Kilo|Mega|Giga|Tera)?(bytes|bits)(/Second)?|Percent"
    "|Count(/Second)?|None)",
    re.IGNORECASE,
)
NAME = re.compile(r"[^:\x00-\x1f\x7f-\U0010ffff][^\x00-\x1f\x7f-\U0010ffff]{0,254}")
DIMENSION = re.compile(r"(?=.*\S)[\x20-\x7e]{1,1024}")
# The limit of a log event was 256 KB for years, and is 1 MB now.
LINE_BYTES_MAX = 256 << 10

Line = dict[str, Any]
Point = tuple[frozenset[tuple[str, str]], str]


def points(line: Line) -> dict[Point, float]:
    """Return the values CloudWatch makes of a line; fails where it breaks a rule."""
    metadata = line["_aws"]
    assert set(metadata) == {"Timestamp", "CloudWatchMetrics"}
    assert type(metadata["Timestamp"]) is int
    assert 10**12 < metadata["Timestamp"] < 10**13  # milliseconds
    found: dict[Point, float] = {}
    for directive in metadata["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert re.fullmatch(r"[A-Za-z0-9._/#:-]{1,255}", directive["Namespace"])
        assert not directive["Namespace"].startswith("AWS/")
        assert directive["Dimensions"]
        assert 0 < len(directive["Metrics"]) <= 100
        for keys in directive["Dimensions"]:
            assert len(keys) <= 9
            for key in keys:
                assert NAME.fullmatch(key)
                assert isinstance(line[key], str)
                assert DIMENSION.fullmatch(line[key])
            dimensions = frozenset((key, line[key]) for key in keys)
            for metric in directive["Metrics"]:
                assert set(metric) == {"Name", "Unit"}
                assert NAME.fullmatch(metric["Name"])
                assert UNITS.fullmatch(metric["Unit"])
                value = line[metric["Name"]]
                assert type(value) in (int, float)
                assert 0 <= value < 2**360
                found[dimensions, metric["Name"]] = value
    return found


def sums(lines: list[Line]) -> dict[Point, float]:
    """Add up what several lines say of one metric, as CloudWatch does."""
    totals: dict[Point, float] = {}
    for line in lines:
        for point, value in points(line).items():
            totals[point] = totals.get(point, 0) + value
    return totals


def requests(totals: dict[Point, float], version: str, process: str = "") -> float:
    dimensions = {"ImdsVersion": version, **({"ProcessName": process} if process else {})}
    return totals[frozenset(dimensions.items()), "Requests"]


def of_analyzer(totals: dict[Point, float], name: str) -> float:
    return totals[frozenset(), name]


def count(bench: Bench, **settings: Any) -> None:
    """Start, and count five requests of three programs and a loss."""
    metrics = bench.start(emf=True, **settings)
    for name, version in (
        ("curl", Version.V1),
        ("curl", Version.V1),
        ("curl", Version.V2),
        ("naïve 日本\n", Version.V1),
        (" ", Version.V1),
    ):
        metrics.request(of_version(named(name), version))
    metrics.lost(Lost(7, 0, "ring_buffer_full"))
    metrics.tick(0, 1001)
    metrics.finish()


def test_lines_in_the_log_keep_the_rules_and_add_up(bench: Bench) -> None:
    """By version, by version and program, and what the analyzer says of itself."""
    count(bench)
    lines = bench.lines("metrics")
    totals = sums(lines)
    assert requests(totals, "v1") == 4
    assert requests(totals, "v2") == 1
    assert requests(totals, "unknown") == 0
    assert requests(totals, "v1", "curl") == 2
    assert requests(totals, "v2", "curl") == 1
    assert requests(totals, "v1", r"na\xefve \u65e5\u672c\n") == 1
    assert requests(totals, "v1", r"\x20") == 1
    assert of_analyzer(totals, "EventsLost") == 7
    assert of_analyzer(totals, "QueueHighWater") == 1001
    assert of_analyzer(totals, "LogErrors") == 0  # since the start: three were before
    assert of_analyzer(totals, "ResidentMemory") > 1 << 20
    # They are lines of the log like all others.
    for line in lines:
        # CloudWatch drops what is two weeks old, or two hours ahead.
        assert abs(line["_aws"]["Timestamp"] / 1000 - time.time()) < 600
        assert line["level"] == "info"
        assert line["observer"]
        assert {"process", "version"}.isdisjoint(name.lower() for name in line)


def test_an_interval_counts_what_was_new_in_it(bench: Bench) -> None:
    count(bench)
    metrics = bench.metrics
    assert metrics is not None
    before = len(bench.lines("metrics"))
    metrics.tick(0, 0)
    assert len(bench.lines("metrics")) == before  # not due
    metrics.request(RECORD)
    metrics._due = 0.0
    metrics.tick(0, 0)
    totals = sums(bench.lines("metrics")[before:])
    assert requests(totals, "v1") == requests(totals, "v1", "curl") == 1
    assert requests(totals, "v2") == 0
    assert of_analyzer(totals, "EventsLost") == 0


def test_a_crowd_of_callers_makes_bounded_lines(bench: Bench) -> None:
    metrics = bench.start(emf=True)
    for number in range(1001):
        metrics.request(named("\U0001f600" * 30 + str(number)))
    metrics.finish()
    lines = bench.lines("metrics")
    assert len(lines) < 200
    assert sum(len(str(line)) for line in lines) < LINE_BYTES_MAX
    assert requests(sums(lines), "v1") == 1001


def test_a_file_of_their_own_leaves_the_log_alone(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "emf" / "metrics.jsonl"
    count(bench, emf_file=str(path))
    assert bench.lines("metrics") == []
    assert requests(sums(lines_of(path)), "v1") == 4


@pytest.mark.parametrize("emf", [True, False])
def test_it_is_off_unless_it_is_on(bench: Bench, tmp_path: Path, emf: bool) -> None:
    """A file alone does not turn it on."""
    path = tmp_path / "metrics.jsonl"
    metrics = bench.start(emf=emf, emf_file=str(path))
    metrics.finish()
    assert path.exists() == emf
    assert bench.lines("metrics") == []


def test_the_queue_and_what_was_lost_are_those_of_the_interval(bench: Bench) -> None:
    """The most in any of its ticks, also in an early one; answers that were lost are no loss."""
    metrics = bench.start(emf=True)
    metrics.lost(Lost(3, 0, "ring_buffer_full"))
    metrics.lost(Lost(5, 0, "answers_ring_buffer_full", is_request=False))
    for high_water in (7, 1001, 13):
        metrics.tick(0, high_water)
    metrics.finish()
    metrics.tick(0, 17)
    metrics.finish()
    told = [line for line in bench.lines("metrics") if "EventsLost" in line]
    assert [line["EventsLost"] for line in told] == [3, 0]
    assert [line["QueueHighWater"] for line in told] == [1001, 17]
