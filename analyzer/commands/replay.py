"""``imds-analyzer replay``: read captures, and write a line for each call in them."""

from __future__ import annotations

import contextlib
import time
from typing import Optional

import click

from analyzer.commands.run import log_flags, without
from analyzer.config.file import load
from analyzer.config.settings import Capture
from analyzer.errors import CaptureError


@click.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
@click.option(
    "--log-file",
    show_default="-",
    metavar="PATH",
    help="Where the JSON lines go; - is standard output.",
)
@click.option(
    "--host",
    "host_name",
    default="",
    metavar="NAME",
    help="The host the packets were sent from; a capture does not tell.",
)
@click.option(
    "--response-wait",
    "response_wait_s",
    type=click.FloatRange(0, 60),
    default=Capture.response_wait_s,
    show_default=True,
    metavar="SECONDS",
    help="How long a request may wait for its answer, in the capture's time.",
)
def replay(
    files: tuple[str, ...], log_file: Optional[str], host_name: str, response_wait_s: float
) -> None:
    """Read pcap or pcapng FILES, gzip too, and write the lines that `run` would have written.

    Times are the captures' own. Who sent a request, packets do not tell: only its address. With -
    a capture is read from standard input while it is being written: tcpdump -U -w - | ... replay -

    Exit code 2: a file is damaged; what could be read of it has been written.
    """
    flags = {"log.rotation": "external", **log_flags(log_file, None)}
    config = load(None, flags)
    with without("rich", "ssl"):
        import structlog  # noqa: F401 (imported for the sink, without what it does not need)
    from analyzer.recorder.clock import CaptureClock
    from analyzer.recorder.daemon.signals import take_stops
    from analyzer.recorder.pipeline import Pipeline
    from analyzer.recorder.sinks.jsonl import JsonlSink
    from analyzer.recorder.sinks.log import Log
    from analyzer.recorder.sinks.opening import open_writer
    from analyzer.recorder.sources.captures.replay import CaptureFile, PcapSource
    from analyzer.recorder.sources.tcp.dissect import UNKNOWN_LINK
    from analyzer.recorder.sources.tcp.scapy_fallback import has_scapy

    clock = CaptureClock()
    errors: list[CaptureError] = []

    def now_ns() -> int:
        return clock.now_ns() or time.time_ns()  # a capture without a packet has no time

    def begun() -> None:
        settings = {"capture": {"response_wait_s": response_wait_s}}
        sink.event("analyzer_started", "info", configuration=settings)

    def file_read(file: CaptureFile) -> None:
        reason = "stopped before its end" if file.is_stopped else None
        if file.error is not None:
            errors.append(file.error)
            reason = str(file.error)
        sink.event(
            "capture_read",
            "info" if file.error is None and not file.recording.untimed else "warning",
            file={"path": file.name},
            packets=file.packets,
            packets_without_time=file.recording.untimed or None,
            reason=reason,
        )

    with contextlib.ExitStack() as undo:
        sink = JsonlSink(Log(open_writer(config.log)), lambda: host_name, "", now_ns=now_ns)
        undo.callback(sink.close)
        source = PcapSource(files, clock, begun=begun, file_read=file_read)
        undo.callback(source.close)
        sink.set_probe(source.probe)
        pipeline = Pipeline(
            source, sink, heartbeat_s=config.log.heartbeat_s, response_wait_s=response_wait_s
        )
        take_stops(pipeline.stop)
        pipeline.run()
    unknown = source.counters[UNKNOWN_LINK]
    if unknown and not has_scapy():
        click.echo(
            f"imds-analyzer: {unknown} packets are of a link type or in a tunnel that needs scapy"
            " to be read. Install it: pip install 'imds-analyzer[packet]'",
            err=True,
        )
    if errors:
        raise CaptureError("\n".join(map(str, errors)))
