"""Joins the stages: reads from the source, judges, attributes and writes; bounds and counts."""

from __future__ import annotations

import collections
import contextlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Callable, Protocol

from analyzer.config.settings import MASKED, NAMES, Config
from analyzer.logline.events import HEARTBEAT, LOST, STOPPED
from analyzer.recorder.attribute import Attributor
from analyzer.recorder.classify import classify
from analyzer.recorder.decode.connections import Connections
from analyzer.recorder.decode.head import unread
from analyzer.recorder.exchanges import Exchanges
from analyzer.recorder.pacing import Pace, Waiting
from analyzer.recorder.records import (
    Answer,
    Captured,
    Chunk,
    Closed,
    Doubt,
    Event,
    Lost,
    Problem,
    Program,
    Record,
    Version,
)
from analyzer.recorder.repeats import LOG_BYTES, Repeats
from analyzer.recorder.sources import Source
from analyzer.recorder.usage import cpu_s, rss_bytes
from analyzer.text import timestamp

if TYPE_CHECKING:
    from analyzer.recorder.listener import Listener, PacketListener

# Raw events that wait in user space. They are there so that a burst larger than the
# ring is taken out of the kernel at copying speed and judged afterwards; beyond this
# the ring fills up and the kernel counts what it drops.
MAX_QUEUED_BYTES = 24 << 20
# Bytes taken out of the ring in one go, and events judged before it is looked at again.
READ_BYTES = 4 << 20
SLICE_EVENTS = 256

# The two clocks cannot be read in the same instant, so their difference jitters; it is
# taken anew only when the wall clock was set, or slewed by this much. Between such
# steps one process has one start time in the log.
CLOCK_STEP_NS = 1_000_000

# How long it looks at what runs already before it sees whether there is something to do.
SURVEY_SLICE_S = 0.005

# How often counters are read and idle connections forgotten.
TICK_S = 1.0


class Sink(Protocol):
    """The interface of a destination for records."""

    def write(self, record: Record) -> None:
        """Take one record."""
        ...

    def event(self, name: str, level: str, /, **fields: object) -> None:
        """Take one line about the analyzer itself."""
        ...

    def flush(self) -> None:
        """Pass on what is buffered."""
        ...

    def tick(self) -> None:
        """Look after itself, about once a second."""
        ...

    @property
    def counters(self) -> SinkCounters:
        """Counts of lines that were not written since the start."""
        ...


class SinkCounters(Protocol):
    """The counts of a sink."""

    @property
    def not_written(self) -> Mapping[str, int]:
        """Lines that were dropped, by version; ``event`` for those of no request."""
        ...


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


