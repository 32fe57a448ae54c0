"""Runs ``imds-analyzer clients``: prints the known clients, or checks a file of one's own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from analyzer.clients.entry import Client

# An error in what an operator wrote, as for a configuration file.
EXIT_FAULTS = 2
_HEADINGS = ("CLIENT", "NEEDS", "SOURCE")


@click.command()
@click.option(
    "--check",
    "check",
    multiple=True,
    metavar="FILE",
    help="Check a file of your own and print its faults; may be repeated.",
)
@click.option(
    "--clients", multiple=True, metavar="FILE", help="Your own client definitions; may be repeated."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON with all facts about each client."
)
@click.pass_context
def clients(
    context: click.Context, check: tuple[str, ...], clients: tuple[str, ...], as_json: bool
) -> None:
    """List the known clients of IMDS and the first version of each that needs no IMDSv1.

    With --check, the exit code is 0 if the files have no fault, and 2 if they have one.
    """
    if check:
        results = [_is_right(Path(each)) for each in check]
        context.exit(0 if all(results) else EXIT_FAULTS)
    from analyzer.clients.reading import load_clients

    entries = load_clients([Path(each) for each in clients]).entries
    text = (
        json.dumps([_as_object(each) for each in entries], indent=2) if as_json else _rows(entries)
    )
    click.echo(text)


def _is_right(path: Path) -> bool:
    """Print a file's faults, or that it has none."""
    from analyzer.clients.reading import read_entries

    entries, faults = read_entries(path)
    for fault in faults:
        click.echo(str(fault))
    if not faults:
        click.echo(f"{path}: no faults (entries: {len(entries)})")
    return not faults


def _rows(entries: Sequence[Client]) -> str:
    rows = [_HEADINGS, *((each.name, _needs(each), each.source[0]) for each in entries)]
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    return "\n".join(f"{row[0]:{first}}  {row[1]:{second}}  {row[2]}" for row in rows)


def _needs(client: Client) -> str:
    if client.needs is None:
        return "none known"
    return "any" if client.needs == "0" else client.needs


def _as_object(client: Client) -> dict[str, Any]:
    return dict(_filled(client))


def _filled(client: Client) -> Iterator[tuple[str, Any]]:
    """Yield the keys of an entry that have a value, as a file has them."""
    for key, value in vars(client).items():
        if key == "user_agent" and value is not None:
            yield key, value.pattern
        elif value and not key.startswith("_"):
            yield key, list(value) if isinstance(value, tuple) else value
