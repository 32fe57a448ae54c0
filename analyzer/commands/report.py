"""Runs ``imds-analyzer report``: who still calls IMDSv1, why, and whether v1 can be turned off."""

from __future__ import annotations

import contextlib
import datetime
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional

import click

from analyzer.commands.output import written
from analyzer.errors import ConfigError
from analyzer.report.formats import FORMATS
from analyzer.report.formats.selection import Detail

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
    "--rare",
    default="35d",
    show_default=True,
    metavar="LENGTH",
    help="How long a caller must be silent that was seen once; its rhythm is unknown.",
)
@click.option(
    "--instances",
    metavar="FILE",
    help="The instances that there are: what `aws ec2 describe-instances` printed, or names and"
    " ids one a line.",
)
@click.option("--accept", metavar="FILE", help="Callers that somebody decided to accept, as TOML.")
@click.option(
    "--against", metavar="FILE", help="Compare with the output of `aws cloudwatch get-metric-data`."
)
@click.option(
    "--scan",
    "scans",
    multiple=True,
    metavar="FILE",
    help="What `imds-analyzer scan --json` found on a host, or a directory of these; may be"
    " repeated. Names code that has not called.",
)
@click.option(
    "--strict", is_flag=True, help="With --scan: such code, or a host without a scan, is not SAFE."
)
@click.option("--hosts", is_flag=True, help="List every host.")
@click.option("--callers", is_flag=True, help="List every caller.")
@click.option(
    "--steps/--no-steps",
    default=None,
    help="Print all commands of the next steps, or no steps. The default is one page.",
)
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
    rare: str,
    instances: Optional[str],
    accept: Optional[str],
    against: Optional[str],
    scans: tuple[str, ...],
    strict: bool,
    hosts: bool,
    callers: bool,
    steps: Optional[bool],
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
    if strict and not scans:
        raise click.UsageError("--strict goes with --scan")
    if sql is not None:
        from analyzer.report.engine.athena import statements

        with written(output) as write:
            write(statements(location))
        return
    try:
        with written(output) as write:
            made = _made(
                paths,
                _Question(
                    since, until, period, rare, instances, accept, against, clients, scans, strict
                ),
                _Engine(engine, spark_master, memory),
                output,
            )
            shown = replace(made, steps=()) if steps is False else made
            if form == "csv":  # which has no line of its own for them
                _tell_beside(shown)
            _show(shown, form, Detail(hosts, callers, bool(steps)), output, write)
    except KeyboardInterrupt:
        click.echo("imds-analyzer: interrupted; nothing was written", err=True)
        context.exit(INTERRUPTED)
    if verdict:
        context.exit(EXIT_CODES[made.verdict.judgement.value])


@dataclass(frozen=True)
class _Question:
    """The question to the logs, as it was typed."""

    since: Optional[str]
    until: Optional[str]
    period: str
    rare: str
    instances: Optional[str]
    accept: Optional[str]
    against: Optional[str]
    clients: tuple[str, ...]
    scans: tuple[str, ...]
    is_strict: bool

    @property
    def files(self) -> tuple[Optional[str], ...]:
        """The files that it names and that are no logs, though they may lie beside them."""
        return (self.instances, self.accept, self.against, *self.clients)


@dataclass(frozen=True)
class _Engine:
    """The engine that answers it."""

    name: str
    spark_master: Optional[str]
    memory: str


def _made(
    paths: tuple[str, ...], asked: _Question, engine: _Engine, output: Optional[str]
) -> Report:
    from analyzer.clients.reading import load_clients
    from analyzer.report import acceptance
    from analyzer.report.build import judge
    from analyzer.report.cloudwatch import figures as cloudwatch
    from analyzer.report.dormant import reading as dormant
    from analyzer.report.dormant.joining import join_scans
    from analyzer.report.engine.gathering import Options
    from analyzer.report.inputs import open_inputs
    from analyzer.report.period import read_length, read_time
    from analyzer.report.roster import reading as roster

    now = datetime.datetime.now(datetime.timezone.utc)
    # What can be wrong is looked at before what takes long.
    known = load_clients([Path(each) for each in asked.clients])
    period, rare = read_length(asked.period), read_length(asked.rare)
    accepted = acceptance.read(asked.accept) if asked.accept is not None else ()
    instances = roster.read(Path(asked.instances)) if asked.instances is not None else None
    counted = cloudwatch.read(Path(asked.against)) if asked.against is not None else None
    scan_files = dormant.files([Path(each) for each in asked.scans])
    scanned = dormant.read(scan_files)
    start = read_time(asked.since, now) if asked.since is not None else None
    end = read_time(asked.until, now) if asked.until is not None else None
    others = (output, *asked.files, *map(str, scan_files))
    if start is not None and start >= (end or now):
        raise ConfigError("--since is not before --until: nothing would be left")
    with open_inputs(paths, others) as files, _progress(sum(each.size for each in files)) as tell:
        options = Options(
            since=start,
            until=end,
            bucket_s=counted.bucket_s if counted is not None else None,
            memory=engine.memory,
            progress=tell,
        )
        if engine.name == "spark":
            from analyzer.report.engine.spark import gather as gather_by_spark

            findings = gather_by_spark(files, options, master=engine.spark_master)
        else:
            from analyzer.report.engine.duckdb import gather

            findings = gather(files, options)
    as_of = min(end, now) if end is not None else now
    for note in acceptance.notes(accepted, findings, as_of):
        click.echo(f"imds-analyzer: {asked.accept}: {note}", err=True)
    scans, strangers = join_scans(scanned, findings, is_strict=asked.is_strict)
    for name in strangers:
        click.echo(f"imds-analyzer: {name}: no host of the log has this name or id", err=True)
    return judge(
        findings,
        clients=known,
        period=period,
        now=as_of,
        cloudwatch=counted,
        roster=instances,
        accepted=accepted,
        rare=rare,
        scans=scans,
    )


def _tell_beside(made: Report) -> None:
    from analyzer.report.formats.csv import told_beside

    for text in told_beside(made):
        click.echo(f"imds-analyzer: {text}", err=True)


def _show(
    made: Report, form: str, detail: Detail, output: Optional[str], write: Callable[[str], None]
) -> None:
    if form == "table" and output is None and sys.stdout.isatty():
        from rich.console import Console

        from analyzer.report.formats.table import show

        show(made, Console(), detail)
        return
    write(FORMATS[form](made, detail))


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