class Pipeline:
    """Runs one source into one sink until it is told to stop, or the source ends."""

    def __init__(
        self,
        source: Source,
        sink: Sink,
        *,
        heartbeat_s: float,
        response_wait_s: float,
        repeats_per_s: int = 0,
        log_bytes: int = LOG_BYTES,
        arguments: str = MASKED,
    ) -> None:
        """``repeats_per_s`` 0 writes a line for every request (see analyzer.recorder.repeats).

        The log keeps ``log_bytes`` of them.
        """
        self.listeners: list[Listener] = []
        self._packet_listeners: list[PacketListener] = []
        self._source = source
        self._sink = sink
        self._heartbeat_ns = int(heartbeat_s * 1e9)
        self._connections = Connections()
        self._attributor = Attributor(names_only=arguments == NAMES)
        self._exchanges = Exchanges(response_wait_s)
        self._repeats = Repeats(repeats_per_s, log_bytes)
        self._queue: collections.deque[bytes] = collections.deque()
        self._queued_bytes = 0
        self._queue_high_water = 0  # since the last tick
        self._read_since_wakeup = 0
        self._totals = Totals()
        self._interval = Totals()
        self._stopping = False
        self._soon: collections.deque[Callable[[], None]] = collections.deque()
        self._clock = source.clock
        self._epoch_offset_ns = self._clock.epoch_offset_ns()
        # On a clock that does not run, the first event tells when it was started.
        self._started_ns = self._beat_ns = time.monotonic_ns() if self._clock.is_running else 0
        self._cpu_s_at_beat = 0.0  # the first interval has the start's cost

    def add_packet_listener(self, listener: PacketListener) -> None:
        """Add a listener that also hears sends, answers and ends of connections."""
        self.listeners.append(listener)
        self._packet_listeners.append(listener)

    def note_evidence(self, written: int, skipped: int) -> None:
        """Count callers whose code was looked at, and those for whom there was no room."""
        self._interval.evidence_skipped += skipped
        for listener in self.listeners:
            listener.evidence(written, skipped)

    def stop(self) -> None:
        """Make :meth:`run` drain and return; safe to call from a signal handler."""
        self._stopping = True

    def call_soon(self, action: Callable[[], None]) -> None:
        """Have :meth:`run` call this between two events; safe to call from a signal handler."""
        self._soon.append(action)

    def prepare(
        self, _present: Config, new: Config, _undo: contextlib.ExitStack
    ) -> Callable[[], None]:
        """Return what applies the waits of new settings (analyzer.recorder.daemon.reload)."""

        def commit() -> None:
            self._heartbeat_ns = int(new.log.heartbeat_s * 1e9)
            self._exchanges.set_wait(new.capture.response_wait_s)
            self._attributor.set_names_only(new.log.arguments == NAMES)
            log = new.log
            self._write_lines(self._repeats.set_rate(log.repeats_per_s, log.total_bytes))

        return commit

    def run(self) -> None:
        """Process events until :meth:`stop` or the end; then detach, drain, write the totals."""
        self._tell_clock()
        with Waiting(self._source.fileno()) as waiting:
            pace = Pace(time.monotonic())
            next_tick = time.monotonic() + TICK_S
            is_surveyed = not self._clock.is_running
            while not (self._stopping or self._source.is_ended):
                is_busy = self._queue or not is_surveyed
                wait_s = 0.0 if is_busy else max(0.0, next_tick - time.monotonic())
                has_events = waiting.has_events(wait_s)
                # What was recorded before is there already: nothing gathers meanwhile.
                if has_events and not self._queue and self._clock.is_running:
                    waiting.rest(pace.linger_s(time.monotonic(), self._read_since_wakeup))
                    self._read_since_wakeup = 0
                self._fill()
                self._judge(SLICE_EVENTS)
                while self._soon:
                    self._soon.popleft()()
                if not self._queue:
                    self._sink.flush()
                    is_surveyed = is_surveyed or self._attributor.survey(SURVEY_SLICE_S)
                if time.monotonic() >= next_tick:
                    self._tick()
                    next_tick = time.monotonic() + TICK_S
        self._finish()

    def _fill(self) -> None:
        if self._queued_bytes >= MAX_QUEUED_BYTES:
            return
        received = self._source.read(min(READ_BYTES, MAX_QUEUED_BYTES - self._queued_bytes))
        self._queue.extend(received)
        self._read_since_wakeup += len(received)
        self._queued_bytes += sum(map(len, received))
        self._queue_high_water = max(self._queue_high_water, len(self._queue))

    def _judge(self, events: int) -> None:
        queue = self._queue
        for _ in range(min(events, len(queue))):
            raw = queue.popleft()
            self._queued_bytes -= len(raw)
            for event in self._source.decode(raw):
                self._handle(event)

    def _take_send(self, event: Chunk) -> None:
        if self._connections.contradicts(event):
            self._doubt(
                Doubt(
                    event.boottime_ns,
                    event.connection,
                    event.tid,
                    event.snapshot,
                    Problem.CONFLICTING,
                    event.is_answered,
                )
            )
        records = []
        for captured in self._connections.feed(event):
            records.append(self._await_answer(captured))  # noqa: PERF401 (slower)
        for listener in self._packet_listeners:
            listener.sent(event, self._attributor.attribute(event.snapshot), records)

    def _handle(self, event: Event) -> None:
        if isinstance(event, Chunk):
            self._take_send(event)
        elif isinstance(event, Answer):
            for listener in self._packet_listeners:
                listener.answered(event)
            self._write(self._exchanges.answer(event))
        elif isinstance(event, Closed):
            for listener in self._packet_listeners:
                listener.closed(event)
            # First what was answered or not, then what never became a whole request.
            self._write(self._exchanges.close(event))
            self._write_unanswered(self._connections.close(event))
        elif isinstance(event, Program):
            self._attributor.learn(event)
        elif isinstance(event, Doubt):
            self._doubt(event)
        else:
            self._pass(event.boottime_ns)

    def _doubt(self, doubt: Doubt) -> None:
        """Make unknown what is not answered on a connection; what was written stays."""
        request = unread(doubt.reason.value)
        doubted = self._exchanges.doubt(doubt.connection.socket_id, request, classify(request))
        for captured in self._connections.doubt(doubt, is_told=doubted > 0):
            self._await_answer(captured)

    def _pass(self, now_ns: int) -> None:
        """Take note that a clock that does not run by itself has come this far."""
        self._expire(now_ns)
        if not 0 < self._beat_ns <= now_ns:
            self._beat_ns = now_ns
        self._started_ns = min(self._started_ns or now_ns, now_ns)
        self._beat_if_due(now_ns)

    def _expire(self, now_boottime_ns: int) -> None:
        """Write what has waited long enough."""
        self._write(self._exchanges.expire(now_boottime_ns))
        self._write_unanswered(self._connections.expire(now_boottime_ns))

    def _record(self, captured: Captured) -> Record:
        snapshot = captured.snapshot
        process = None if snapshot is None else snapshot.process
        return Record(
            captured.boottime_ns + self._epoch_offset_ns,
            0 if process is None else process.start_boottime_ns + self._epoch_offset_ns,
            captured.connection,
            captured.tid,
            captured.request,
            classify(captured.request),
            self._attributor.attribute(snapshot, captured.others),
        )

    def _await_answer(self, captured: Captured) -> Record:
        record = self._record(captured)
        self._write(
            self._exchanges.add(record, captured.boottime_ns, is_answered=captured.is_answered)
        )
        return record

    def _write_unanswered(self, captured: list[Captured]) -> None:
        """Write what was never a whole request: no answer can be told to be its own."""
        if captured:
            self._write([self._record(each) for each in captured])

    def _write(self, records: list[Record]) -> None:
        if not records:
            return
        now_ns = self._now_ns()
        for record in records:
            self._interval.requests[record.verdict.version] += 1
            self._write_lines(self._repeats.add(record, now_ns))
        for listener in self.listeners:
            for record in records:
                listener.request(record)

    def _write_lines(self, lines: list[Record]) -> None:
        for line in lines:
            self._sink.write(line)

    def _tick(self) -> None:
        offset_ns = self._clock.epoch_offset_ns()
        if abs(offset_ns - self._epoch_offset_ns) > CLOCK_STEP_NS:
            self._epoch_offset_ns = offset_ns
        if self._clock.is_running:
            now_boottime_ns = self._clock.now_ns()
            for event in self._source.expire(now_boottime_ns):
                self._handle(event)
            if not self._queue:
                # With events still queued, the answer or the rest of a request may be among them.
                self._expire(now_boottime_ns)
        self._tell_clock()
        for listener in self.listeners:
            listener.expire(self._clock.now_ns(), self._sink.event)
        self._report_losses()
        self._write_lines(self._repeats.expire(self._now_ns()))
        self._note_queue()
        self._sink.tick()
        if self._clock.is_running:
            self._beat_if_due(time.monotonic_ns())
        self._sink.flush()

    def _beat_if_due(self, now_ns: int) -> None:
        if now_ns - self._beat_ns >= self._heartbeat_ns:
            self._count_not_written()
            self._sink.event(
                HEARTBEAT,
                "info",
                interval_s=round((now_ns - self._beat_ns) / 1e9, 3),
                **self._interval.as_fields(),
                **_usage(self._cpu_s_at_beat),
            )
            self._cpu_s_at_beat = cpu_s()
            self._totals.add(self._interval)
            self._interval = Totals()
            self._beat_ns = now_ns

    def _note_queue(self) -> None:
        high_water, self._queue_high_water = self._queue_high_water, 0
        self._interval.queue_high_water = max(self._interval.queue_high_water, high_water)
        for listener in self.listeners:
            listener.tick(len(self._queue), high_water)

    def _tell_clock(self) -> None:
        for listener in self.listeners:
            listener.clock_set(self._epoch_offset_ns)

    def _count_not_written(self) -> None:
        """Take what the sink has dropped since the last heartbeat into the interval's counts."""
        new = collections.Counter(self._sink.counters.not_written)
        new.subtract(self._totals.not_written)
        self._interval.not_written = new

    def _report_losses(self) -> None:
        for lost in (*self._source.lost(), *self._connections.lost()):
            self._report_lost(lost)

    def _report_lost(self, lost: Lost) -> None:
        if lost.is_request:
            self._interval.lost += lost.events
        for listener in self.listeners:
            listener.lost(lost)
        self._sink.event(
            LOST,
            "warning",
            count=lost.events,
            since=timestamp(lost.since_boottime_ns + self._epoch_offset_ns),
            reason=lost.reason,
        )

    def _now_ns(self) -> int:
        return time.monotonic_ns() if self._clock.is_running else self._clock.now_ns()

    def _finish(self) -> None:
        self._source.detach()
        while True:
            self._fill()
            if not self._queue:
                break
            self._judge(len(self._queue))
        for event in self._source.flush():
            self._handle(event)
        self._write(self._exchanges.flush())
        self._write_unanswered(self._connections.flush())
        for listener in self.listeners:
            listener.flush(self._sink.event)
        self._write_lines(self._repeats.flush())
        self._report_losses()
        self._note_queue()
        self._sink.tick()
        self._count_not_written()
        for listener in self.listeners:
            listener.finish()
        self._totals.add(self._interval)
        self._sink.event(
            STOPPED,
            "info",
            uptime_s=round((self._now_ns() - self._started_ns) / 1e9, 3),
            **self._totals.as_fields(),
            **_usage(),
        )
        self._sink.flush()


def _usage(cpu_s_before: float = 0) -> dict[str, object]:
    return {"cpu_s": round(cpu_s() - cpu_s_before, 3), "rss_bytes": rss_bytes()}
