"""Reports the pipeline's state in the line that `systemctl status` shows."""

from __future__ import annotations

from typing import Callable

from analyzer.recorder.daemon.notify import Notifier
from analyzer.recorder.listener import Listener
from analyzer.recorder.records import Record, Version
from analyzer.recorder.source_events import Lost


class StatusListener(Listener):
    """Tells the service manager, with each tick of the pipeline, that it advances, and how."""

    def __init__(self, notifier: Notifier, probe: str) -> None:
        """Take who is told, and the name of the probe."""
        self._notifier = notifier
        self._probe = probe
        self._requests = self._v1 = self._lost = 0
        self._is_rejected = False

    @property
    def status(self) -> str:
        """Counts since the start, in one line.

        It begins with a configuration that was rejected: `systemctl reload` itself cannot fail.
        """
        counts = f"{self._probe}, {self._requests} requests ({self._v1} v1), {self._lost} lost"
        return f"new configuration rejected, see the log; {counts}" if self._is_rejected else counts

    def ready(self) -> None:
        """Say that the probe is attached; raises ServiceError where it cannot be said."""
        self._notifier.ready(self.status)

    def reloading(self, reload: Callable[[], bool]) -> Callable[[], None]:
        """Return what reloads, and says when that begins and ends, and whether it was refused."""

        def reload_and_tell() -> None:
            with self._notifier.reloading(lambda: self.status):
                self._is_rejected = not reload()

        return reload_and_tell

    def request(self, record: Record) -> None:
        """Count one."""
        self._requests += 1
        self._v1 += record.verdict.version is Version.V1

    def lost(self, lost: Lost) -> None:
        """Count requests; an answer that was lost takes no line from the log."""
        if lost.is_request:
            self._lost += lost.events

    def tick(self, _queued: int, _queue_high_water: int) -> None:
        """Feed the watchdog."""
        self._notifier.advance(self.status)
