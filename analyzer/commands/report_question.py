"""Answers the question of ``imds-analyzer report``: reads what it names, and judges."""

from __future__ import annotations

import contextlib
import datetime
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional

import click

from analyzer.errors import ConfigError

if TYPE_CHECKING:
    from analyzer.report.parts import Terms
    from analyzer.report.result import Report

# Below that much to read, a bar would be gone before it is seen.
PROGRESS_BYTES = 64 << 20


@dataclass(frozen=True)
class Question:
    """The question to the logs, as it was typed."""

    since: Optional[str]
    until: Optional[str]
    period: str
    rare: str
    instances: Optional[str]
    account: tuple[str, ...]
    owner_tag: tuple[str, ...]
    owner_label: tuple[str, ...]
    owners: Optional[str]
    accept: Optional[str]
    against: Optional[str]
    clients: tuple[str, ...]
    scans: tuple[str, ...]
    is_strict: bool

    @property
    def files(self) -> tuple[Optional[str], ...]:
        """The files that it names and that are no logs, though they may lie beside them."""
        return (
            self.instances, *self.account, self.owners, self.accept, self.against, *self.clients
        )  # fmt: skip

    def check(self, split_by: Optional[str], output: Optional[str]) -> None:
        """Raise UsageError where options do not go together."""
        has_roster = bool(self.account) or self.instances is not None
        if self.account and self.instances is not None:
            raise click.UsageError("--account already has the instances: leave out --instances")
        has_owners = has_roster or (self.owner_label and not self.owner_tag)
        if (self.owner_tag or self.owners is not None) and not has_owners:
            raise click.UsageError("--owners and --owner-tag need --account or --instances")
        if split_by is not None and not (has_roster or self.owner_label):
            raise click.UsageError("--split-by owner needs --account, --instances or --owner-label")
        if split_by is not None and output is None:
            raise click.UsageError("--split-by needs --output, the directory of the reports")


@dataclass(frozen=True)
class Engine:
    """The engine that answers it."""

    name: str
    spark_master: Optional[str]
    memory: str


def answer(
    paths: tuple[str, ...], asked: Question, engine: Engine, output: Optional[str]
) -> tuple[Report, Terms]:
    """Return the report, and the terms of its verdict."""
    from analyzer.clients.reading import load_clients
    from analyzer.report import acceptance
    from analyzer.report.account import figures, snapshots
    from analyzer.report.account.roster import roster as of_snapshots
    from analyzer.report.build import judge
    from analyzer.report.cloudwatch import figures as cloudwatch
    from analyzer.report.dormant import reading as dormant
    from analyzer.report.dormant.joining import join_scans
    from analyzer.report.engine.gathering import Options
    from analyzer.report.inputs import open_inputs
    from analyzer.report.parts import Terms
    from analyzer.report.period import read_length, read_time
    from analyzer.report.roster import owners_file
    from analyzer.report.roster import reading as roster
    from analyzer.report.roster.owners import OWNER_TAGS, Owners

    now = datetime.datetime.now(datetime.timezone.utc)
    # What can be wrong is looked at before what takes long.
    known = load_clients([Path(each) for each in asked.clients])
    period, rare = read_length(asked.period), read_length(asked.rare)
    accepted = acceptance.read(asked.accept) if asked.accept is not None else ()
    patterns = owners_file.read(asked.owners) if asked.owners is not None else ()
    owners = Owners(asked.owner_tag or OWNER_TAGS, patterns, asked.owner_label)
    instances = roster.read(Path(asked.instances), owners) if asked.instances is not None else None
    account = snapshots.read([Path(each) for each in asked.account], now) if asked.account else None
    counted = None
    if account is not None:
        instances = of_snapshots(account, owners)
        counted = figures.maybe_figures(account)
    if asked.against is not None:  # finer than a snapshot's hours
        counted = cloudwatch.read(Path(asked.against))
    start = read_time(asked.since, now) if asked.since is not None else None
    end = read_time(asked.until, now) if asked.until is not None else None
    scan_files = dormant.files([Path(each) for each in asked.scans])
    scanned = dormant.read(scan_files)
    others = (output, *asked.files, *map(str, scan_files))
    if start is not None and start >= (end or now):
        raise ConfigError("--since must be before --until")
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
    made = judge(
        findings,
        clients=known,
        period=period,
        now=as_of,
        cloudwatch=counted,
        roster=instances,
        accepted=accepted,
        rare=rare,
        scans=scans,
        snapshots=account,
        owners=owners,
    )
    return made, Terms(period, rare, owners, scans)


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
