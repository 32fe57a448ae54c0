"""Metrics, loaded when they are first wanted; before that no record costs anything."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Callable, Optional, Protocol

from analyzer.config import settings as config
from analyzer.config.settings import Config
from analyzer.recorder.decode.connections import EVICTED
from analyzer.recorder.records import Lost, Record
from analyzer.recorder.sinks.jsonl import JsonlSink
from analyzer.recorder.sources.losses import REASONS

if TYPE_CHECKING:
    from analyzer.recorder.metrics import Metrics


class Observer(Protocol):
    """Counts what passes the pipeline; all calls come from one thread."""

    def request(self, record: Record) -> None:
        """Take note of one record."""
        ...

    def lost(self, lost: Lost) -> None:
        """Take note of a loss."""
        ...

    def tick(self, queued: int, queue_high_water: int) -> None:
        """Take note of the queue: events in it, and the most since the last tick."""
        ...

    def finish(self) -> None:
        """Write what is left to write, before the log's last line."""
        ...


class Observed(Protocol):
    """What tells observers; see :class:`analyzer.recorder.pipeline.Pipeline`."""

    observers: list[Observer]


class Metering:
    """Has metrics as the settings want them, from the start and after each reload."""

    def __init__(self, settings: Config, log: JsonlSink) -> None:
        """Listen where it is configured; where that cannot be had it is tried again later."""
        self._log = log
        self._observed: Optional[Observed] = None
        self._probe = ""
        self._metrics = self._made(settings) if _is_wanted(settings) else None

    def start(self, observed: Observed, probe: str) -> None:
        """Begin to count, serve and write; ``probe`` is what captures."""
        self._observed, self._probe = observed, probe
        if self._metrics is not None:
            observed.observers.append(self._metrics)
            self._metrics.start(probe)

    def prepare(
        self, _present: Config, new: Config, undo: contextlib.ExitStack
    ) -> Callable[[], None]:
        """Open what new settings want; return the commit (see analyzer.recorder.daemon.reload).

        Raises AnalyzerError where it cannot be had; then all is as before.
        """
        metrics = self._metrics
        if metrics is None:
            if not _is_wanted(new):
                return lambda: None
            metrics = self._made(replace(new, metrics=config.Metrics()))
            metrics.start(self._probe)
        put_into_force = metrics.prepare(new, undo)

        def commit() -> None:
            self._metrics = metrics
            put_into_force()
            self._observe(metrics, is_wanted=_is_wanted(new))

        return commit

    def reopen(self) -> None:
        """Go on in a new file, as the log does."""
        if self._metrics is not None:
            self._metrics.reopen()

    def close(self) -> None:
        """End what was started."""
        if self._metrics is not None:
            self._metrics.close()

    def _observe(self, metrics: Metrics, *, is_wanted: bool) -> None:
        if self._observed is None:
            return
        observers = self._observed.observers
        if is_wanted and metrics not in observers:
            observers.append(metrics)
        elif not is_wanted and metrics in observers:
            observers.remove(metrics)

    def _made(self, settings: Config) -> Metrics:
        from analyzer.recorder.metrics import Metrics  # noqa: PLC0415 (only where it is used)

        return Metrics(settings, log=self._log, loss_reasons=(*REASONS, EVICTED))


def _is_wanted(settings: Config) -> bool:
    metrics = settings.metrics
    return bool(metrics.prometheus or metrics.textfile or metrics.emf)
