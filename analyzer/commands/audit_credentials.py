"""Runs ``imds-analyzer audit --cloudtrail`` and ``--uses``: what credentials from IMDSv1 did."""

from __future__ import annotations

import contextlib
import datetime
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

import click

from analyzer.commands.output import written

if TYPE_CHECKING:
    from analyzer.account.credentials.file import Found
    from analyzer.audit.cloudtrail.lookup import Call, Target
    from analyzer.commands.audit_modes import Asked, Modes

INCOMPLETE, INTERRUPTED = 4, 130
_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}", re.ASCII)


def print_sql(modes: Modes, asked: Asked) -> None:
    """Print table and query for a trail's logs in S3."""
    from analyzer.report.engine.cloudtrail import statements

    start, end = _span(asked.days)
    with written(modes.result, "--result") as to:
        to(statements(modes.location, asked.accounts, asked.regions, start, end))


def _span(days: Optional[int]) -> tuple[datetime.datetime, datetime.datetime]:
    from analyzer.audit.cloudtrail.lookup import DAYS_MAX

    if days is not None and not 1 <= days <= DAYS_MAX:
        raise click.BadParameter(
            f"CloudTrail keeps events for {DAYS_MAX} days: give 1 to {DAYS_MAX}",
            param_hint="--days",
        )
    end = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    return end - datetime.timedelta(days=days or DAYS_MAX), end


def joined_uses(modes: Modes, asked: Asked) -> int:
    """Look up or read uses, join them with the logs, write the result; return the exit code."""
    from analyzer.account.credentials.file import read_any
    from analyzer.account.credentials.joining import join
    from analyzer.account.credentials.words import as_json, as_text

    path = Path(modes.uses or "")
    if modes.cloudtrail:
        try:
            found = _looked_up(modes, asked, path)
        except KeyboardInterrupt:
            click.echo(
                f"imds-analyzer: interrupted; {path} has what was read. Run it again to go on.",
                err=True,
            )
            return INTERRUPTED
        uses, incomplete = found.uses, found.incomplete
    else:
        uses, incomplete = read_any(path)
    fetches, watched, unread = _fetches(modes.logs)
    notes = (*incomplete, *unread)
    joined = join(uses, fetches, watched)
    with written(modes.result, "--result") as to:
        to(as_json(joined, notes) if modes.form == "json" else as_text(joined, notes))
    return INCOMPLETE if notes else 0


def _fetches(logs: Sequence[str]) -> tuple[Sequence[Any], frozenset[str], Sequence[str]]:
    if not logs:
        return (), frozenset(), ()
    from analyzer.report.engine.fetches import fetched
    from analyzer.report.inputs import open_inputs

    with open_inputs(logs) as files:
        found = fetched(files)
    return found.fetches, found.watched, found.unread


def _looked_up(modes: Modes, asked: Asked, path: Path) -> Found:
    from analyzer.account.credentials.file import Found, read, save
    from analyzer.audit.access import Requests, open_access
    from analyzer.audit.accounts import own_account
    from analyzer.audit.cloudtrail.accounts import Lookups
    from analyzer.audit.cloudtrail.lookup import look_up
    from analyzer.audit.failures import is_foreseen, unexpected

    start, end = _span(asked.days)
    found = Found(start, end)
    if path.exists():
        found = read(path)
        until = found.end.strftime("%Y-%m-%d %H:%M")
        click.echo(
            f"imds-analyzer: goes on with the events until {until} UTC of {path}; name another"
            " file for later ones",
            err=True,
        )
    access = open_access(asked.profile, Requests())
    own = own_account(access)
    targets = _targets(modes, asked, own)
    lookups = Lookups(access, own, asked.role)
    with _progress(len(targets)) as tell:

        def call_of(target: Target) -> Call:
            tell(target.instance)
            return lookups.call_of(target)

        return look_up(
            targets,
            found,
            call_of,
            lambda so_far: save(path, so_far),
            is_foreseen=lambda error: is_foreseen(error) or unexpected(error) is not None,
        )


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """Give what is told which instance is looked up; it shows that on a terminal."""
    if not sys.stderr.isatty():
        yield lambda _instance: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("looking up {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total, completed=-1)
        yield lambda instance: bar.update(task, description=instance, advance=1)


def _targets(modes: Modes, asked: Asked, own: str) -> tuple[Target, ...]:
    from analyzer.account.file import read
    from analyzer.audit.cloudtrail.accounts import targets_of
    from analyzer.audit.cloudtrail.lookup import Target

    if modes.instances:
        for id_ in modes.instances:
            if not _INSTANCE.fullmatch(id_):
                raise click.BadParameter(f"{id_!r} is not an instance id", param_hint="--instance")
        if len(asked.regions) != 1:
            raise click.UsageError("--instance needs the one --region that the instances are in")
        account = asked.accounts[0] if asked.accounts else own
        return tuple(Target(account, asked.regions[0], each) for each in modes.instances)
    if modes.snapshot is None:
        raise click.UsageError(
            "--cloudtrail needs instances: --instance ID with --region, or --snapshot FILE"
        )
    targets = targets_of(read(Path(modes.snapshot)), asked.accounts, asked.regions)
    if not targets:
        raise click.UsageError(
            f"{modes.snapshot} has no instance with tokenless calls there: nothing to look up."
            " To look one up anyway, use --instance ID"
        )
    return targets
