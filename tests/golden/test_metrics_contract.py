"""Lines about metrics keep the log contract, too; see test_event_contract.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analyzer.recorder.source_events import Lost
from tests.metrics import Bench
from tests.schema import parsed
from tests.unit.recorder.sinks.test_jsonl import RECORD


def lines_of(path: Path) -> list[Any]:
    return [parsed(line) for line in path.read_text("utf-8").splitlines()]


def metrics_of(line: Any) -> tuple[list[list[str]], dict[str, str]]:
    """Return a line's dimensions and its metrics' units; fails unless each metric has a value."""
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    units = {each["Name"]: each["Unit"] for each in directive["Metrics"]}
    dimensions: list[list[str]] = directive["Dimensions"]
    assert {name for names in dimensions for name in names} | set(units) <= set(line)
    return dimensions, units


def test_embedded_metrics(tmp_path: Path) -> None:
    """A version that was used, two that were not, and the analyzer."""
    bench = Bench(tmp_path / "log")
    metrics = bench.start(emf=True)
    bench.log.set_probe("core/tracepoint")
    metrics.request(RECORD)
    metrics.lost(Lost(3, 0, "ring_buffer_full"))
    metrics.finish()
    bench.close()
    used, v2, unknown, analyzer = map(metrics_of, lines_of(bench.log_path))
    assert used == ([["ImdsVersion"], ["ImdsVersion", "ProcessName"]], {"Requests": "Count"})
    assert v2 == unknown == ([["ImdsVersion"]], {"Requests": "Count"})
    assert analyzer == (
        [[]],
        {
            "EventsLost": "Count",
            "QueueHighWater": "Count",
            "LogErrors": "Count",
            "LogLinesNotWritten": "Count",
            "CpuTime": "Seconds",
            "ResidentMemory": "Bytes",
        },
    )


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
    assert (failed["event"], restored["event"]) == ("metrics_failed", "metrics_restored")
    assert failed["output"] == restored["output"] == "textfile"
