"""Loads metrics when they are first wanted; before that no record costs anything."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Callable, Optional, Protocol

from analyzer.config import settings as config
from analyzer.config.settings import Config
from analyzer.recorder.listener import Listener
from analyzer.recorder.sinks.jsonl import JsonlSink

if TYPE_CHECKING:
    from analyzer.recorder.metrics import MetricsListener


class Heard(Protocol):
    """Tells listeners, as :class:`analyzer.recorder.pipeline.Pipeline` does."""

    listeners: list[Listener]


class Metering:
    """Has metrics as the settings want them, from the start and after each reload."""

    def __init__(self, settings: Config, log: JsonlSink, loss_reasons: Iterable[str] = ()) -> None:
        """Listen where it is configured; what is unavailable is retried later.

        ``loss_reasons`` are shown as 0 until something is lost for them.
        """
        self._loss_reasons = tuple(loss_reasons)
        self._log = log
        self._heard: Optional[Heard] = None
        self._probe = ""
        self._metrics = self._made(settings) if _is_wanted(settings) else None

    def start(self, heard: Heard, probe: str) -> None:
        """Begin to count, serve and write; ``probe`` is what captures."""
        self._heard, self._probe = heard, probe
        if self._metrics is not None:
            heard.listeners.append(self._metrics)
            self._metrics.start(probe)

    def prepare(
        self, _present: Config, new: Config, undo: contextlib.ExitStack
    ) -> Callable[[], None]:
        """Open what new settings want; return the commit (see analyzer.recorder.daemon.reload).

        Raises AnalyzerError where it is unavailable; then all is as before.
        """
        metrics = self._metrics
        if metrics is None:
            if not _is_wanted(new):
                return lambda: None
            metrics = self._made(replace(new, metrics=config.MetricsSettings()))
            metrics.start(self._probe)
        put_into_force = metrics.prepare(new, undo)

        def commit() -> None:
            self._metrics = metrics
            put_into_force()
            self._listen(metrics, is_wanted=_is_wanted(new))

        return commit

    def reopen(self) -> None:
        """Go on in a new file, as the log does."""
        if self._metrics is not None:
            self._metrics.reopen()

    def close(self) -> None:
        """End what was started."""
        if self._metrics is not None:
            self._metrics.close()

    def _listen(self, metrics: MetricsListener, *, is_wanted: bool) -> None:
        if self._heard is None:
            return
        listeners = self._heard.listeners
        if is_wanted and metrics not in listeners:
            listeners.append(metrics)
        elif not is_wanted and metrics in listeners:
            listeners.remove(metrics)

    def _made(self, settings: Config) -> MetricsListener:
        from analyzer.recorder.metrics import MetricsListener  # noqa: PLC0415 (only where it is used)

        return MetricsListener(settings, log=self._log, loss_reasons=self._loss_reasons)


def _is_wanted(settings: Config) -> bool:
    metrics = settings.metrics
    return bool(metrics.prometheus or metrics.textfile or metrics.emf)
