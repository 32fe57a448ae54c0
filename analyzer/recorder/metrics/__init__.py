"""Publishes counts for Prometheus, node_exporter and CloudWatch.

Nothing here is imported while no such output is configured.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Callable, Optional

from analyzer.config import settings as config
from analyzer.config.rules import Address
from analyzer.errors import AnalyzerError, ConfigError, SinkError
from analyzer.logline.events import METRICS, METRICS_FAILED, METRICS_RESTORED
from analyzer.recorder.listener import Listener
from analyzer.recorder.metrics.counts import Counts
from analyzer.recorder.metrics.emf import Document, Emf
from analyzer.recorder.metrics.health import EMF, PROMETHEUS, TEXTFILE, Health
from analyzer.recorder.metrics.outputs import Output
from analyzer.recorder.metrics.textfile import Textfile
from analyzer.recorder.sinks.jsonl import JsonlSink, open_log
from analyzer.recorder.sinks.log import say

if TYPE_CHECKING:
    from analyzer.recorder.metrics.endpoint import MetricsEndpoint
    from analyzer.recorder.metrics.exposition import Exposition

# An output that is unavailable, as before a network interface has its address, is tried again.
RETRY_S = 10.0


class MetricsListener(Listener):
    """Counts for the pipeline, and every configured output of what is counted.

    Listens from the moment it is made; serves and writes from :meth:`start` to :meth:`close`.
    An output that is unavailable at the start is told and tried again: nothing waits for it.
    """

    def __init__(
        self, settings: config.Config, *, log: JsonlSink, loss_reasons: Iterable[str] = ()
    ) -> None:
        """``loss_reasons`` are shown as 0 until something is lost for them."""
        self._counts = Counts(loss_reasons)
        # The pipeline calls these for each record: no layer of ours in between.
        self.request = self._counts.request  # type: ignore[method-assign]
        self.lost = self._counts.lost  # type: ignore[method-assign]
        self.evidence = self._counts.evidence  # type: ignore[method-assign]
        self._settings = settings
        self._log = log
        self._health = Health(self._report)
        self._probe = ""
        self._is_started = False
        self._emf = Emf(self._counts.snapshot(), log.counters)
        self._due = 0.0  # when textfile and embedded metrics are written, monotonic
        self._retry_at = 0.0
        self._endpoint: Output[Address, MetricsEndpoint] = Output(
            PROMETHEUS,
            self._health,
            open=self._open_endpoint,
            begin=lambda _: self._health.note(PROMETHEUS, None),
            close=lambda endpoint: endpoint.close(),
        )
        self._textfile: Output[str, Textfile] = Output(
            TEXTFILE,
            self._health,
            open=self._open_textfile,
            begin=self._write_textfile,
            close=Textfile.remove,
        )
        # Where embedded metrics go; without one, into the log.
        self._emf_log: Output[str, JsonlSink] = Output(
            EMF,
            self._health,
            open=lambda path: open_log(_limits(self._settings, path)),
            begin=lambda log: log.set_probe(self._probe),
            close=_close,
        )
        with _said():
            self._endpoint.want(settings.metrics.prometheus)
        with _said():
            self._textfile.want(settings.metrics.textfile)
        with _said():
            self._emf_log.want(_emf_file(settings.metrics))

    def start(self, probe: str) -> None:
        """Begin to serve and write.

        The endpoint's thread has the capabilities that its caller has now.
        """
        self._probe = probe
        self._emf = Emf(self._counts.snapshot(), self._log.counters)
        self._is_started = True
        if self._endpoint.opened is not None:
            try:
                self._endpoint.opened.start()
            except ConfigError as error:
                self._endpoint.close()
                say(str(error))
        self._textfile.begin()
        self._emf_log.begin()
        self._due = time.monotonic() + self._settings.metrics.interval_s

    def prepare(self, new: config.Config, undo: contextlib.ExitStack) -> Callable[[], None]:
        """Open what new settings want; returns what applies them. Counts go on.

        ``undo`` takes the closing, in case that does not come to pass. Raises AnalyzerError
        where something new is unavailable; then nothing has changed.
        """
        commits = (
            self._endpoint.prepare(new.metrics.prometheus, undo),
            self._textfile.prepare(new.metrics.textfile, undo),
            self._emf_log.prepare(_emf_file(new.metrics), undo),
        )

        def commit() -> None:
            before, now = self._settings.metrics, new.metrics
            if before.emf:
                self._write_emf()
            elif now.emf:
                self._emf = Emf(self._counts.snapshot(), self._log.counters)
            self._settings = new
            for each in commits:
                each()
            if self._emf_log.opened is not None and now.emf_file:
                self._emf_log.opened.set_limits(_limits(new, now.emf_file))
            if before.interval_s != now.interval_s:
                self._due = time.monotonic() + now.interval_s
            self._retry_at = 0.0  # what was missing may be why one reloads

        return commit

    def tick(self, queued: int, queue_high_water: int) -> None:
        """Note the state of the queue; write what is due. Raises what the log raises."""
        self._counts.tick(queued, queue_high_water)
        self._emf.tick(queue_high_water)
        now = time.monotonic()
        if now >= self._retry_at:
            self._retry_at = now + RETRY_S
            for each in (self._endpoint, self._textfile, self._emf_log):
                each.try_again()
        if self._endpoint.opened is not None:
            for failure in self._endpoint.opened.take_results():
                self._health.note(PROMETHEUS, failure)
        if self._emf_log.opened is not None:
            self._try(self._emf_log.opened, self._emf_log.opened.tick)
        if now >= self._due:
            self._due = now + self._settings.metrics.interval_s
            if self._textfile.opened is not None:
                self._write_textfile(self._textfile.opened)
            self._write_emf()

    def reopen(self) -> None:
        """Open the file of embedded metrics anew because it was moved."""
        log = self._emf_log.opened
        if log is not None:
            self._try(log, log.reopen)

    def finish(self) -> None:
        """Write what was counted since the last time. Raises what the log raises."""
        self._write_emf()

    def close(self) -> None:
        """End every output; the socket and the textfile go. May be called twice."""
        for each in (self._endpoint, self._textfile, self._emf_log):
            each.close()

    @functools.cached_property
    def _exposition(self) -> Exposition:
        try:
            from analyzer.recorder.metrics.exposition import Exposition  # noqa: PLC0415 -- an extra
        except ImportError as error:
            raise ConfigError(
                f"[metrics] {PROMETHEUS} and {TEXTFILE} need a library that is not installed"
                f" ({error}). Install it with: pip install 'imds-analyzer[metrics]'"
            ) from None
        return Exposition(self._counts, self._log, self._health, lambda: self._probe)

    def _open_endpoint(self, address: Address) -> MetricsEndpoint:
        page = self._exposition.page
        # Takes the standard library's HTTP along, 6 MB.
        from analyzer.recorder.metrics.endpoint import MetricsEndpoint  # noqa: PLC0415

        with contextlib.ExitStack() as undo:
            endpoint = MetricsEndpoint(address, page)
            undo.callback(endpoint.close)
            if self._is_started:
                endpoint.start()
            undo.pop_all()
        return endpoint

    def _open_textfile(self, path: str) -> Textfile:
        _ = self._exposition  # without what makes the text there is nothing to write
        return Textfile(path)

    def _write_textfile(self, textfile: Textfile) -> None:
        try:
            textfile.write(self._exposition.text())
        except OSError as error:
            self._health.note(TEXTFILE, error.strerror or str(error))
        else:
            self._health.note(TEXTFILE, None)

    def _write_emf(self) -> None:
        settings = self._settings.metrics
        log = self._emf_log.opened if settings.emf_file else self._log
        if not settings.emf or log is None:  # what was counted is written when it is there
            return
        documents = self._emf.documents(
            self._counts.snapshot(), self._log.counters, time.time_ns() // 1_000_000
        )
        if log is self._log:
            _write(log, documents)
        else:
            self._try(log, lambda: _write(log, documents))

    def _try(self, log: JsonlSink, action: Callable[[], None]) -> None:
        """Do something with the file of embedded metrics, and note how it went."""
        try:
            action()
        except SinkError as error:
            self._health.note(EMF, str(error))
        else:
            self._health.note(EMF, "it takes no lines now" if log.counters.is_paused else None)

    def _report(self, output: str, failure: Optional[str]) -> None:
        if failure is None:
            self._log.event(METRICS_RESTORED, "info", output=output)
        else:
            self._log.event(METRICS_FAILED, "warning", output=output, reason=failure)


@contextlib.contextmanager
def _said() -> Iterator[None]:
    """Say what is unavailable; the log says it when it is not there a moment later, either."""
    try:
        yield
    except AnalyzerError as error:
        say(f"{error} The capture begins without it; it is tried again.")


def _emf_file(settings: config.MetricsSettings) -> Optional[str]:
    return settings.emf_file if settings.emf else None


def _limits(settings: config.Config, path: str) -> config.LogSettings:
    """Return the log's own limits, for another file in addition to the log."""
    return replace(settings.log, sink="file", file=path)


def _close(log: JsonlSink) -> None:
    with contextlib.suppress(SinkError):
        log.close()


def _write(log: JsonlSink, documents: Iterable[Document]) -> None:
    for document in documents:
        log.event(METRICS, "info", **document)
    log.flush()
