"""``imds-analyzer doctor``: what this host can do, and how to mend what it cannot."""

from __future__ import annotations

import click
from rich.console import Console

from analyzer.doctor.checks import examine
from analyzer.doctor.screen import as_json, write_table


@click.command()
@click.option("--bcc", "with_bcc", is_flag=True, help="Try BCC's probes too; they compile.")
@click.option("--json", "as_document", is_flag=True, help="Write one JSON document.")
@click.pass_context
def doctor(context: click.Context, *, with_bcc: bool, as_document: bool) -> None:
    """Check what this host can do, and say how to mend what it cannot.

    Attaches each probe for a moment, sends nothing and changes nothing.
    Exit code 0: `run` works here; 1: it does not.
    """
    report = examine(with_bcc=with_bcc)
    if as_document:
        click.echo(as_json(report))
    else:
        write_table(report, Console(highlight=False, markup=False, emoji=False))
    context.exit(0 if report.chosen is not None else 1)
