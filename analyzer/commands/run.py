"""``imds-analyzer run``: attach, and write a line for each call until told to stop."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import click

from analyzer.config import MAX_RING_MIB, MIN_RING_MIB, Config
from analyzer.errors import ConfigError
from analyzer.sources.selection import ATTACHES, SOURCES, Opened, open_source


@click.command()
@click.option(
    "--log-file",
    default="-",
    show_default=True,
    metavar="PATH",
    help="Where the JSON lines go; - is standard output.",
)
@click.option(
    "--ready-file",
    metavar="PATH",
    help="A file that exists while the probe is attached.",
)
@click.option("--source", type=click.Choice(SOURCES), default="auto", show_default=True)
@click.option("--attach", type=click.Choice(ATTACHES), default="auto", show_default=True)
@click.option(
    "--ring-mib",
    type=click.IntRange(MIN_RING_MIB, MAX_RING_MIB),
    default=Config.ring_mib,
    show_default=True,
    help="Size of the kernel's ring buffer, a power of two.",
)
@click.option(
    "--heartbeat",
    "heartbeat_s",
    type=click.FloatRange(min=1),
    default=Config.heartbeat_s,
    show_default=True,
    metavar="SECONDS",
    help="How often a line says that the analyzer is alive.",
)
@click.option(
    "--response-wait",
    "response_wait_s",
    type=click.FloatRange(0, 60),
    default=Config.response_wait_s,
    show_default=True,
    metavar="SECONDS",
    help="How long a request may wait for its answer before it is written; 0 waits for none.",
)
def run(
    log_file: str,
    ready_file: Optional[str],
    source: str,
    attach: str,
    ring_mib: int,
    heartbeat_s: float,
    response_wait_s: float,
) -> None:
    """Watch IMDS calls and write them as JSON lines.

    SIGTERM and SIGINT write what is still in the buffer, then the totals, and end it.
    """
    if ring_mib & (ring_mib - 1):
        raise ConfigError(f"--ring-mib {ring_mib} is not a power of two: use 1, 2, 4, 8, ...")
    config = Config(log_file, ready_file, source, attach, ring_mib, heartbeat_s, response_wait_s)
    # Late, so that --help does not load them.
    with without("rich", "ssl"):
        import structlog  # noqa: F401 (imported for the sink, without what it does not need)
    from analyzer.pipeline import Pipeline, stop_on_signals
    from analyzer.service.capabilities import let_go
    from analyzer.service.notify import Notifier
    from analyzer.service.status import StatusObserver
    from analyzer.sinks.jsonl import open_log

    with contextlib.ExitStack() as undo:
        notifier = Notifier.take(os.environ)
        undo.callback(notifier.close)
        sink = open_log(config.log_file)
        undo.callback(sink.close)
        opened = open_source(config.source, config.attach, config.ring_bytes)
        undo.callback(opened.source.close)
        sink.set_probe(opened.source.probe)
        capabilities = let_go()
        status = StatusObserver(notifier, opened.source.probe)
        pipeline = Pipeline(
            opened.source,
            sink,
            heartbeat_s=config.heartbeat_s,
            response_wait_s=config.response_wait_s,
            observers=[status],
        )

        def stop() -> None:
            notifier.stopping()
            pipeline.stop()

        stop_on_signals(stop)
        introduction = _introduction(config, opened)
        sink.event("analyzer_started", "info", **introduction, capabilities=capabilities)
        _return_memory()
        sink.flush()
        if config.ready_file is not None:
            undo.enter_context(_ready(Path(config.ready_file)))
        status.ready()
        pipeline.run()


def _return_memory() -> None:
    """Give back what loading took: libbpf reads all of the kernel's types, 10 MB, and is done."""
    with contextlib.suppress(AttributeError):  # malloc_trim is glibc's
        ctypes.CDLL(None).malloc_trim(0)


def _introduction(config: Config, opened: Opened) -> dict[str, object]:
    return {
        "kernel": {"release": platform.release(), "machine": platform.machine()},
        "library": opened.source.library,
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
    """Keep a file that holds our pid; raises ConfigError when it cannot be made."""
    try:
        path.write_text(f"{os.getpid()}\n", encoding="ascii")
    except OSError as error:
        raise ConfigError(f"--ready-file {path}: {error.strerror}") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
