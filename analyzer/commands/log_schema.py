"""Prints the JSON Schema of the log (``imds-analyzer log-schema``)."""

from __future__ import annotations

from pathlib import Path

import click

from analyzer import logline


@click.command("log-schema")
def log_schema() -> None:
    """Print the JSON Schema of every line of the log.

    Draft 2020-12. Any validator can hold lines to it; docs/log-format.md explains them.
    """
    click.echo(Path(logline.__file__).with_name("schema.json").read_text("utf-8"), nl=False)
