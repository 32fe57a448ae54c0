"""Writes counts as lines in CloudWatch's embedded metric format.

The format: docs.aws.amazon.com, CloudWatch_Embedded_Metric_Format_Specification. CloudWatch
Logs makes metrics of such lines by itself. Names of members are in AWS's style, also because
``process`` and ``version`` mean something else in the log's other lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from analyzer.recorder.metrics.counts import CountsSnapshot
from analyzer.recorder.records import Version
from analyzer.recorder.sinks.log import Counters
from analyzer.recorder.usage import cpu_s, rss_bytes

NAMESPACE = "ImdsAnalyzer"
VERSION, PROCESS = "ImdsVersion", "ProcessName"

_REQUESTS = {"Requests": "Count"}
_ANALYZER = {
    "EventsLost": "Count",
    "QueueHighWater": "Count",
    "LogErrors": "Count",
    "LogLinesNotWritten": "Count",
    "CpuTime": "Seconds",
    "ResidentMemory": "Bytes",
}

Document = dict[str, Any]


class Emf:
    """Makes the documents of an interval: what has grown since the last."""

    def __init__(self, start: CountsSnapshot, log: Counters) -> None:
        self._before = start
        self._errors_before, self._not_written_before = _failures(log)
        self._cpu_s_before = cpu_s()
        self._queue_high_water = 0

    def tick(self, queue_high_water: int) -> None:
        """Note how many events waited at most since the last tick."""
        self._queue_high_water = max(self._queue_high_water, queue_high_water)

    def documents(self, now: CountsSnapshot, log: Counters, at_ms: int) -> Iterator[Document]:
        """Yield one document for each version and caller, then one of the analyzer itself.

        Each caller's counts for its version, too; a version that nobody used counts 0, for
        that is what a migration waits to see. ``at_ms`` is since the Unix epoch.
        """
        grown: dict[tuple[str, str], int] = {}
        for key, count in now.requests.items():
            more = count - self._before.requests.get(key, 0)
            if more:
                caller = key.version, _dimension(key.process)
                grown[caller] = grown.get(caller, 0) + more
        for (version, process), count in sorted(grown.items()):
            values = {VERSION: version, PROCESS: process, "Requests": count}
            yield _document(at_ms, [[VERSION], [VERSION, PROCESS]], _REQUESTS, values)
        for version in sorted({each.value for each in Version} - {used for used, _ in grown}):
            values = {VERSION: version, "Requests": 0}
            yield _document(at_ms, [[VERSION]], _REQUESTS, values)
        cpu_s_now = cpu_s()
        errors, not_written = _failures(log)
        high_water, self._queue_high_water = self._queue_high_water, 0
        analyzer = (
            now.requests_lost - self._before.requests_lost,
            high_water,
            errors - self._errors_before,
            not_written - self._not_written_before,
            round(cpu_s_now - self._cpu_s_before, 3),
            rss_bytes(),
        )
        yield _document(at_ms, [[]], _ANALYZER, dict(zip(_ANALYZER, analyzer)))
        self._before, self._cpu_s_before = now, cpu_s_now
        self._errors_before, self._not_written_before = errors, not_written


def _document(
    at_ms: int, dimensions: list[list[str]], metrics: dict[str, str], values: dict[str, Any]
) -> Document:
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": dimensions,
        "Metrics": [{"Name": name, "Unit": unit} for name, unit in metrics.items()],
    }
    return {"_aws": {"Timestamp": at_ms, "CloudWatchMetrics": [directive]}, **values}


def _dimension(label: str) -> str:
    r"""Write a label in ASCII, as CloudWatch wants it; what is not is \xe9 or \u20ac then."""
    text = label.encode("ascii", "backslashreplace").decode()
    return text if text.strip() else text.replace(" ", "\\x20")


def _failures(log: Counters) -> tuple[int, int]:
    return log.errors, sum(log.not_written.values())
