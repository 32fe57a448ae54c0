"""A snapshot's file: what is written is read, and what is no snapshot is named."""

from __future__ import annotations

import datetime
import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from analyzer.account.file import as_bytes, read
from analyzer.account.model import (
    Account,
    Baseline,
    Calls,
    Defaults,
    Failure,
    Hour,
    InstanceFacts,
    MetadataOptions,
    Part,
    Period,
    RegionFacts,
    Snapshot,
)
from analyzer.errors import AnalyzerError

AT = datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.timezone.utc)
HOUR = datetime.timedelta(hours=1)
LAST = AT - HOUR


def snapshot() -> Snapshot:
    calls = Calls(3, last_no_token_at=LAST, hours=(Hour(LAST, 3),), hours_counted=24)
    instance = InstanceFacts("i-0123456789abcdef0", "running", tags={"team": "a"}, calls=calls)
    region = RegionFacts(
        "123456789012",
        "eu-west-1",
        Defaults(MetadataOptions(http_tokens="required")),
        instances=(instance,),
    )
    return Snapshot(AT, "1.0", Period(AT - 24 * HOUR, AT), regions=(region,))


@pytest.mark.parametrize("is_gzip", [False, True])
def test_what_is_written_is_read(tmp_path: Path, *, is_gzip: bool) -> None:
    path = tmp_path / "snapshot"
    path.write_bytes(as_bytes(snapshot(), is_gzip=is_gzip))
    assert path.read_bytes().startswith(b"\x1f\x8b") is is_gzip
    assert read(path) == snapshot()


def test_a_field_of_a_later_version_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    document = json.loads(as_bytes(snapshot()))
    document["later"] = 1
    path.write_text(json.dumps(document), encoding="utf-8")
    assert read(path) == snapshot()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"[]", "is not a snapshot"),
        (b'{"format": 1}', "is not a snapshot"),
        (b'{"format": 0, "taken_at": "2026-11-29T12:00:00Z"}', "has the unknown format 0"),
        (b'{"format": 99, "taken_at": "2026-11-29T12:00:00Z"}', "has format 99"),
        (b'{"format": 1, "taken_at": "2026-11-29T12:00:00Z"}', "`version`"),
        (as_bytes(snapshot())[:-40], "is not a snapshot"),
        (as_bytes(snapshot()).replace(b'"no_token": 3', b'"no_token": "3"'), "`$.regions[0]"),
        (gzip.compress(as_bytes(snapshot()))[:-9], "gzip is damaged"),
    ],
)
def test_what_is_no_snapshot_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "snapshot"
    path.write_bytes(content)
    with pytest.raises(AnalyzerError) as caught:
        read(path)
    assert said in str(caught.value)
    assert "imds-analyzer" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b'"taken_at": "2026-11-29T12:00:00Z"', b'"taken_at": "2026-11-29T12:00:00"', "taken_at"),
        (b'"taken_at": "2026', b'"taken_at": "0001', "taken_at is 0001"),
        (b'"start": "2026-11-28T12:00:00Z"', b'"start": "2026-11-28T12:00:00"', "metrics is"),
        (b'"start": "2026-11-28T12:00:00Z"', b'"start": "2026-11-29T12:00:00Z"', "ends before"),
        (b'"launched_at": null', b'"launched_at": "2026-11-29T12:00:00"', "launched_at is"),
        (b'"last_rejected_at": null', b'"last_rejected_at": "2026-11-29T12:00:00"', "a time of"),
        (b'"no_token": 3', b'"no_token": 0', "counts 0 calls, and others by the hour"),
        (b'"no_token_rejected": 0', b'"no_token_rejected": -3', "below 0"),
        (b'"hours_counted": 24', b'"hours_counted": -1', "below 0"),
        (b'"hours_counted": 24', b'"hours_counted": 25', "more than the metrics' time has"),
        (b'"last_no_token_at": "2026-11-29T11', b'"last_no_token_at": "2026-11-29T10', "the last"),
        (b'"last_no_token_at": "2026-11-29T11:00:00Z"', b'"last_no_token_at": null', "the last"),
        (b'"last_rejected_at": null', b'"last_rejected_at": "2026-11-29T12:00:00Z"', "is not in"),
        (b'"taken_at": "2026-11-29T12', b'"taken_at": "2026-11-29T10', "after it was taken"),
        (b'"eu-west-1"', b'"EU-WEST-1"', "'EU-WEST-1' is no Region"),
        (b'"123456789012"', b'"12345678901"', "'12345678901' is no account"),
    ],
)
def test_what_contradicts_itself_is_named(
    tmp_path: Path, old: bytes, new: bytes, said: str
) -> None:
    """Figures of no hour would look like none."""
    path = tmp_path / "snapshot"
    content = as_bytes(snapshot())
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    with pytest.raises(AnalyzerError) as caught:
        read(path)
    assert said in str(caught.value)
    assert "audit --output" in str(caught.value)


def test_an_account_and_region_that_are_twice_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    twice = replace(snapshot(), regions=snapshot().regions * 2)
    path.write_bytes(as_bytes(twice))
    with pytest.raises(AnalyzerError, match="123456789012 in eu-west-1 is there twice"):
        read(path)


def test_an_account_has_a_region_or_a_failure(tmp_path: Path) -> None:
    """Else one from which the Regions were taken out would have nothing that allows v1."""
    path = tmp_path / "snapshot"
    other = "009848541023"
    more = replace(snapshot(), accounts=(*snapshot().accounts, Account(other)))
    path.write_bytes(as_bytes(more))
    with pytest.raises(AnalyzerError, match=f"account {other} has no Region"):
        read(path)
    path.write_bytes(as_bytes(replace(more, failures=(Failure(Part.ROLE, "x", "y", other),))))
    assert [each.id for each in read(path).accounts][-1] == other


@pytest.mark.parametrize("region", ["us-gov-west-1", "eusc-de-east-1", "ap-southeast-7"])
def test_regions_of_all_partitions_are_read(tmp_path: Path, region: str) -> None:
    path = tmp_path / "snapshot"
    path.write_bytes(as_bytes(snapshot()).replace(b"eu-west-1", region.encode()))
    assert read(path).regions[0].region == region


def test_a_baseline_is_looked_at_too(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    whole = Calls(3, last_no_token_at=LAST, hours=(Hour(LAST, 3),))
    for calls, is_wrong in ((whole, False), (Calls(3), True)):
        baseline = Baseline(AT, Period(AT - HOUR, AT), calls)
        instance = InstanceFacts("i-0123456789abcdef0", "running", baseline=baseline)
        region = RegionFacts("123456789012", "eu-west-1", instances=(instance,))
        path.write_bytes(as_bytes(Snapshot(AT, "1.0", regions=(region,))))
        if is_wrong:
            with pytest.raises(AnalyzerError, match=r"baseline\.calls counts 3"):
                read(path)
        else:
            assert read(path).regions == (region,)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AnalyzerError, match="No such file"):
        read(tmp_path / "none")
