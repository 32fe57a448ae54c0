"""Runs the recorder: queues what the source reads, within bounds, and has the stages take it."""

from __future__ import annotations

import collections
import contextlib
import time
from typing import TYPE_CHECKING, Callable

from analyzer.config.settings import MASKED, NAMES, Config, KubernetesSettings
from analyzer.host.identity import node_name
from analyzer.lru import Lru
from analyzer.recorder.attribute.naming import NodeSettings
from analyzer.recorder.heartbeat import HeartbeatWriter
from analyzer.recorder.pacing import Pace, Waiting
from analyzer.recorder.repeats import LOG_BYTES, Repeats
from analyzer.recorder.sink import Sink
from analyzer.recorder.sources import Source
from analyzer.recorder.stages import Stages

if TYPE_CHECKING:
    from analyzer.recorder.listener import PacketListener

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

# How often events that gather are looked at while new containers call, and the cgroups that are
# told apart. A look costs 0.15 ms, and a container of one call lives for 50 ms.
LOOK_S = 0.015
CGROUPS_MAX = 4096

# How often counters are read and idle connections forgotten.
TICK_S = 1.0
DEFAULT = KubernetesSettings()


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
        kubernetes: KubernetesSettings = DEFAULT,
    ) -> None:
        """``repeats_per_s`` 0 writes a line for every request (see analyzer.recorder.repeats).

        The log keeps ``log_bytes`` of them.
        """
        self._source = source
        self._sink = sink
        self._clock = source.clock
        # The clock of intervals. One that does not run tells the start with its first event.
        self._now_ns = time.monotonic_ns if self._clock.is_running else self._clock.now_ns
        started_ns = self._now_ns() if self._clock.is_running else 0
        self._heartbeat = HeartbeatWriter(sink, heartbeat_s, started_ns)
        self._stages = Stages(
            sink,
            self._heartbeat,
            Repeats(repeats_per_s, log_bytes),
            self._now_ns,
            epoch_offset_ns=self._clock.epoch_offset_ns(),
            response_wait_s=response_wait_s,
            names_only=arguments == NAMES,
            node=_node_settings(kubernetes),
        )
        self.listeners = self._stages.listeners
        self._cgroups: Lru[int, bool] = Lru(CGROUPS_MAX)
        self._queue: collections.deque[bytes] = collections.deque()
        self._queued_bytes = 0
        self._queue_high_water = 0  # since the last tick
        self._read_since_wakeup = 0
        self._stopping = False
        self._soon: collections.deque[Callable[[], None]] = collections.deque()

    def add_packet_listener(self, listener: PacketListener) -> None:
        """Add a listener that also hears sends, answers and ends of connections."""
        self.listeners.append(listener)
        self._stages.packet_listeners.append(listener)

    def note_evidence(self, written: int, skipped: int) -> None:
        """Count callers whose code was looked at, and those for whom there was no room."""
        self._heartbeat.interval.evidence_skipped += skipped
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
            self._heartbeat.set_every(new.log.heartbeat_s)
            self._stages.apply(new.log, new.capture.response_wait_s, _node_settings(new.kubernetes))

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
                    linger_s = pace.linger_s(time.monotonic(), self._read_since_wakeup)
                    self._read_since_wakeup = 0
                    self._linger(waiting, linger_s)
                self._fill()
                self._judge(SLICE_EVENTS)
                while self._soon:
                    self._soon.popleft()()
                if not self._queue:
                    self._sink.flush()
                    is_surveyed = is_surveyed or self._stages.survey(SURVEY_SLICE_S)
                if time.monotonic() >= next_tick:
                    self._tick()
                    next_tick = time.monotonic() + TICK_S
        self._finish()

    def _linger(self, waiting: Waiting, for_s: float) -> None:
        """Let events gather, but not beyond the first from a cgroup that has not called before.

        A container may be gone soon, and with it what its runtime left on the node. They are
        looked for only after a new one has called: jobs come in numbers, and looking has its cost.
        """
        if not self._stages.has_new_containers:
            waiting.rest(for_s)
            return
        end_s = time.monotonic() + for_s
        while for_s > 0 and not (self._stopping or self._soon):
            if self._has_new_cgroup(self._fill()):
                return
            waiting.rest(min(for_s, LOOK_S))
            for_s = end_s - time.monotonic()

    def _has_new_cgroup(self, received: list[bytes]) -> bool:
        """Remember the cgroups of events; tell whether one was not known."""
        is_new = False
        for raw in received:
            cgroup = self._source.cgroup_of(raw)
            if cgroup and self._cgroups.use(cgroup) is None:
                self._cgroups.put(cgroup, True)
                is_new = True
        return is_new

    def _fill(self) -> list[bytes]:
        if self._queued_bytes >= MAX_QUEUED_BYTES:
            return []
        received = self._source.read(min(READ_BYTES, MAX_QUEUED_BYTES - self._queued_bytes))
        self._queue.extend(received)
        self._read_since_wakeup += len(received)
        self._queued_bytes += sum(map(len, received))
        self._queue_high_water = max(self._queue_high_water, len(self._queue))
        return received

    def _judge(self, events: int) -> None:
        queue, handle = self._queue, self._stages.handle
        for _ in range(min(events, len(queue))):
            raw = queue.popleft()
            self._queued_bytes -= len(raw)
            for event in self._source.decode(raw):
                handle(event)

    def _tick(self) -> None:
        offset_ns = self._clock.epoch_offset_ns()
        if abs(offset_ns - self._stages.epoch_offset_ns) > CLOCK_STEP_NS:
            self._stages.epoch_offset_ns = offset_ns
        if self._clock.is_running:
            now_boottime_ns = self._clock.now_ns()
            for event in self._source.expire(now_boottime_ns):
                self._stages.handle(event)
            if not self._queue:
                # With events still queued, the answer or the rest of a request may be among them.
                self._stages.expire(now_boottime_ns)
        self._tell_clock()
        for listener in self.listeners:
            listener.expire(self._clock.now_ns(), self._sink.event)
        self._stages.report_losses(self._source.lost())
        self._stages.expire_repeats()
        self._note_queue()
        self._sink.tick()
        if self._clock.is_running:
            self._heartbeat.beat_if_due(self._now_ns())
        self._sink.flush()

    def _tell_clock(self) -> None:
        for listener in self.listeners:
            listener.clock_set(self._stages.epoch_offset_ns)

    def _note_queue(self) -> None:
        high_water, self._queue_high_water = self._queue_high_water, 0
        self._heartbeat.note_queue(high_water)
        for listener in self.listeners:
            listener.tick(len(self._queue), high_water)

    def _finish(self) -> None:
        self._source.detach()
        while True:
            self._fill()
            if not self._queue:
                break
            self._judge(len(self._queue))
        for event in self._source.flush():
            self._stages.handle(event)
        self._stages.flush()
        for listener in self.listeners:
            listener.flush(self._sink.event)
        self._stages.flush_repeats()
        self._stages.report_losses(self._source.lost())
        self._note_queue()
        self._sink.tick()
        for listener in self.listeners:
            listener.finish()
        self._heartbeat.stop(self._now_ns())
        self._sink.flush()


def _node_settings(settings: KubernetesSettings) -> NodeSettings:
    node = settings.node or node_name()
    return NodeSettings(settings.labels, settings.root or "", node, settings.cluster)
