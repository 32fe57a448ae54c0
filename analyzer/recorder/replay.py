"""Builds the recorder around captures of packets, and reads them to their ends."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, NamedTuple

from analyzer.logline.events import CAPTURE_READ, STARTED
from analyzer.recorder.clock import CaptureClock
from analyzer.recorder.daemon.signals import take_stops
from analyzer.recorder.pipeline import Pipeline
from analyzer.recorder.sinks.destination import open_writer
from analyzer.recorder.sinks.jsonl import JsonlSink
from analyzer.recorder.sinks.log import LineLog
from analyzer.recorder.sources.captures.one_file import CaptureFile
from analyzer.recorder.sources.captures.replay import PcapSource
from analyzer.recorder.sources.tcp.dissect import UNKNOWN_LINK
from analyzer.recorder.sources.tcp.scapy_fallback import has_scapy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analyzer.config.settings import Config
    from analyzer.errors import CaptureError


class Replayed(NamedTuple):
    """The result of a replay: packets of unknown link types, and files that are damaged."""

    unknown_links: int
    errors: tuple[CaptureError, ...]

    @property
    def lacks_scapy(self) -> bool:
        """True if scapy, which is not installed, could read more packets."""
        return self.unknown_links > 0 and not has_scapy()


class _Files:
    """Writes a line when the replay begins, and one for each file that was read."""

    def __init__(self, sink: JsonlSink, response_wait_s: float) -> None:
        self._sink = sink
        self._response_wait_s = response_wait_s
        self.errors: list[CaptureError] = []

    def begun(self) -> None:
        settings = {"capture": {"response_wait_s": self._response_wait_s}}
        self._sink.event(STARTED, "info", configuration=settings)

    def read(self, file: CaptureFile) -> None:
        reason = "stopped before its end" if file.is_stopped else None
        if file.error is not None:
            self.errors.append(file.error)
            reason = str(file.error)
        self._sink.event(
            CAPTURE_READ,
            "info" if file.error is None and not file.recording.untimed else "warning",
            file={"path": file.name},
            packets=file.packets,
            interval_s=round(file.length_s, 6),
            packets_without_time=file.recording.untimed or None,
            reason=reason,
        )


def replay(
    paths: Sequence[str], config: Config, host_name: str, response_wait_s: float
) -> Replayed:
    """Write a line for each call in these captures; times are the captures' own.

    ``host_name`` is the host that the packets were sent from, "" if nobody says.
    """
    clock = CaptureClock()

    def now_ns() -> int:
        return clock.now_ns() or time.time_ns()  # a capture without a packet has no time

    with contextlib.ExitStack() as undo:
        sink = JsonlSink(LineLog(open_writer(config.log)), lambda: host_name, "", now_ns=now_ns)
        undo.callback(sink.close)
        files = _Files(sink, response_wait_s)
        source = PcapSource(paths, clock, begun=files.begun, file_read=files.read)
        undo.callback(source.close)
        sink.set_probe(source.probe)
        pipeline = Pipeline(
            source, sink, heartbeat_s=config.log.heartbeat_s, response_wait_s=response_wait_s
        )
        take_stops(pipeline.stop)
        pipeline.run()
    return Replayed(source.counters[UNKNOWN_LINK], tuple(files.errors))
