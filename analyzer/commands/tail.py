"""Runs ``imds-analyzer tail``: follows the log and shows who calls how."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Optional, Union

import click

from analyzer.errors import AnalyzerError, ConfigError

if TYPE_CHECKING:
    from analyzer.tail.filters import Filters
    from analyzer.tail.reading.source import LineSource, Say, Start, Wanted
    from analyzer.tail.views import View

CONFIG = "/etc/imds-analyzer/config.toml"
LINES = 10
# Looking costs two system calls; nobody sees that a line is a quarter of a second late.
_POLL_S = 0.25
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SIGNALLED = 128  # plus the signal's number is the exit code, as shells have it


class _Stopped(BaseException):
    """A signal has come."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Lines(click.ParamType):  # type: ignore[type-arg, unused-ignore] # generic since click 8.3
    """A number of lines, or ``all``."""

    name = "lines"

    def convert(
        self, value: object, param: Optional[click.Parameter], ctx: Optional[click.Context]
    ) -> Union[int, str]:
        """Return the number, or ``all``."""
        if value == "all":
            return "all"
        if not isinstance(value, str) or not re.fullmatch("[0-9]{1,9}", value):
            self.fail(f"{value!r} is neither a number of lines nor `all`.", param, ctx)
        return int(value)


@click.command("tail")
@click.argument("file", required=False)
@click.option(
    "-n",
    "--lines",
    type=_Lines(),
    metavar="LINES",
    show_default=f"{LINES}; with --summary all of FILE",
    help="Start with the last LINES lines, or all; includes rotated files.",
)
@click.option("--no-follow", is_flag=True, help="Stop at the end of the log.")
@click.option("--journal", is_flag=True, help="Read the journal instead of a file.")
@click.option("--version", "versions", type=click.Choice(("v1", "v2", "unknown")), multiple=True)
@click.option(
    "--process",
    "processes",
    multiple=True,
    metavar="NAME",
    help="Name, path or pattern of the caller, its script or its launcher.",
)
@click.option(
    "--container",
    "containers",
    multiple=True,
    metavar="ID",
    help="Prefix of a container's, pod's or task's id, or a runtime such as docker.",
)
@click.option(
    "--path", "paths", multiple=True, metavar="PATH", help="Prefix of the URL path, or a pattern."
)
@click.option(
    "--unit",
    "units",
    multiple=True,
    metavar="UNIT",
    help="The caller's systemd unit, or a pattern.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the lines unchanged.")
@click.option("--summary", is_flag=True, help="Show a live table of callers.")
@click.option("--heartbeats", is_flag=True, help="Also show heartbeats.")
@click.option("--utc", is_flag=True, help="Show times in UTC. The default is local time.")
@click.option(
    "--color", type=click.Choice(("auto", "always", "never")), default="auto", show_default=True
)
@click.option(
    "--config",
    "config_file",
    metavar="PATH",
    show_default=CONFIG,
    help="The configuration file that names the log.",
)
@click.pass_context
def tail(
    context: click.Context,
    *,
    file: Optional[str],
    lines: Union[int, str, None],
    no_follow: bool,
    journal: bool,
    versions: tuple[str, ...],
    processes: tuple[str, ...],
    containers: tuple[str, ...],
    paths: tuple[str, ...],
    units: tuple[str, ...],
    as_json: bool,
    summary: bool,
    heartbeats: bool,
    utc: bool,
    color: str,
    config_file: Optional[str],
) -> None:
    """Follow the log over rotation, one readable row per request.

    FILE is a log; - is standard input. By default it is the log that the configuration names.
    Filters of one kind are alternatives (--version v1 --version unknown). Filters of different
    kinds must all match. Lost events are always shown.
    """
    for is_wrong, fault in (
        (journal and file is not None, "FILE and --journal exclude each other."),
        (as_json and summary, "--json and --summary exclude each other."),
        (file == "-" and isinstance(lines, int), "--lines is not for standard input: all is read."),
    ):
        if is_wrong:
            raise click.UsageError(fault)
    from analyzer.text import visible

    wanted = _filters(versions, processes, containers, paths, units)
    held: list[str] = []

    def say(message: str) -> None:
        if summary:  # it would stand in the middle of the table
            held.append(message)
        else:
            click.echo(f"imds-analyzer: {visible(message)}", err=True)

    try:
        with _stopping():
            follow = not no_follow
            view = _view(
                wanted,
                color,
                as_json=as_json,
                summary=summary,
                follow=follow,
                heartbeats=heartbeats,
                utc=utc,
            )
            path = None if journal else _path(file, config_file)
            start = _start(lines, summary=summary)
            with contextlib.closing(_source(path, start, view.wants, say, follow=follow)) as source:
                code = _watch(source, view)
            if view.foreign and not summary:
                say(f"lines that were not the analyzer's: {view.foreign}")
    except _Stopped as stopped:
        code = _SIGNALLED + stopped.number
    except BrokenPipeError:
        _forget_output()
        code = _SIGNALLED + signal.SIGPIPE
    except OSError as error:
        _forget_output()
        raise AnalyzerError(f"cannot continue: {error.strerror or error}.") from None
    for message in held:
        click.echo(f"imds-analyzer: {visible(message)}", err=True)
    context.exit(code)


