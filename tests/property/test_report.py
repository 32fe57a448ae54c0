"""An engine's numbers are those of a program that reads every line and counts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from analyzer.report.engine import duckdb
from analyzer.report.engine.gathering import Options
from analyzer.report.findings import Findings
from analyzer.report.inputs import open_inputs
from tests.fleet.lines import Fleet, write_fleet
from tests.fleet.reference import findings_of, read_lines

FLEETS = (
    Fleet(seed=1, hosts=1, requests=300, days=0.2, heartbeat_s=60),
    Fleet(seed=2, hosts=7, requests=3000, days=9, heartbeat_s=3600),
    Fleet(seed=3, hosts=40, requests=2000, days=2, heartbeat_s=1800),
    Fleet(seed=4, hosts=3, requests=500, days=1, heartbeat_s=300, calm=True),
)
LARGE = 2000


def findings(directory: Path, options: Options) -> Findings:
    with open_inputs([str(directory)]) as files:
        return duckdb.gather(files, options)


def assert_same(found: Findings, expected: Findings) -> None:
    """Compare part by part, so that a failure shows the part."""
    for one, other in zip(found.groups, expected.groups):
        assert dataclasses.asdict(one) == dataclasses.asdict(other)
    for host, other_host in zip(found.hosts, expected.hosts):
        assert host == other_host
    assert found == expected


@pytest.mark.parametrize("fleet", FLEETS, ids=lambda fleet: f"{fleet.hosts}-hosts")
def test_duckdb_finds_what_counting_finds(
    tmp_path: Path, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every field of the findings, over hosts, reboots, gaps, losses and rotated files.

    The larger ones are asked as much larger ones would be: with all of DuckDB's optimizations.
    """
    if fleet.requests >= LARGE:
        monkeypatch.setattr(duckdb, "SMALL_BYTES", 0)
    lines = write_fleet(tmp_path, fleet)
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    found = findings(tmp_path, Options())
    assert found.lines == lines
    assert found.damaged == 0
    assert_same(found, findings_of(read_lines(files), found.bucket_s, len(files)))


def test_a_small_input_is_planned_in_less_time_and_counted_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB leaves most optimizations out for it."""
    write_fleet(tmp_path, Fleet(seed=5, hosts=3, requests=300, days=1, heartbeat_s=300))
    size = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert size < duckdb.SMALL_BYTES
    small = findings(tmp_path, Options(bucket_s=3600))
    monkeypatch.setattr(duckdb, "SMALL_BYTES", size - 1)
    assert_same(findings(tmp_path, Options(bucket_s=3600)), small)
