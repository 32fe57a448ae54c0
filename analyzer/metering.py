"""Metrics, loaded when they are first wanted; before that no record costs anything."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Callable, Optional, Protocol

from analyzer import config
from analyzer.config import Config
from analyzer.errors import AnalyzerError
from analyzer.records import Lost, Record
from analyzer.sinks.jsonl import JsonlSink, open_log
from analyzer.sources.counters import REASONS

if TYPE_CHECKING:
    from analyzer.sinks.metrics import Metrics


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
    """What tells observers; see :class:`analyzer.pipeline.Pipeline`."""

    observers: list[Observer]


class Metering:
    """Has metrics as the settings want them, from the start and after each reload."""

    def __init__(self, settings: Config, log: JsonlSink) -> None:
        """Listen where it is configured. Raises AnalyzerError where that cannot be had."""
        self._log = log
        self._log_settings = settings.log
        self._observed: Optional[Observed] = None
        self._probe = ""
        self._metrics = self._made(settings.metrics) if _is_wanted(settings.metrics) else None

    def start(self, observed: Observed, probe: str) -> None:
        """Begin to count, serve and write; ``probe`` is what captures."""
        self._observed, self._probe = observed, probe
        if self._metrics is not None:
            observed.observers.append(self._metrics)
            self._metrics.start(probe)

    def prepare(
        self, present: Config, new: Config, undo: contextlib.ExitStack
    ) -> Callable[[], None]:
        """Put new settings into force, or back where another part refuses; see analyzer.reload.

        Raises AnalyzerError where they cannot be had; then all is as before.
        """
        self._follow(new)
        undo.callback(self._follow, present)
        return lambda: None

    def reopen(self) -> None:
        """Go on in a new file, as the log does."""
        if self._metrics is not None:
            self._metrics.reopen()

    def close(self) -> None:
        """End what was started."""
        if self._metrics is not None:
            self._metrics.close()

    def _follow(self, settings: Config) -> None:
        self._log_settings = settings.log
        is_wanted = _is_wanted(settings.metrics)
        if self._metrics is not None:
            self._metrics.reconfigure(settings.metrics)
        elif is_wanted:
            metrics = self._made(settings.metrics)
            try:
                metrics.start(self._probe)
            except AnalyzerError:
                metrics.close()
                raise
            self._metrics = metrics
        if self._observed is None or self._metrics is None:
            return
        observers = self._observed.observers
        if is_wanted and self._metrics not in observers:
            observers.append(self._metrics)
        elif not is_wanted and self._metrics in observers:
            observers.remove(self._metrics)

    def _made(self, settings: config.Metrics) -> Metrics:
        from analyzer.sinks.metrics import Metrics  # noqa: PLC0415 (only where it is used)

        return Metrics(
            settings,
            log=self._log,
            # With the log's own limits, in addition to the log.
            open_log=lambda path: open_log(replace(self._log_settings, sink="file", file=path)),
            loss_reasons=REASONS,
        )


def _is_wanted(settings: config.Metrics) -> bool:
    return bool(settings.prometheus or settings.textfile or settings.emf)
