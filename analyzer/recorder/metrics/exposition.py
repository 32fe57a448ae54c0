"""Renders counts in Prometheus' formats; the only module that needs prometheus_client."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from typing import Callable

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from analyzer import __version__
from analyzer.recorder.metrics.counts import Counts, Requests
from analyzer.recorder.metrics.health import Health
from analyzer.recorder.metrics.pages import Page
from analyzer.recorder.records import Version
from analyzer.recorder.sinks.jsonl import JsonlSink
from analyzer.recorder.sinks.writer import NO_REQUEST

NAMESPACE = "imds_analyzer"
# Of the text format that all readers know, and that generate_latest() writes.
PLAIN_TEXT = "text/plain; version=0.0.4; charset=utf-8"

_NONE_NOT_WRITTEN = dict.fromkeys((*(each.value for each in Version), NO_REQUEST), 0)


class Exposition:
    """Renders what is counted."""

    def __init__(
        self, counts: Counts, log: JsonlSink, health: Health, probe: Callable[[], str]
    ) -> None:
        # A registry of our own: the library's global one has metrics that are not ours.
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(counts, log, health, probe))
        # With our name in front, also where node_exporter adds the text to its own metrics,
        # among which are process_... already.
        ProcessCollector(namespace=NAMESPACE, registry=self._registry)

    def page(self, is_openmetrics: bool) -> Page:
        """Return what is served."""
        if is_openmetrics:
            body = openmetrics.generate_latest(self._registry)  # type: ignore[no-untyped-call]
            return Page(openmetrics.CONTENT_TYPE_LATEST, body)
        return Page(PLAIN_TEXT, self.text())

    def text(self) -> bytes:
        """Return the text format, which textfiles are in, too."""
        return generate_latest(self._registry)


class _Collector(Collector):
    """Makes metrics of the counts when they are asked for; costs nothing before."""

    def __init__(
        self, counts: Counts, log: JsonlSink, health: Health, probe: Callable[[], str]
    ) -> None:
        self._counts = counts
        self._log = log
        self._health = health
        self._probe = probe
        self._build = {
            "version": __version__,
            "python": platform.python_version(),
            "kernel": platform.release(),
            "machine": platform.machine(),
        }

    def collect(self) -> Iterator[Metric]:
        snapshot = self._counts.snapshot()
        requests = CounterMetricFamily(
            f"{NAMESPACE}_requests", "Requests to IMDS, by what they were.", labels=Requests._fields
        )
        for key, count in snapshot.requests.items():
            requests.add_metric(key, count)
        yield requests
        yield _first_seen(snapshot.first_seen)
        yield CounterMetricFamily(
            f"{NAMESPACE}_requests_lost",
            "Events lost that may each have been a request; answers are not among them.",
            value=snapshot.requests_lost,
        )
        yield _counter("events_lost", "Events dropped before decoding.", "reason", snapshot.lost)
        yield _gauge("queue_events", "Events that waited to be judged.", snapshot.queued)
        yield _gauge(
            "queue_high_water_events",
            "Most events that waited at once in the last one to two minutes.",
            snapshot.queue_high_water,
        )
        yield CounterMetricFamily(
            f"{NAMESPACE}_evidence", "Callers whose code was looked at.", value=snapshot.evidence
        )
        yield CounterMetricFamily(
            f"{NAMESPACE}_evidence_skipped",
            "Callers whose code was not looked at because too many waited.",
            value=snapshot.evidence_skipped,
        )
        log = self._log.counters
        yield CounterMetricFamily(
            f"{NAMESPACE}_log_errors", "Failed writes to the log.", value=log.errors
        )
        yield _counter(
            "log_lines_not_written",
            'Lines that are missing in the log, by version; "event" for those of no request.',
            "version",
            # All of them from the start: what appears with 1 has not increased to Prometheus.
            {**_NONE_NOT_WRITTEN, **log.not_written},
        )
        yield _gauge("log_paused", "Whether the log takes no lines now.", log.is_paused)
        yield _counter(
            "metrics_errors",
            "Failures to serve or write metrics.",
            "output",
            self._health.errors.copy(),
        )
        yield _gauge(
            "last_tick_timestamp_seconds",
            "When the analyzer last looked after its counters, once a second; an old one means"
            " that it hangs, or that the textfile is of a run that was killed.",
            snapshot.ticked_at,
        )
        labels = {**self._build, "probe": self._probe()}
        build = GaugeMetricFamily(f"{NAMESPACE}_build_info", "What runs here.", labels=list(labels))
        build.add_metric(list(labels.values()), 1)
        yield build


def _first_seen(times: dict[tuple[str, str], float]) -> Metric:
    family = GaugeMetricFamily(
        f"{NAMESPACE}_caller_first_seen_timestamp_seconds",
        "When a caller first called AWS's IMDS without a token since the analyzer started.",
        labels=["version", "process"],
    )
    for labels, at_s in times.items():
        family.add_metric(labels, at_s)
    return family


def _counter(name: str, text: str, label: str, counts: dict[str, int]) -> Metric:
    family = CounterMetricFamily(f"{NAMESPACE}_{name}", text, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{NAMESPACE}_{name}", text, value=value)
