"""Counts requests and losses, and writes the counts: in each heartbeat, and in the last line."""

from __future__ import annotations

import collections

from analyzer.logline.events import HEARTBEAT, STOPPED
from analyzer.recorder.records import Version
from analyzer.recorder.sink import Sink
from analyzer.recorder.usage import cpu_s, rss_bytes


class Totals:
    """Counts since the start, and since the last heartbeat."""

    def __init__(self) -> None:
        self.requests: collections.Counter[Version] = collections.Counter()
        self.lost = 0
        self.not_written: collections.Counter[str] = collections.Counter()
        self.queue_high_water = 0
        self.evidence_skipped = 0

    def as_fields(self) -> dict[str, object]:
        """Return the counts as they go into the log."""
        return {
            "requests": {each.value: self.requests[each] for each in Version},
            "lost": self.lost,
            "not_written": {each.value: self.not_written[each.value] for each in Version},
            "queue_high_water": self.queue_high_water,
            "evidence_skipped": self.evidence_skipped or None,
        }

    def add(self, other: Totals) -> None:
        """Add the counts of an interval."""
        self.requests.update(other.requests)
        self.lost += other.lost
        self.not_written.update(other.not_written)
        self.queue_high_water = max(self.queue_high_water, other.queue_high_water)
        self.evidence_skipped += other.evidence_skipped


class HeartbeatWriter:
    """Holds the counts of the interval under way, and those since the start."""

    def __init__(self, sink: Sink, every_s: float, started_ns: int) -> None:
        """``started_ns`` is 0 on a clock that does not run: the first event tells."""
        self.interval = Totals()
        self._sink = sink
        self._every_ns = int(every_s * 1e9)
        self._totals = Totals()
        self._started_ns = self._beat_ns = started_ns
        self._cpu_s_at_beat = 0.0  # the first interval has the start's cost

    def set_every(self, every_s: float) -> None:
        """Beat as often as this from now on."""
        self._every_ns = int(every_s * 1e9)

    def note_queue(self, high_water: int) -> None:
        """Take the most events that were queued since the last call."""
        self.interval.queue_high_water = max(self.interval.queue_high_water, high_water)

    def pass_to(self, now_ns: int) -> None:
        """Take how far a clock has come that does not run by itself."""
        if not 0 < self._beat_ns <= now_ns:
            self._beat_ns = now_ns
        self._started_ns = min(self._started_ns or now_ns, now_ns)
        self.beat_if_due(now_ns)

    def beat_if_due(self, now_ns: int) -> None:
        """Write a heartbeat if its time has come."""
        if now_ns - self._beat_ns < self._every_ns:
            return
        self._count_not_written()
        self._sink.event(
            HEARTBEAT,
            "info",
            interval_s=round((now_ns - self._beat_ns) / 1e9, 3),
            **self.interval.as_fields(),
            **_usage(self._cpu_s_at_beat),
        )
        self._cpu_s_at_beat = cpu_s()
        self._totals.add(self.interval)
        self.interval = Totals()
        self._beat_ns = now_ns

    def stop(self, now_ns: int) -> None:
        """Write the counts since the start: the log's last line."""
        self._count_not_written()
        self._totals.add(self.interval)
        self._sink.event(
            STOPPED,
            "info",
            uptime_s=round((now_ns - self._started_ns) / 1e9, 3),
            **self._totals.as_fields(),
            **_usage(),
        )

    def _count_not_written(self) -> None:
        """Take what the sink has dropped since the last heartbeat into the interval's counts."""
        new = collections.Counter(self._sink.counters.not_written)
        new.subtract(self._totals.not_written)
        self.interval.not_written = new


def _usage(cpu_s_before: float = 0) -> dict[str, object]:
    return {"cpu_s": round(cpu_s() - cpu_s_before, 3), "rss_bytes": rss_bytes()}
