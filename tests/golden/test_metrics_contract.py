"""Lines about metrics keep the log contract, too; see test_event_contract.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from analyzer.recorder.records import Lost
from tests.golden.test_event_contract import begin, end, shape
from tests.golden.test_log_contract import Check, Shape, faults, number, one_of, text
from tests.metrics import Bench
from tests.unit.recorder.sinks.test_jsonl import RECORD

COUNT = number(0, 10**6)
VERSION, PROCESS = text("v1|v2|unknown"), text(r"[\x20-\x7e]+")


def is_number(value: object) -> bool:
    return type(value) in (int, float)


def exactly(wanted: object) -> Check:
    return lambda value: value == wanted


def embedded(dimensions: list[list[str]], units: dict[str, str], **values: Shape) -> Any:
    """Return the shape of a line with these dimensions, and the unit of each metric."""
    directive: Shape = {
        "Namespace": one_of("ImdsAnalyzer"),
        "Dimensions": exactly(dimensions),
        "Metrics": exactly([{"Name": name, "Unit": unit} for name, unit in units.items()]),
    }
    aws: Shape = {"Timestamp": number(10**12, 10**13), "CloudWatchMetrics": [directive]}
    return {**begin("metrics", "info"), "_aws": aws, **values, **end()}


REQUESTS = {"Requests": "Count"}
EMBEDDED = (
    embedded(
        [["ImdsVersion"], ["ImdsVersion", "ProcessName"]],
        REQUESTS,
        ImdsVersion=VERSION,
        ProcessName=PROCESS,
        Requests=COUNT,
    ),
    embedded([["ImdsVersion"]], REQUESTS, ImdsVersion=VERSION, Requests=exactly(0)),
    embedded(
        [[]],
        {
            "EventsLost": "Count",
            "QueueHighWater": "Count",
            "LogErrors": "Count",
            "LogLinesNotWritten": "Count",
            "CpuTime": "Seconds",
            "ResidentMemory": "Bytes",
        },
        EventsLost=COUNT,
        QueueHighWater=COUNT,
        LogErrors=COUNT,
        LogLinesNotWritten=COUNT,
        CpuTime=is_number,
        ResidentMemory=is_number,
    ),
)
OUTPUT = one_of("prometheus", "textfile", "emf")
FAILED = shape("metrics_failed", "warning", output=OUTPUT, reason=text())
RESTORED = shape("metrics_restored", "info", output=OUTPUT)


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_embedded_metrics(tmp_path: Path) -> None:
    """A version that was used, two that were not, and the analyzer."""
    bench = Bench(tmp_path / "log")
    metrics = bench.start(emf=True)
    bench.log.set_probe("core/tracepoint")
    metrics.request(RECORD)
    metrics.lost(Lost(3, 0, "ring_buffer_full"))
    metrics.finish()
    bench.close()
    used, v2, unknown, analyzer = lines_of(bench.log_path)
    for line, wanted in (
        (used, EMBEDDED[0]),
        (v2, EMBEDDED[1]),
        (unknown, EMBEDDED[1]),
        (analyzer, EMBEDDED[2]),
    ):
        assert list(faults(line, wanted)) == []


def test_an_output_that_fails_and_works_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "log")
    directory = tmp_path / "collector"
    directory.mkdir()
    metrics = bench.start(textfile=str(directory / "imds.prom"))
    bench.log.set_probe("core/tracepoint")
    (directory / "imds.prom").unlink()
    directory.rmdir()
    metrics.tick(0, 0)
    metrics._due = 0.0
    metrics.tick(0, 0)
    directory.mkdir()
    metrics._due = 0.0
    metrics.tick(0, 0)
    bench.close()
    failed, restored = lines_of(bench.log_path)
    assert list(faults(failed, FAILED)) == []
    assert list(faults(restored, RESTORED)) == []
