"""Runs ``imds-analyzer scan``: finds code that would call IMDSv1 but has not yet."""

from __future__ import annotations

import contextlib
import datetime
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import click
from rich.console import Console

from analyzer.clients.reading import load_clients
from analyzer.commands.output import written
from analyzer.scan.document import as_json
from analyzer.scan.scanning import Progress
from analyzer.scan.scanning import scan as scan_paths
from analyzer.scan.screen import write_table

FOUND, INTERRUPTED = 3, 130


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(exists=True))
@click.option("--json", "as_document", is_flag=True, help="Print one JSON document.")
@click.option("--output", metavar="FILE", help="Write to FILE. An error leaves no partial file.")
@click.option(
    "--all-file-systems", is_flag=True, help="Also enter other file systems, such as mounted disks."
)
@click.option(
    "--clients",
    "tables",
    multiple=True,
    metavar="FILE",
    help="Your own client definitions; may be repeated.",
)
@click.option("--strict", is_flag=True, help="Exit with 3 if something was found.")
@click.pass_context
def scan(
    context: click.Context,
    *,
    paths: tuple[str, ...],
    as_document: bool,
    output: Optional[str],
    all_file_systems: bool,
    tables: tuple[str, ...],
    strict: bool,
) -> None:
    """Find old SDKs, packages and scripts that would call IMDSv1 when they run.

    Scans / if no PATH is given. Only reads files: executes, sends and writes nothing.
    """
    clients = load_clients([Path(each) for each in tables])
    at = datetime.datetime.now(datetime.timezone.utc)
    with written(output) as write:
        with _progress(paths) as tell:
            outcome = scan_paths(
                paths or ("/",), clients, is_everywhere=all_file_systems, progress=tell
            )
        if as_document or output is not None:
            write(as_json(outcome, socket.gethostname(), at))
        else:
            write_table(outcome, Console(highlight=False, markup=False, emoji=False))
    if outcome.is_interrupted:
        context.exit(INTERRUPTED)
    context.exit(FOUND if strict and outcome.findings else 0)


@contextlib.contextmanager
def _progress(paths: tuple[str, ...]) -> Iterator[Optional[Progress]]:
    """Give what is told how far the scan is; None where nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("scanning"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} files"),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("scan", total=_total(paths))
        yield lambda done: bar.update(task, completed=done)


def _total(paths: tuple[str, ...]) -> Optional[int]:
    """Return how many files there are about; None for a part of a file system."""
    if paths and paths != ("/",):
        return None
    with contextlib.suppress(OSError):
        status = os.statvfs("/")
        return (status.f_files - status.f_ffree) or None
    return None
