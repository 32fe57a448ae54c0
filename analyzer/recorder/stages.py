"""Takes events through the stages: decode, judge, attribute, wait for the answer, fold, write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from analyzer.config.settings import NAMES, LogSettings
from analyzer.logline.events import LOST
from analyzer.recorder.attribute import Attributor
from analyzer.recorder.attribute.naming import NodeSettings
from analyzer.recorder.classify import classify
from analyzer.recorder.decode.connections import Connections
from analyzer.recorder.decode.head import unread
from analyzer.recorder.exchanges import Exchanges
from analyzer.recorder.heartbeat import HeartbeatWriter
from analyzer.recorder.records import Captured, Record
from analyzer.recorder.repeats import Repeats
from analyzer.recorder.sink import Sink
from analyzer.recorder.source_events import (
    Answer,
    CgroupMade,
    Chunk,
    Closed,
    Doubt,
    Event,
    Lost,
    Problem,
    Program,
)
from analyzer.text import timestamp

if TYPE_CHECKING:
    from analyzer.recorder.listener import Listener, PacketListener


class Stages:
    """Joins the stages. Listeners hear what passes; ``now_ns`` reads the clock of folded lines."""

    def __init__(
        self,
        sink: Sink,
        heartbeat: HeartbeatWriter,
        repeats: Repeats,
        now_ns: Callable[[], int],
        *,
        epoch_offset_ns: int,
        response_wait_s: float,
        names_only: bool,
        node: NodeSettings,
    ) -> None:
        self.listeners: list[Listener] = []
        self.packet_listeners: list[PacketListener] = []
        self.epoch_offset_ns = epoch_offset_ns
        self._attributor = Attributor(names_only=names_only, node=node)
        self._sink = sink
        self._heartbeat = heartbeat
        self._now_ns = now_ns
        self._connections = Connections()
        self._exchanges = Exchanges(response_wait_s)
        self._repeats = repeats

    def apply(self, log: LogSettings, response_wait_s: float, node: NodeSettings) -> None:
        """Go on with new settings."""
        self._exchanges.set_wait(response_wait_s)
        self._attributor.set_names_only(log.arguments == NAMES)
        self._attributor.set_node(node)
        self._write_lines(self._repeats.set_rate(log.repeats_per_s, log.total_bytes))

    @property
    def has_new_containers(self) -> bool:
        """True if a container has called lately that had not called before."""
        return self._attributor.has_new_containers

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
        for listener in self.packet_listeners:
            listener.sent(event, self._attributor.attribute(event.snapshot), records)

    def handle(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, Chunk):
            self._take_send(event)
        elif isinstance(event, Answer):
            for listener in self.packet_listeners:
                listener.answered(event)
            self._write(self._exchanges.answer(event))
        elif isinstance(event, Closed):
            for listener in self.packet_listeners:
                listener.closed(event)
            # First what was answered or not, then what never became a whole request.
            self._write(self._exchanges.close(event))
            self._write_unanswered(self._connections.close(event))
        elif isinstance(event, Program):
            self._attributor.learn(event)
        elif isinstance(event, CgroupMade):
            self._attributor.learn_cgroup(event)
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
        """Take how far a clock has come that does not run by itself."""
        self.expire(now_ns)
        self._heartbeat.pass_to(now_ns)

    def expire(self, now_boottime_ns: int) -> None:
        """Write what has waited long enough."""
        self._write(self._exchanges.expire(now_boottime_ns))
        self._write_unanswered(self._connections.expire(now_boottime_ns))

    def _record(self, captured: Captured) -> Record:
        snapshot = captured.snapshot
        process = None if snapshot is None else snapshot.process
        return Record(
            captured.boottime_ns + self.epoch_offset_ns,
            0 if process is None else process.start_boottime_ns + self.epoch_offset_ns,
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
        requests = self._heartbeat.interval.requests
        for record in records:
            requests[record.verdict.version] += 1
            self._write_lines(self._repeats.add(record, now_ns))
        for listener in self.listeners:
            for record in records:
                listener.request(record)

    def _write_lines(self, lines: list[Record]) -> None:
        for line in lines:
            self._sink.write(line)

    def survey(self, slice_s: float) -> bool:
        """Look at the processes that run already, for so long; returns whether that is done."""
        return self._attributor.survey(slice_s)

    def expire_repeats(self) -> None:
        """Write the folded lines whose time has come."""
        self._write_lines(self._repeats.expire(self._now_ns()))

    def flush(self) -> None:
        """Write the requests that still wait: the source has ended."""
        self._write(self._exchanges.flush())
        self._write_unanswered(self._connections.flush())

    def flush_repeats(self) -> None:
        """Write all folded lines."""
        self._write_lines(self._repeats.flush())

    def report_losses(self, of_source: list[Lost]) -> None:
        """Report what the source has lost, and what decode has."""
        for lost in (*of_source, *self._connections.lost()):
            self._report_lost(lost)

    def _report_lost(self, lost: Lost) -> None:
        if lost.is_request:
            self._heartbeat.interval.lost += lost.events
        for listener in self.listeners:
            listener.lost(lost)
        self._sink.event(
            LOST,
            "warning",
            count=lost.events,
            since=timestamp(lost.since_boottime_ns + self.epoch_offset_ns),
            reason=lost.reason,
        )
