"""``imds-analyzer run``: attach, and write a line for each call until told to stop."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional

import click

from analyzer.config.file import load
from analyzer.config.settings import ATTACHES, ROTATIONS, RULES, SOURCES, Capture, Config, Log
from analyzer.errors import ConfigError
from analyzer.recorder.early_attach import Attached, HeadStart

if TYPE_CHECKING:
    from analyzer.recorder.packet_export.export import Recording
    from analyzer.recorder.sources import Source


# Whoever waits for it may be another user.
READY_MODE = 0o644


def _by_rule(setting: str) -> Callable[[click.Context, click.Parameter, object], object]:
    """Return what judges a flag as the file's reader judges that setting."""

    def parse(_context: click.Context, _flag: click.Parameter, value: object) -> object:
        try:
            return None if value is None else RULES[setting].parse(value)
        except ValueError as error:
            raise click.BadParameter(f"{value} {error}.") from None

    return parse


@click.command()
@click.option(
    "--config",
    "config_file",
    metavar="PATH",
    help="A file with settings; flags win over it. Read again on SIGHUP.",
)
@click.option("--check", is_flag=True, help="Only say whether the settings are right.")
# For install.sh, which cannot read TOML itself: one word a line.
@click.option("--needs", is_flag=True, hidden=True)
@click.option(
    "--log-file",
    show_default="- without --config",
    metavar="PATH",
    help="Where the JSON lines go; - is standard output.",
)
@click.option(
    "--rotation",
    type=click.Choice(ROTATIONS),
    show_default=Log.rotation,
    help="Whether a large file is put aside here, or by others, who send SIGUSR1.",
)
@click.option(
    "--repeats-per-s",
    type=int,
    callback=_by_rule("log.repeats_per_s"),
    show_default=str(Log.repeats_per_s),
    metavar="LINES",
    help="Lines a second of one caller; further calls become one line with counts. 0 folds none.",
)
@click.option(
    "--ready-file",
    metavar="PATH",
    help="A file that exists while the probe is attached.",
)
@click.option("--source", type=click.Choice(SOURCES), show_default=Capture.source)
@click.option("--attach", type=click.Choice(ATTACHES), show_default=Capture.attach)
@click.option(
    "--wire/--no-wire",
    default=None,
    show_default="--wire",
    help="Whether packets are watched beside calls: a call can offer other bytes than it sends.",
)
@click.option(
    "--ring-mib",
    type=int,
    callback=_by_rule("capture.ring_mib"),
    show_default=str(Capture.ring_mib),
    help="Size of the kernel's ring buffer, a power of two.",
)
@click.option(
    "--heartbeat",
    "heartbeat_s",
    type=float,
    callback=_by_rule("log.heartbeat_s"),
    show_default=str(Log.heartbeat_s),
    metavar="SECONDS",
    help="How often a line says that the analyzer is alive.",
)
@click.option(
    "--response-wait",
    "response_wait_s",
    type=float,
    callback=_by_rule("capture.response_wait_s"),
    show_default=str(Capture.response_wait_s),
    metavar="SECONDS",
    help="How long a request may wait for its answer before it is written; 0 waits for none.",
)
@click.option(
    "--write-pcap",
    metavar="FILE",
    help="Also write what was seen as packets for Wireshark (pcapng), secrets covered.",
)
@click.option(
    "--write-pcap-mib",
    type=int,
    callback=_by_rule("capture.write_pcap_mib"),
    metavar="MIB",
    show_default=str(Capture.write_pcap_mib),
    help="Size at which that file takes no more.",
)
@click.pass_obj
def run(
    head_start: Optional[HeadStart],
    config_file: Optional[str],
    check: bool,
    needs: bool,
    log_file: Optional[str],
    rotation: Optional[str],
    repeats_per_s: Optional[int],
    ready_file: Optional[str],
    source: Optional[str],
    attach: Optional[str],
    wire: Optional[bool],
    ring_mib: Optional[int],
    heartbeat_s: Optional[float],
    response_wait_s: Optional[float],
    write_pcap: Optional[str],
    write_pcap_mib: Optional[int],
) -> None:
    """Watch IMDS calls and write them as JSON lines.

    SIGTERM and SIGINT write what is still in the buffer, then the totals, and end it. SIGHUP
    reads the configuration again, SIGUSR1 opens the log again after others have moved it.
    """
    flags = {
        "capture.source": source,
        "capture.attach": attach,
        "capture.wire": wire,
        "capture.ring_mib": ring_mib,
        "capture.response_wait_s": response_wait_s,
        "capture.write_pcap": None if write_pcap is None else _absolute(write_pcap),
        "capture.write_pcap_mib": write_pcap_mib,
        "log.rotation": rotation,
        "log.heartbeat_s": heartbeat_s,
        "log.repeats_per_s": repeats_per_s,
        **log_flags(log_file, config_file),
    }
    flags = {name: value for name, value in flags.items() if value is not None}
    config = load(config_file, flags)
    if needs:
        for each in config.needs():
            click.echo(each)
        return
    if check:
        click.echo(f"{config_file or 'the settings'}: nothing is wrong")
        return
    _run(config, ready_file, config_file, flags, head_start or HeadStart())


def log_flags(log_file: Optional[str], config_file: Optional[str]) -> dict[str, object]:
    """Return the settings that --log-file means, beside a configuration file or without."""
    if log_file is None:
        return {} if config_file is not None else {"log.sink": "stdout"}
    if log_file == "-":
        return {"log.sink": "stdout"}
    return {"log.sink": "file", "log.file": _absolute(log_file)}


def _absolute(path: str) -> str:
    """From / on, and otherwise as it was given: a log is opened again after it was put aside."""
    return os.path.join(Path.cwd(), path)  # noqa: PTH118


