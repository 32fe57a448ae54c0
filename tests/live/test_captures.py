"""Real programs are captured by real recorders, and replayed: the calls they are known to make."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest

from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from analyzer.lab.programs import Call, LabProgram, maybe_why_skipped, write_programs
from tests.captures import RECORDERS, record
from tests.schema import parsed

# One that cuts packets off cannot tell them all; it has its golden.
WHOLE = [name for name in RECORDERS if name != "short.pcap"]


@pytest.fixture(scope="module")
def programs(namespace: LabNamespace, tmp_path_factory: pytest.TempPathFactory) -> list[LabProgram]:
    """Return the programs of the lab that can run here."""
    return [
        each
        for each in write_programs(tmp_path_factory.mktemp("programs"))
        if maybe_why_skipped(each, namespace.ipv6_problem) is None
    ]


@pytest.fixture(scope="module")
def replays(
    namespace: LabNamespace,
    imds: ImdsProcess,
    programs: list[LabProgram],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    """Return what `replay` makes of one run of the programs, by the recorders that are here."""
    assert imds.listening
    names = [name for name in WHOLE if shutil.which(RECORDERS[name].argv[0])]
    return record(namespace, names, tmp_path_factory.mktemp("captures"), programs)


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_captured_is_what_was_called(
    name: str, replays: dict[str, str], programs: list[LabProgram]
) -> None:
    """By every program of the lab, on one interface, on all, on both."""
    if name not in replays:
        pytest.skip(f"{RECORDERS[name].argv[0]} is not installed")
    lines = [parsed(line) for line in replays[name].splitlines()]
    called = Counter(
        Call(line["imds"]["version"], line["http"]["request"]["method"], line["url"]["path"])
        for line in lines
        if line["event"] == "imds_request"
    )
    assert called == Counter(call for each in programs for call in each.expected)
    answered = [line for line in lines if "response" in line.get("http", {})]
    assert len(answered) == sum(called.values())
