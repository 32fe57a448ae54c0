"""Snapshots of several files are one, in which no account and Region is twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.account.file import as_bytes
from analyzer.account.model import Part, Period, RegionFacts, Snapshot
from analyzer.errors import AnalyzerError
from analyzer.report.account.snapshots import CLOCKS_DIFFER, read
from tests.unit.report.account.samples import (
    METRICS,
    REQUIRED,
    counted,
    facts,
    failure,
    snapshot,
    snapshots,
)
from tests.unit.report_samples import DAY, HOUR, NOW


def files(path: Path, *several: Snapshot) -> list[Path]:
    paths = [path / f"{n}.json" for n in range(len(several))]
    for each, of in zip(paths, several):
        each.write_bytes(as_bytes(of))
    return paths


def other(*instances: object, region: str = "us-east-1") -> Snapshot:
    regions = (RegionFacts("444455556666", region, instances=tuple(instances)),)  # type: ignore[arg-type]
    metrics = Period(METRICS.start - DAY, NOW - DAY)
    return snapshot(regions=regions, taken_at=NOW - DAY, metrics=metrics)


def test_several_files_are_one(tmp_path: Path) -> None:
    of = read(files(tmp_path, snapshot(facts(1)), other(facts(2))), NOW)
    assert [facts.id for _, _, facts in of.instances()] == [facts(1).id, facts(2).id]
    assert of.taken_at == NOW - DAY
    assert of.taken_at_by_place()["111122223333", "eu-west-1"] == NOW


def test_the_same_account_and_region_twice_is_an_error(tmp_path: Path) -> None:
    paths = files(tmp_path, snapshot(facts(1)), snapshot(facts(1)))
    with pytest.raises(AnalyzerError, match="both have account 111122223333 in eu-west-1"):
        read(paths, NOW)


def test_a_snapshot_of_nothing_is_an_error_if_nothing_failed(tmp_path: Path) -> None:
    with pytest.raises(AnalyzerError, match="has no account and no Region"):
        read(files(tmp_path, snapshot(regions=())), NOW)
    (path,) = files(tmp_path, snapshot(regions=(), failures=(failure(Part.ROLE),)))
    assert read([path], NOW).failures


def test_an_instance_that_is_twice_counts_once(tmp_path: Path) -> None:
    of = read(files(tmp_path, snapshot(facts(1)), other(facts(1))), NOW)
    assert len(list(of.instances())) == 1


def test_of_an_instance_that_is_twice_the_worst_counts() -> None:
    """Pages of answers may have one before and after a change."""
    runs, stopped = facts(1), facts(1, state="stopped")
    counts = facts(1, calls=counted((NOW, 3)))
    refuses = facts(1, options=REQUIRED)
    for worse, better in ((runs, stopped), (counts, runs), (runs, refuses)):
        for both in ((worse, better), (better, worse)):
            ((_, _, found),) = snapshots(snapshot(*both)).instances()
            assert found is worse


def test_a_snapshot_of_the_future_is_an_error(tmp_path: Path) -> None:
    """It would never be old, and every host of the log would have ended before it."""
    paths = files(tmp_path, snapshot(facts(1)), other(facts(2)))
    assert read(paths, NOW - CLOCKS_DIFFER).snapshots
    with pytest.raises(AnalyzerError, match=r"0\.json: was taken in the future, on 2026-11-22"):
        read(paths, NOW - CLOCKS_DIFFER - HOUR / 60)


def test_what_is_no_instance_id_is_an_error(tmp_path: Path) -> None:
    """Commands that people copy into a shell have ids as they are."""
    with pytest.raises(AnalyzerError, match="'i-1; reboot' is no instance id"):
        read(files(tmp_path, snapshot(facts(1, id="i-1; reboot"))), NOW)
