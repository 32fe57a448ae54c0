"""Lines that cannot count as they are count for nothing, and are told."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from analyzer.report.hosts import Host
from tests.unit.report.engine.lines import HOUR, START, Boot, Line, found_in

HOST = Boot("app", "b1", "i-0123456789abcdef0")
EARLY = datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc)


def host(directory: Path, *lines: Line) -> Host:
    (found,) = found_in(directory, [HOST.started(START, START), *lines]).hosts
    return found


@pytest.mark.parametrize(
    ("line", "example"),
    [
        (HOST.call(START + HOUR, "v3"), "imds.version: v3"),
        (HOST.call(START + HOUR, "v2", provider="aws2"), "imds.provider: aws2"),
        (HOST.event(START + HOUR, "imds_summary"), "event: imds_summary"),
    ],
)
def test_what_is_not_understood_counts_for_nothing(
    tmp_path: Path, line: Line, example: str
) -> None:
    """A later release may have written it; it is no damage."""
    found = host(tmp_path, line)
    (odd,) = found.odd
    assert (odd.kind, odd.count, odd.example) == ("not_understood", 1, example)
    assert (odd.first_at, odd.last_at) == (START + HOUR, START + HOUR)
    assert found.requests == {"v1": 0, "v2": 0, "unknown": 0}
    assert found.other_clouds == 0


@pytest.mark.parametrize("name", ["GCP", "gcp", "Google", "Azure", "AZURE", "Alibaba", " oci "])
def test_another_clouds_probe_is_one_in_any_spelling(tmp_path: Path, name: str) -> None:
    """It is no call to AWS, and understood."""
    found = host(tmp_path, HOST.call(START + HOUR, provider=name))
    assert (found.other_clouds, found.requests["v1"], found.odd) == (1, 0, ())


def test_aws_is_aws_in_any_spelling(tmp_path: Path) -> None:
    """A call without a token counts against."""
    assert host(tmp_path, HOST.call(START + HOUR, provider="AWS")).requests["v1"] == 1


def test_a_line_of_before_imdsv2_tells_no_time(tmp_path: Path) -> None:
    """The host's window is that of its other lines."""
    found = host(tmp_path, HOST.call(EARLY, "v2"))
    assert [(odd.kind, odd.count, odd.first_at) for odd in found.odd] == [("too_early", 1, EARLY)]
    assert found.first_at == START


def test_a_line_of_before_its_boot_is_told(tmp_path: Path) -> None:
    """A call without a token counts against all the same; a second is the clock."""
    assert host(tmp_path, HOST.call(START - HOUR / 3600)).odd == ()
    found = host(tmp_path, HOST.call(START - HOUR))
    assert [(odd.kind, odd.count) for odd in found.odd] == [("before_boot", 1)]
    assert found.requests["v1"] == 1


@pytest.mark.parametrize("count", [{}, {"count": "many"}, {"count": -1}, {"count": None}])
def test_a_loss_without_a_readable_count_is_told(tmp_path: Path, count: Line) -> None:
    """How much was lost is not known, which is not the same as nothing."""
    found = host(tmp_path, HOST.event(START + HOUR, "events_lost", reason="x", **count))
    assert [odd.kind for odd in found.odd] == ["unreadable_loss"]
    fine = host(tmp_path, HOST.event(START + HOUR, "events_lost", reason="x", count=3))
    assert (fine.odd, fine.losses[0].count) == ((), 3)


@pytest.mark.parametrize("field", ["requests", "lost"])
@pytest.mark.parametrize("event", ["heartbeat", "analyzer_stopped"])
def test_a_counter_that_cannot_be_read_may_hide_a_loss(
    tmp_path: Path, event: str, field: str
) -> None:
    """Missing, or no number; the line tells all the same that the analyzer ran."""
    end = START + HOUR
    line = HOST.beat(end) if event == "heartbeat" else HOST.stopped(end, 3600.0)
    assert host(tmp_path, line).odd == ()
    for changed in ({**line, field: "many"}, {k: v for k, v in line.items() if k != field}):
        found = host(tmp_path, changed)
        assert [(odd.kind, odd.count, odd.example) for odd in found.odd] == [
            ("unreadable_loss", 1, event)
        ]
        assert found.covered[0].end == end


def test_losses_that_only_counters_tell(tmp_path: Path) -> None:
    """A copy without the lines of warnings; where these are there, nothing counts twice."""
    beat = HOST.beat(START + HOUR, lost=40)
    stop = HOST.stopped(START + 2 * HOUR, 7200.0, lost=50)
    told = HOST.event(START + HOUR / 2, "events_lost", count=50, reason="ring_buffer_full")
    answers = HOST.event(START + HOUR / 2, "events_lost", count=50, reason="answers_lost")
    (loss,) = host(tmp_path, beat, beat).losses
    assert (loss.reason, loss.count, loss.is_request) == ("counted_lost", 40, True)
    assert loss.at == START + HOUR
    (loss,) = host(tmp_path, beat, stop).losses
    assert loss.count == 50
    assert [each.reason for each in host(tmp_path, beat, stop, told).losses] == ["ring_buffer_full"]
    found = [each.reason for each in host(tmp_path, beat, stop, answers).losses]
    assert sorted(found) == ["answers_lost", "counted_lost"]


def test_a_folded_line_with_a_version_that_nobody_knows(tmp_path: Path) -> None:
    """It is not understood, also beside a version that is known."""
    count = {"operation": "metadata", "outcome": "success", "count": 3}
    for versions in (("v9",), ("v2", "v9"), (None, "v2")):
        counts = [{**count, "version": version} for version in versions]
        found = host(tmp_path, HOST.call(START + HOUR, "v2", repeated=counts))
        (odd,) = found.odd
        assert (odd.kind, odd.example) == ("not_understood", "imds.repeated.version")
    counts = [{**count, "version": version} for version in ("v2", "unknown")]
    assert host(tmp_path, HOST.call(START + HOUR, "v2", repeated=counts)).odd == ()
