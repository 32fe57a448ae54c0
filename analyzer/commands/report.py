"""Runs ``imds-analyzer report``: who still calls IMDSv1, why, and whether v1 can be turned off."""

from __future__ import annotations

import contextlib
import datetime
import os
import signal
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional

import click

from analyzer.errors import AnalyzerError, ConfigError
from analyzer.report.formats import FORMATS

if TYPE_CHECKING:
    from analyzer.report.result import Report

ENGINES = ("duckdb", "spark")
DIALECTS = ("athena",)
# What a pipeline can tell the verdicts apart by; 1 and 2 are errors.
EXIT_CODES = {"SAFE": 0, "NOT SAFE": 3, "NOT ENOUGH EVIDENCE": 4}
INTERRUPTED = 130
# Below that much to read, a bar would be gone before it is seen.
PROGRESS_BYTES = 64 << 20


@click.command()
@click.argument("paths", nargs=-1, metavar="[FILES or directories, or -]...")
@click.option(
    "--since",
    metavar="TIME",
    help="Ignore earlier lines: 2026-11-21, 2026-11-21T18:50:00Z, or 7d for seven days ago.",
)
@click.option("--until", metavar="TIME", help="Ignore later lines; same forms.")
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), default="table", show_default=True
)
@click.option("--output", metavar="FILE", help="Write to FILE. An error leaves no partial file.")
@click.option(
    "--verdict",
    is_flag=True,
    help="Exit with 0 for SAFE, 3 for NOT SAFE, 4 for NOT ENOUGH EVIDENCE.",
)
@click.option(
    "--period",
    default="7d",
    show_default=True,
    metavar="LENGTH",
    help="The time that the verdict judges. Cover the rarest caller, such as a weekly job.",
)
@click.option(
    "--against", metavar="FILE", help="Compare with the output of `aws cloudwatch get-metric-data`."
)
@click.option("--steps/--no-steps", default=True, help="Print the next steps.")
@click.option(
    "--clients", multiple=True, metavar="FILE", help="Your own client definitions; may be repeated."
)
@click.option("--engine", type=click.Choice(ENGINES), default="duckdb", show_default=True)
@click.option(
    "--spark-master", metavar="URL", help="Spark master. By default Spark runs on this host."
)
@click.option("--memory", default="1GB", show_default=True, help="Memory limit of the engine.")
@click.option(
    "--sql", type=click.Choice(DIALECTS), help="Print the queries as SQL, and read no logs."
)
@click.option("--location", metavar="s3://...", help="With --sql: the S3 location of the logs.")
@click.pass_context
def report(
    context: click.Context,
    paths: tuple[str, ...],
    since: Optional[str],
    until: Optional[str],
    form: str,
    output: Optional[str],
    verdict: bool,
    period: str,
    against: Optional[str],
    steps: bool,
    clients: tuple[str, ...],
    engine: str,
    spark_master: Optional[str],
    memory: str,
    sql: Optional[str],
    location: Optional[str],
) -> None:
    """List IMDSv1 callers and fixes, and judge whether turning IMDSv1 off is safe.

    Reads logs of one host or of many: files and directories, plain, gzip or Parquet; - is
    standard input. By default it reads the log of this host's service.
    """
    if location is not None and sql is None:
        raise click.UsageError("--location goes with --sql")
    if sql is not None:
        from analyzer.report.engine.athena import statements

        with _written(output) as write:
            write(statements(location))
        return
    try:
        with _written(output) as write:
            made = _made(
                paths, since, until, period, against, clients, engine, spark_master, memory, output
            )
            _show(made if steps else replace(made, steps=()), form, output, write)
    except KeyboardInterrupt:
        click.echo("imds-analyzer: interrupted; nothing was written", err=True)
        context.exit(INTERRUPTED)
    if verdict:
        context.exit(EXIT_CODES[made.verdict.judgement.value])


def _made(
    paths: tuple[str, ...],
    since: Optional[str],
    until: Optional[str],
    period: str,
    against: Optional[str],
    clients: tuple[str, ...],
    engine: str,
    spark_master: Optional[str],
    memory: str,
    output: Optional[str],
) -> Report:
    from analyzer.report.build import judge
    from analyzer.report.cloudwatch import figures as cloudwatch
    from analyzer.report.diagnosis.clients import load_clients
    from analyzer.report.engine.gathering import Options
    from analyzer.report.inputs import open_inputs
    from analyzer.report.period import read_length, read_time

    now = datetime.datetime.now(datetime.timezone.utc)
    # What can be wrong is looked at before what takes long.
    known = load_clients([Path(each) for each in clients])
    length = read_length(period)
    counted = cloudwatch.read(Path(against)) if against is not None else None
    start = read_time(since, now) if since is not None else None
    end = read_time(until, now) if until is not None else None
    others = (output, against, *clients)
    if start is not None and start >= (end or now):
        raise ConfigError("--since is not before --until: nothing would be left")
    with open_inputs(paths, others) as files, _progress(sum(each.size for each in files)) as tell:
        options = Options(
            since=start,
            until=end,
            bucket_s=counted.bucket_s if counted is not None else None,
            memory=memory,
            progress=tell,
        )
        if engine == "spark":
            from analyzer.report.engine.spark import gather as gather_by_spark

            findings = gather_by_spark(files, options, master=spark_master)
        else:
            from analyzer.report.engine.duckdb import gather

            findings = gather(files, options)
    return judge(
        findings,
        clients=known,
        period=length,
        now=min(end, now) if end is not None else now,
        cloudwatch=counted,
    )


def _show(made: Report, form: str, output: Optional[str], write: Callable[[str], None]) -> None:
    if form == "table" and output is None and sys.stdout.isatty():
        from rich.console import Console

        from analyzer.report.formats.table import show

        show(made, Console())
        return
    write(FORMATS[form](made))


@contextlib.contextmanager
def _progress(size: int) -> Iterator[Callable[[float], None]]:
    """Show a bar on a terminal while there is much to read."""
    if size < PROGRESS_BYTES or not sys.stderr.isatty():
        yield lambda _share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=size)
        yield lambda share: bar.update(task, completed=int(share * size))


@contextlib.contextmanager
def _written(output: Optional[str]) -> Iterator[Callable[[str], None]]:
    """Give what writes text to a file, or to standard output.

    A file appears when all of it is there, with the mode that it had, or else a new one's.
    Raises AnalyzerError where it cannot be written, before anything is read.
    """
    if output is None:
        yield lambda text: click.echo(text, nl=not text.endswith("\n"))
        return
    path = Path(output)
    if path.exists() and not path.is_file():  # a pipe, a terminal: nothing to put in its place
        with _explained(output), path.open("w", encoding="utf-8") as stream:
            yield lambda text: _discard(stream.write(text))
        return
    path = Path(os.path.realpath(path))
    with _explained(output):
        # Between the file and its name nobody may interrupt, or it would stay.
        former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        except OSError:
            signal.pthread_sigmask(signal.SIG_SETMASK, former)
            raise
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, former)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                yield lambda text: _discard(stream.write(text))
                os.fchmod(stream.fileno(), _mode(path))
            os.replace(name, path)  # noqa: PTH105 (a name)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)  # noqa: PTH108 (a name)
            raise


def _discard(_written: int) -> None:
    """Take what write() returns."""


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        mask = os.umask(0o077)
        os.umask(mask)
        return 0o666 & ~mask


@contextlib.contextmanager
def _explained(output: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AnalyzerError(
            f"cannot write {output!r}: {error.strerror}. Choose another file with --output."
        ) from None
