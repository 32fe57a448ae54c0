"""Counts for those who watch many hosts: Prometheus, node_exporter, CloudWatch.

Nothing here is imported while no such output is configured.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Callable, Optional

from analyzer import config
from analyzer.errors import AnalyzerError, ConfigError, SinkError
from analyzer.sinks.metrics.counts import Counts
from analyzer.sinks.metrics.emf import Document, Emf
from analyzer.sinks.metrics.health import EMF, PROMETHEUS, TEXTFILE, Health
from analyzer.sinks.metrics.outputs import Log, OpenLog, Outputs

if TYPE_CHECKING:
    from analyzer.sinks.metrics.exposition import Exposition


class Metrics:
    """Counts for the pipeline, and every configured output of what is counted.

    Listens from the moment it is made, so that what cannot work is an error at start;
    serves and writes from :meth:`start` to :meth:`close`.
    """

    def __init__(
        self,
        settings: config.Metrics,
        *,
        log: Log,
        open_log: OpenLog,
        loss_reasons: Iterable[str] = (),
    ) -> None:
        """``open_log`` opens a file of lines. Raises AnalyzerError where an output cannot work.

        ``loss_reasons`` are shown as 0 until something is lost for them.
        """
        self._counts = Counts(loss_reasons)
        # The pipeline calls these for each record: no layer of ours in between.
        self.request = self._counts.request
        self.lost = self._counts.lost
        self._log = log
        self._open_log = open_log
        self._health = Health(self._report)
        self._probe = ""
        self._emf = Emf(self._counts.snapshot(), log.counters)
        self._due = 0.0  # when textfile and embedded metrics are written, monotonic
        self._outputs = self._open(settings)

    def start(self, probe: str) -> None:
        """Begin to serve and write. Raises ConfigError where no thread can be had.

        The endpoint's thread has the capabilities that its caller has now.
        """
        self._probe = probe
        self._emf = Emf(self._counts.snapshot(), self._log.counters)
        if self._outputs.endpoint is not None:
            self._outputs.endpoint.start()
        if self._outputs.emf_log is not None:
            self._outputs.emf_log.set_probe(probe)
        self._write_textfile()
        self._due = time.monotonic() + self._outputs.settings.interval_s

    def reconfigure(self, settings: config.Metrics) -> None:
        """Follow new settings; counts go on. Raises AnalyzerError, then it is as before."""
        before = self._outputs.settings
        if settings == before:
            return
        self._write_emf()
        # First closed, then opened: 0.0.0.0 cannot be had while one holds 127.0.0.1.
        self._outputs.close()
        try:
            self._outputs = self._open(settings)
            self.start(self._probe)
        except AnalyzerError:
            self._outputs.close()
            self._outputs = self._open(before)
            self.start(self._probe)
            raise

    def tick(self, queued: int, queue_high_water: int) -> None:
        """Note the state of the queue; write what is due. Raises what the log raises."""
        self._counts.tick(queued, queue_high_water)
        outputs = self._outputs
        if outputs.endpoint is not None:
            for failure in outputs.endpoint.take_results():
                self._health.note(PROMETHEUS, failure)
        if outputs.emf_log is not None:
            self._try(outputs.emf_log, outputs.emf_log.tick)
        now = time.monotonic()
        if now >= self._due:
            self._due = now + outputs.settings.interval_s
            self._write_textfile()
            self._write_emf()

    def reopen(self) -> None:
        """Open the file of embedded metrics anew because it was moved."""
        log = self._outputs.emf_log
        if log is not None:
            self._try(log, log.reopen)

    def finish(self) -> None:
        """Write what was counted since the last time. Raises what the log raises."""
        self._write_emf()

    def close(self) -> None:
        """End every output; the socket and the textfile go. May be called twice."""
        self._outputs.close()

    @functools.cached_property
    def _exposition(self) -> Exposition:
        try:
            from analyzer.sinks.metrics.exposition import Exposition  # noqa: PLC0415 -- an extra
        except ImportError as error:
            raise ConfigError(
                f"[metrics] {PROMETHEUS} and {TEXTFILE} need a library that is not installed"
                f" ({error}). Install it with: pip install 'imds-analyzer[metrics]'"
            ) from None
        return Exposition(self._counts, self._log, self._health, lambda: self._probe)

    def _open(self, settings: config.Metrics) -> Outputs:
        is_rendered = settings.prometheus or settings.textfile
        return Outputs(settings, self._exposition.page if is_rendered else None, self._open_log)

    def _write_textfile(self) -> None:
        if self._outputs.textfile is None:
            return
        try:
            self._outputs.textfile.write(self._exposition.text())
        except OSError as error:
            self._health.note(TEXTFILE, error.strerror or str(error))
        else:
            self._health.note(TEXTFILE, None)

    def _write_emf(self) -> None:
        if not self._outputs.settings.emf:
            return
        documents = self._emf.documents(
            self._counts.snapshot(), self._log.counters, time.time_ns() // 1_000_000
        )
        log = self._outputs.emf_log
        if log is None:
            _write(self._log, documents)
        else:
            self._try(log, lambda: _write(log, documents))

    def _try(self, log: Log, action: Callable[[], None]) -> None:
        """Do something with the file of embedded metrics, and note how it went."""
        try:
            action()
        except SinkError as error:
            self._health.note(EMF, str(error))
        else:
            self._health.note(EMF, "it takes no lines now" if log.counters.is_paused else None)

    def _report(self, output: str, failure: Optional[str]) -> None:
        if failure is None:
            self._log.event("metrics_restored", "info", output=output)
        else:
            self._log.event("metrics_failed", "warning", output=output, reason=failure)


def _write(log: Log, documents: Iterable[Document]) -> None:
    for document in documents:
        log.event("metrics", "info", **document)
    log.flush()
