"""Runs ``imds-analyzer report``: lists IMDSv1 callers, and judges whether v1 can be turned off."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Callable, Optional

import click

from analyzer.commands.output import written
from analyzer.commands.report_question import Engine, Question, answer
from analyzer.commands.split import SUFFIXES, new_directory, summary
from analyzer.report.formats import FORMATS
from analyzer.report.formats.selection import Detail

if TYPE_CHECKING:
    from analyzer.report.result import Report

ENGINES = ("duckdb", "spark")
DIALECTS = ("athena",)
# What a pipeline can tell the verdicts apart by; 1 and 2 are errors.
EXIT_CODES = {"SAFE": 0, "NOT SAFE": 3, "NOT ENOUGH EVIDENCE": 4}
INTERRUPTED = 130


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
    help="Length of the time that the verdict is about. It must cover the rarest caller, such as"
    " a weekly job.",
)
@click.option(
    "--rare",
    default="35d",
    show_default=True,
    metavar="LENGTH",
    help="Length of the silence after which a caller no longer counts if it was seen only once.",
)
@click.option(
    "--instances",
    metavar="FILE",
    help="List of all instances: the output of `aws ec2 describe-instances`, or a host name or"
    " instance id on each line.",
)
@click.option(
    "--account",
    multiple=True,
    metavar="FILE",
    help="Snapshot of `imds-analyzer audit`: all instances, with AWS's counts. Replaces"
    " --instances. May be repeated for other accounts or Regions.",
)
@click.option(
    "--owner-tag",
    multiple=True,
    metavar="KEY",
    help="Tag with the owner of an instance. May be repeated: the first that exists counts.",
)
@click.option(
    "--owner-label",
    multiple=True,
    metavar="NAME",
    help="Label of pods with the owner of a caller; must be in `[kubernetes] labels`. May be"
    " repeated: the first that exists counts.",
)
@click.option("--owners", metavar="FILE", help="TOML file with patterns for owners.")
@click.option(
    "--split-by",
    type=click.Choice(["owner"]),
    help="Write one report for each owner into the directory --output.",
)
@click.option("--accept", metavar="FILE", help="TOML file with accepted callers.")
@click.option(
    "--against", metavar="FILE", help="Compare with the output of `aws cloudwatch get-metric-data`."
)
@click.option(
    "--scan",
    "scans",
    multiple=True,
    metavar="FILE",
    help="Output of `imds-analyzer scan --json` on a host, or a directory of such files. Adds code"
    " that has not called. May be repeated.",
)
@click.option(
    "--strict", is_flag=True, help="With --scan: SAFE needs a scan of each host, without such code."
)
@click.option("--hosts", is_flag=True, help="List every host.")
@click.option("--callers", is_flag=True, help="List every caller.")
@click.option("--by-host", is_flag=True, help="Split each change by host.")
@click.option(
    "--steps/--no-steps",
    default=None,
    help="Print all commands of the next steps, or leave the steps out. By default, one page.",
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
    account: tuple[str, ...],
    owner_tag: tuple[str, ...],
    owner_label: tuple[str, ...],
    owners: Optional[str],
    split_by: Optional[str],
    accept: Optional[str],
    against: Optional[str],
    scans: tuple[str, ...],
    strict: bool,
    hosts: bool,
    callers: bool,
    by_host: bool,
    steps: Optional[bool],
    clients: tuple[str, ...],
    engine: str,
    spark_master: Optional[str],
    memory: str,
    sql: Optional[str],
    location: Optional[str],
) -> None:
    """List IMDSv1 callers and fixes, and judge whether turning IMDSv1 off is safe.

    Reads files and directories: plain, gzip or Parquet logs, of one host or many. - is standard
    input. By default it reads the log of this host's service.
    """
    if location is not None and sql is None:
        raise click.UsageError("--location needs --sql")
    if strict and not scans:
        raise click.UsageError("--strict needs --scan")
    if sql is not None:
        from analyzer.report.engine.athena import statements

        with written(output) as write:
            write(statements(location))
        return
    asked = Question(
        since, until, period, rare, instances, account, owner_tag, owner_label, owners, accept,
        against, clients, scans, strict,
    )  # fmt: skip
    asked.check(split_by, output)
    chosen = Engine(engine, spark_master, memory)
    detail = Detail(hosts, callers, bool(steps), by_host)
    try:
        if split_by is not None and output is not None:
            made = _split(paths, asked, chosen, output, form, detail, has_steps=steps is not False)
        else:
            with written(output) as write:
                made, _ = answer(paths, asked, chosen, output)
                shown = replace(made, steps=()) if steps is False else made
                if form == "csv":  # which has no line of its own for them
                    _tell_beside(shown)
                _show(shown, form, detail, output, write)
    except KeyboardInterrupt:
        click.echo("imds-analyzer: interrupted; nothing was written", err=True)
        context.exit(INTERRUPTED)
    if verdict:
        context.exit(EXIT_CODES[made.verdict.judgement.value])


def _split(
    paths: tuple[str, ...],
    asked: Question,
    engine: Engine,
    output: str,
    form: str,
    detail: Detail,
    *,
    has_steps: bool,
) -> Report:
    """Write a report for each owner into the directory, and print which file is whose."""
    from analyzer.report.parts import by_owner, file_names

    with new_directory(output) as directory:
        made, terms = answer(paths, asked, engine, output)
        parts = by_owner(made, terms)
        files = file_names(parts, SUFFIXES.get(form, form))
        for part, name in zip(parts, files):
            shown = part if has_steps else replace(part, steps=())
            (directory / name).write_text(FORMATS[form](shown, detail), encoding="utf-8")
    click.echo(summary(parts, files))
    return made


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