def _run(
    config: Config,
    ready_file: Optional[str],
    config_file: Optional[str],
    flags: Mapping[str, object],
    head_start: HeadStart,
) -> None:
    # Late, so that --help does not load them.
    with without("rich", "ssl"):
        import structlog  # noqa: F401 (imported for the sink, without what it does not need)
    from analyzer.recorder.daemon.notify import Notifier
    from analyzer.recorder.daemon.privileges import drop_privileges
    from analyzer.recorder.daemon.reload import Reloader
    from analyzer.recorder.daemon.signals import RELOAD, REOPEN, take_stops, taken
    from analyzer.recorder.daemon.status import StatusObserver
    from analyzer.recorder.lazy_metrics import Metering
    from analyzer.recorder.pipeline import Pipeline
    from analyzer.recorder.sinks.jsonl import open_log

    # Without a file to read again, SIGHUP keeps its meaning: the terminal is gone.
    numbers = [REOPEN] if config_file is None else [REOPEN, RELOAD]
    with contextlib.ExitStack() as undo:
        notifier = Notifier.take(os.environ)
        undo.callback(notifier.close)
        orders = undo.enter_context(taken(*numbers))
        sink = open_log(config.log)
        undo.callback(sink.close)
        metering = Metering(config, sink)
        undo.callback(metering.close)
        attached = head_start.take(config.capture.wanted)
        source = attached.opened.source
        undo.callback(source.close)
        sink.set_probe(source.probe)
        privileges = drop_privileges()
        status = StatusObserver(notifier, source.probe)
        pipeline = Pipeline(
            source,
            sink,
            heartbeat_s=config.log.heartbeat_s,
            response_wait_s=config.capture.response_wait_s,
            repeats_per_s=config.log.repeats_per_s,
            log_bytes=config.log.total_bytes,
            arguments=config.log.arguments,
        )
        pipeline.recording = _maybe_recording(config.capture, undo)
        pipeline.observers.append(status)
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
            parts = (sink.prepare, pipeline.prepare, metering.prepare)
            reloader = Reloader(config_file, flags, config, sink.event, parts)
            actions[RELOAD] = status.reloading(reloader.reload)
        orders.hand_to(lambda number: pipeline.call_soon(actions[number]))
        introduction = {**_introduction(config, attached), **privileges}
        sink.event("analyzer_started", "info", **introduction)
        _return_memory()
        sink.flush()
        if ready_file is not None:
            undo.enter_context(_ready(Path(ready_file)))
        status.ready()
        pipeline.run()


def _maybe_recording(capture: Capture, undo: contextlib.ExitStack) -> Optional[Recording]:
    if capture.write_pcap is None:
        return None
    from analyzer.recorder.packet_export.export import open_recording

    recording = open_recording(capture.write_pcap, capture.write_pcap_mib << 20)
    undo.callback(recording.close)
    return recording


def _return_memory() -> None:
    """Give back what loading took: libbpf reads all of the kernel's types, 10 MB, and is done."""
    with contextlib.suppress(AttributeError):  # malloc_trim is glibc's
        ctypes.CDLL(None).malloc_trim(0)


def _witnesses(source: Source) -> dict[str, object]:
    """Return by what calls and packets are watched, and why packets are not."""
    lacks = source.wire_lacks
    if source.probe.startswith("packet"):
        return {"wire": source.probe}
    if lacks is None:
        return {"call": source.probe, "wire": "cgroup_skb"}
    return {
        "call": source.probe,
        "wire_lacks": lacks.lacks,
        "wire_remedy": lacks.remedy,
        "meaning": "the log tells what callers offered to send, which need not be what was sent",
    }


def _introduction(config: Config, attached: Attached) -> dict[str, object]:
    from analyzer.recorder.clock import BootClock
    from analyzer.recorder.usage import started_boottime_ns
    from analyzer.text import timestamp

    opened = attached.opened
    boot_at_ns = BootClock().epoch_offset_ns()
    since_start_ns = max(0, attached.at_boottime_ns - started_boottime_ns())
    return {
        "boot": {"time": timestamp(boot_at_ns)},
        "attached": {
            "since_boot_s": round(attached.at_boottime_ns / 1e9, 3),
            "since_start_s": round(since_start_ns / 1e9, 3),
        },
        "kernel": {"release": platform.release(), "machine": platform.machine()},
        "library": opened.source.library,
        "witnesses": _witnesses(opened.source),
        "python": platform.python_version(),
        "tried": [
            {"probe": each.source, "lacks": each.lacks, "remedy": each.remedy}
            for each in opened.tried
        ],
        "configuration": config.as_dict(),
    }


@contextlib.contextmanager
def without(*names: str) -> Iterator[None]:
    """Import what comes in the block as if these modules were not installed.

    structlog takes rich along for tracebacks in colour, and asyncio with ssl; a daemon that
    writes JSON uses neither, and without them it is 9 MB smaller.
    """
    blocked = [name for name in names if name not in sys.modules]
    for name in blocked:
        sys.modules[name] = None  # type: ignore[assignment] # how Python marks such a module
    try:
        yield
    finally:
        for name in blocked:
            del sys.modules[name]


@contextlib.contextmanager
def _ready(path: Path) -> Iterator[None]:
    """Keep a file that holds our pid; raises ConfigError when it cannot be made.

    Whoever waits for it never sees it empty.
    """
    from analyzer.recorder.sinks.trusted import located, remove, replace_file

    try:
        replace_file(str(path), f"{os.getpid()}\n".encode(), READY_MODE)
    except OSError as error:
        raise ConfigError(f"--ready-file {path}: {error.strerror}") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError), located(str(path), follow=False) as place:
            remove(place.directory, place.name)
