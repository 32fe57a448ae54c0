"""Prints the JSON Schema of the log (``imds-analyzer log-schema``)."""

from __future__ import annotations

from pathlib import Path

import click

from analyzer import logline


@click.command("log-schema")
def log_schema() -> None:
    """Print the JSON Schema of every line of the log.

    The schema is draft 2020-12. docs/log-format.md explains the lines.
    """
    click.echo(Path(logline.__file__).with_name("schema.json").read_text("utf-8"), nl=False)
