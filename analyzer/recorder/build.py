"""Builds the recorder from the settings, and runs it until a signal stops it."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional

from analyzer.errors import ConfigError
from analyzer.logline.events import STARTED
from analyzer.recorder.daemon.notify import Notifier
from analyzer.recorder.daemon.privileges import drop_privileges
from analyzer.recorder.daemon.reload import Reloader
from analyzer.recorder.daemon.signals import RELOAD, REOPEN, take_stops, taken
from analyzer.recorder.daemon.status import StatusListener
from analyzer.recorder.decode.connections import EVICTED
from analyzer.recorder.evidence.listener import EvidenceListener
from analyzer.recorder.introduction import introduction, sandbox
from analyzer.recorder.lazy_metrics import Metering
from analyzer.recorder.pipeline import Pipeline
from analyzer.recorder.sinks.jsonl import open_log
from analyzer.recorder.sinks.trusted import located, remove, replace_file
from analyzer.recorder.sources.losses import REASONS

if TYPE_CHECKING:
    from analyzer.config.settings import Config
    from analyzer.recorder.early_attach import HeadStart
    from analyzer.recorder.packet_export.export import PacketExport

# Whoever waits for it may be another user.
READY_MODE = 0o644


def run(
    config: Config,
    ready_file: Optional[str],
    config_file: Optional[str],
    flags: Mapping[str, object],
    head_start: HeadStart,
) -> None:
    """Capture, judge and write until a signal stops it; ``flags`` win over ``config_file``.

    Raises AnalyzerError if something that the settings name is unavailable.
    """
    # Without a file to read again, SIGHUP keeps its meaning: the terminal is gone.
    numbers = [REOPEN] if config_file is None else [REOPEN, RELOAD]
    with contextlib.ExitStack() as undo:
        notifier = Notifier.take(os.environ)
        undo.callback(notifier.close)
        orders = undo.enter_context(taken(*numbers))
        sink = open_log(config.log)
        undo.callback(sink.close)
        metering = Metering(config, sink, (*REASONS, EVICTED))
        undo.callback(metering.close)
        attached = head_start.take(config.capture.wanted)
        source = attached.opened.source
        undo.callback(source.close)
        sink.set_probe(source.probe)
        surroundings = sandbox()
        privileges = drop_privileges()
        status = StatusListener(notifier, source.probe)
        pipeline = Pipeline(
            source,
            sink,
            heartbeat_s=config.log.heartbeat_s,
            response_wait_s=config.capture.response_wait_s,
            repeats_per_s=config.log.repeats_per_s,
            log_bytes=config.log.total_bytes,
            arguments=config.log.arguments,
            kubernetes=config.kubernetes,
        )
        if config.capture.write_pcap is not None:
            export = _packet_export(config.capture.write_pcap, config, undo)
            pipeline.add_packet_listener(export)
        pipeline.listeners.append(status)
        evidence = EvidenceListener(config, sink.tell, pipeline.note_evidence)
        undo.callback(evidence.close)
        pipeline.listeners.append(evidence)
        # Behind all that gives up capabilities: a thread keeps those that it is started with.
        metering.start(pipeline, source.probe)

        def stop() -> None:
            notifier.stopping()
            pipeline.stop()

        take_stops(stop)

        def reopen() -> None:
            sink.reopen()
            metering.reopen()

        actions: dict[int, Callable[[], None]] = {REOPEN: reopen}
        if config_file is not None:
            parts = (sink.prepare, pipeline.prepare, metering.prepare, evidence.prepare)
            reloader = Reloader(config_file, flags, config, sink.event, parts)
            actions[RELOAD] = status.reloading(reloader.reload)
        orders.hand_to(lambda number: pipeline.call_soon(actions[number]))
        fields = {**introduction(config, attached), **surroundings, **privileges}
        sink.event(STARTED, "info", **fields)
        _return_memory()
        sink.flush()
        if ready_file is not None:
            undo.enter_context(_ready(Path(ready_file)))
        status.ready()
        pipeline.run()


def _packet_export(path: str, config: Config, undo: contextlib.ExitStack) -> PacketExport:
    from analyzer.recorder.packet_export.export import open_export  # noqa: PLC0415 (rarely used)

    export = open_export(path, config.capture.write_pcap_mib << 20)
    undo.callback(export.close)
    return export


def _return_memory() -> None:
    """Give back what loading took: libbpf reads all of the kernel's types, 10 MB, and is done."""
    with contextlib.suppress(AttributeError):  # malloc_trim is glibc's
        ctypes.CDLL(None).malloc_trim(0)


@contextlib.contextmanager
def _ready(path: Path) -> Iterator[None]:
    """Keep a file that holds our pid; raises ConfigError when it cannot be made.

    Whoever waits for it never sees it empty.
    """
    try:
        replace_file(str(path), f"{os.getpid()}\n".encode(), READY_MODE)
    except OSError as error:
        raise ConfigError(f"--ready-file {path}: {error.strerror}") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError), located(str(path), follow=False) as place:
            remove(place.directory, place.name)