def _filters(*given: tuple[str, ...]) -> Filters:
    from analyzer.tail.filters import filters

    try:
        return filters(*given)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None


def _forget_output() -> None:
    """Have what is still buffered go nowhere, because nothing takes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), 1)


def _start(lines: Union[int, str, None], *, summary: bool) -> Start:
    from analyzer.tail.reading.source import Start

    if isinstance(lines, int):
        return Start(lines)
    if lines is None and not summary:
        return Start(LINES)
    return Start(None, is_deep=lines == "all")


def _watch(source: LineSource, view: View) -> int:
    """Show what comes until nothing more does; returns the exit code."""
    reader = select.poll()
    reader.register(1, 0)  # nothing is asked for: that nobody reads any more is always told
    code = 0
    try:
        while not source.is_over:
            for raw in source.read(_POLL_S):
                view.show(raw)
            view.tick()
            if any(event & select.POLLERR for _, event in reader.poll(0)):
                raise BrokenPipeError
    except _Stopped as stopped:
        code = _SIGNALLED + stopped.number
    finally:
        view.close()
    return code


def _view(
    wanted: Filters,
    color: str,
    *,
    as_json: bool,
    summary: bool,
    follow: bool,
    heartbeats: bool,
    utc: bool,
) -> View:
    from analyzer.tail.board import Board
    from analyzer.tail.callers import Callers
    from analyzer.tail.layout import Layout, symbols
    from analyzer.tail.screen import open_screen
    from analyzer.tail.views import Lines, Rows, Summary

    screen = open_screen(color)
    drawn = symbols(screen.console.encoding)
    if as_json:
        return Lines(screen, wanted)
    if summary:
        callers = Callers()
        board = Board(callers, drawn, is_utc=utc)
        return Summary(screen, board, callers, wanted, follow=follow)
    return Rows(screen, Layout(drawn, is_utc=utc), wanted, with_routine=heartbeats)


def _path(file: Optional[str], config_file: Optional[str]) -> Optional[str]:
    """Return the log's path; None is the journal, which has a service's output, too."""
    if file is not None:
        return file
    from analyzer.config.file import load

    is_there = config_file is not None or Path(CONFIG).exists()
    try:
        log = load((config_file or CONFIG) if is_there else None, {}).log
    except ConfigError as error:
        raise ConfigError(f"{error}\nOr name the log: imds-analyzer tail FILE") from None
    return log.file if log.sink == "file" else None


def _source(
    name: Optional[str], start: Start, wanted: Wanted, say: Say, *, follow: bool
) -> LineSource:
    if name is None:
        from analyzer.tail.reading.journal import JournalSource

        return JournalSource(start, wanted, say, follow=follow)
    if name == "-":
        from analyzer.tail.reading.source import StreamSource

        return StreamSource(0, say)
    from analyzer.tail.reading.compressed import CompressedSource
    from analyzer.tail.reading.following import FileSource, check

    path = Path(name)
    check(path)
    if path.suffix == ".gz":
        return CompressedSource(path, start, wanted, say)
    return FileSource(path, start, wanted, say, follow=follow)


@contextlib.contextmanager
def _stopping() -> Iterator[None]:
    """Have signals end what comes in the block, wherever it waits."""

    def stop(number: int, _frame: Optional[FrameType]) -> None:
        raise _Stopped(number)

    # Under nohup a hangup is no reason to stop.
    is_kept = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    heeded = [each for each in _SIGNALS if each is not signal.SIGHUP or not is_kept]
    before = {each: signal.signal(each, stop) for each in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
