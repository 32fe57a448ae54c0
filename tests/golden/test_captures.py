"""Captures of real programs become the lines they always became.

They were made with tcpdump and dumpcap in the lab's namespace by tests/captures.py.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.captures import GOLDEN, RECORDERS, golden_lines, replayed
from tests.schema import parsed

# The programs of tests.captures.GOLDEN_PROGRAMS: two without a token, one with one, one both.
VERSIONS = ["v1", "v1", "v2", "v2", "v1", "v2", "v2"]


def versions(lines: str) -> list[str]:
    parsed = [json.loads(line) for line in lines.splitlines()]
    return [line["imds"]["version"] for line in parsed if line["event"] == "imds_request"]


@pytest.mark.parametrize("name", RECORDERS)
def test_a_capture_is_the_lines_that_it_always_was(name: str) -> None:
    """Byte by byte, but for the version and what reading has cost."""
    path = GOLDEN / name
    assert golden_lines(path) == path.with_suffix(".jsonl").read_text("utf-8")


@pytest.mark.parametrize("name", RECORDERS)
def test_the_lines_keep_the_contract(name: str) -> None:
    """All of them, from the start to the end."""
    lines = [
        parsed(line)
        for line in GOLDEN.joinpath(name).with_suffix(".jsonl").read_text("utf-8").splitlines()
    ]
    assert [line["event"] for line in (lines[0], lines[-2], lines[-1])] == [
        "analyzer_started",
        "capture_read",
        "analyzer_stopped",
    ]


def test_every_way_of_capturing_shows_the_same_calls() -> None:
    """One interface, all of them, two at once; one that is cut short does not say v1."""
    seen = {
        name: versions(GOLDEN.joinpath(name).with_suffix(".jsonl").read_text("utf-8"))
        for name in RECORDERS
    }
    cut = seen.pop("short.pcap")
    assert len(cut) == len(VERSIONS)
    assert set(cut) == {"unknown", "v2"}  # a token request is told by its first line
    assert all(each == VERSIONS for each in seen.values()), seen


def test_each_golden_is_of_a_recorder() -> None:
    """No file is left over."""
    names = {path.name for path in GOLDEN.iterdir()}
    assert names == {*RECORDERS, *(str(Path(name).with_suffix(".jsonl")) for name in RECORDERS)}


@pytest.mark.parametrize("name", ["lo.pcap", "dumpcap.pcapng"])
def test_compressed_and_through_a_pipe_it_is_the_same(name: str, tmp_path: Path) -> None:
    """Also in two members, as `cat` of two makes."""
    whole = GOLDEN.joinpath(name).read_bytes()
    packed = tmp_path / name
    packed.write_bytes(gzip.compress(whole[:3000]) + gzip.compress(whole[3000:]))
    expected = GOLDEN.joinpath(name).with_suffix(".jsonl").read_text("utf-8")
    assert replayed(packed).replace(f'"{packed}"', f'"{name}"') == expected
    assert replayed(standard_input=whole).replace('"-"', f'"{name}"') == expected
