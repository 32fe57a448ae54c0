"""Real programs are captured by real recorders, and replayed: the calls they are known to make."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from analyzer.lab.programs import Call, maybe_why_skipped, write_programs
from tests.captures import RECORDERS, record, replayed
from tests.schema import parsed

# One that cuts packets off cannot tell them all; it has its golden.
WHOLE = [name for name in RECORDERS if name != "short.pcap"]


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_captured_is_what_was_called(
    name: str, namespace: LabNamespace, imds: ImdsProcess, tmp_path: Path
) -> None:
    """By every program of the lab, on one interface, on all, on both."""
    program = RECORDERS[name].argv[0]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    assert imds.listening
    programs = [
        each
        for each in write_programs(tmp_path)
        if maybe_why_skipped(each, namespace.ipv6_problem) is None
    ]
    lines = [
        parsed(line) for line in replayed(record(namespace, name, tmp_path, programs)).splitlines()
    ]
    called = Counter(
        Call(line["imds"]["version"], line["http"]["request"]["method"], line["url"]["path"])
        for line in lines
        if line["event"] == "imds_request"
    )
    assert called == Counter(call for each in programs for call in each.expected)
    answered = [line for line in lines if "response" in line.get("http", {})]
    assert len(answered) == sum(called.values())
