"""Runs ``imds-analyzer doctor``: checks this host and says how to fix what is missing."""

from __future__ import annotations

import click
from rich.console import Console

from analyzer.doctor.checks import examine
from analyzer.doctor.screen import as_json, write_table


@click.command()
@click.option(
    "--bcc", "with_bcc", is_flag=True, help="Also try the BCC probes. Compiling takes minutes."
)
@click.option("--json", "as_document", is_flag=True, help="Print one JSON document.")
@click.pass_context
def doctor(context: click.Context, *, with_bcc: bool, as_document: bool) -> None:
    """Check which ways to record calls work on this host, and print fixes.

    Attaches each probe for a moment. Sends nothing and changes nothing.
    Exit code 0: `run` works on this host. 1: it does not.
    """
    report = examine(with_bcc=with_bcc)
    if as_document:
        click.echo(as_json(report))
    else:
        write_table(report, Console(highlight=False, markup=False, emoji=False))
    context.exit(0 if report.chosen is not None else 1)
