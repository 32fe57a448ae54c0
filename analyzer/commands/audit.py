"""Runs ``imds-analyzer audit``: reads AWS accounts into a snapshot."""

from __future__ import annotations

import contextlib
import datetime
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Optional

import click
from click.core import ParameterSource

from analyzer.commands.audit_modes import (
    Asked,
    checked,
    maybe_run,
    mode_options,
    modes_of,
    read_earlier,
)
from analyzer.commands.output import written_bytes

if TYPE_CHECKING:
    from analyzer.account.model import Snapshot
    from analyzer.audit.accounts import Wanted
    from analyzer.audit.collection import Tell

INCOMPLETE, INTERRUPTED = 4, 130
DAYS = 14

_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}")
_ROLE = re.compile(r"[\w+=,.@/-]{1,512}")


@click.command()
@click.option(
    "--output",
    metavar="FILE",
    help="Write the snapshot to FILE, compressed if its name ends in .gz.",
)
@click.option("--profile", metavar="NAME", help="Use this profile of the AWS configuration.")
@click.option(
    "--region",
    "regions",
    multiple=True,
    metavar="NAME",
    help="Read this Region; may be repeated. By default, all enabled Regions.",
)
@click.option(
    "--organization-role",
    "role",
    metavar="NAME",
    help="Read every active account of the organization. Assumes the role NAME in each account.",
)
@click.option(
    "--accounts",
    multiple=True,
    metavar="ID[,ID]...",
    help="Read only these accounts; may be repeated.",
)
@click.option(
    "--days",
    type=click.IntRange(0, 455),
    default=DAYS,
    show_default=True,
    help="Days of CloudWatch's figures. 0: request none, which costs nothing.",
)
@click.option("--previous", metavar="FILE", help="Print the changes since this snapshot.")
@click.option("--iam-policy", is_flag=True, help="Print the minimal IAM policy, and read nothing.")
@click.option(
    "--schema", is_flag=True, help="Print the JSON Schema of a snapshot, and read nothing."
)
@mode_options
@click.pass_context
def audit(
    context: click.Context,
    *,
    output: Optional[str],
    profile: Optional[str],
    regions: tuple[str, ...],
    role: Optional[str],
    accounts: tuple[str, ...],
    days: int,
    previous: Optional[str],
    iam_policy: bool,
    schema: bool,
) -> None:
    """Read AWS accounts: which instances allow IMDSv1, and which templates launch more of them.

    Never writes to AWS. Takes credentials and Region as the AWS CLI does. Exits with 4 if a part
    could not be read.
    """
    wanted = _wanted(role, accounts, regions)
    modes = modes_of(context)
    if iam_policy:
        from analyzer.audit.operations import partition_of, policy

        partition = partition_of(regions[0] if regions else None)
        text = policy(role, partition=partition, is_cloudtrail=modes.cloudtrail)
        click.echo(text, nl=False)
        return
    if schema:
        from analyzer.account.schema import PATH

        click.echo(PATH.read_text("utf-8"), nl=False)
        return
    is_default = context.get_parameter_source("days") is ParameterSource.DEFAULT
    others = Asked(
        profile, wanted.regions, role, wanted.accounts, None if is_default else days, previous
    )
    if maybe_run(context, others):
        return
    try:
        snapshot = _audit(wanted, profile, days, output, previous)
    except KeyboardInterrupt:
        click.echo("imds-analyzer: interrupted; nothing was written", err=True)
        context.exit(INTERRUPTED)
    if modes.check:
        context.exit(checked(modes, snapshot, previous))
    if not snapshot.is_complete:
        context.exit(INCOMPLETE)


def _audit(
    wanted: Wanted,
    profile: Optional[str],
    days: int,
    output: Optional[str],
    previous: Optional[str],
) -> Snapshot:
    from rich.console import Console

    from analyzer.account.file import as_bytes, check_packages
    from analyzer.audit.access import Requests, open_access
    from analyzer.audit.changes import changes, with_baselines
    from analyzer.audit.collection import collect
    from analyzer.audit.metrics import period_of
    from analyzer.audit.screen import write

    # What can be wrong is looked at before what takes long.
    check_packages()
    now = datetime.datetime.now(datetime.timezone.utc)
    earlier = None if previous is None else read_earlier(previous, now)
    requests = Requests()
    access = open_access(profile, requests)
    with contextlib.ExitStack() as stack:
        keep = None if output is None else stack.enter_context(written_bytes(output))
        with _progress() as tell:
            period = period_of(now, days) if days else None
            snapshot = collect(access, requests, wanted, period, tell)
        if earlier is not None:
            snapshot = with_baselines(snapshot, earlier)
        if keep is not None and output is not None:
            keep(as_bytes(snapshot, is_gzip=output.endswith(".gz")))
    console = Console(highlight=False, markup=False, emoji=False)
    changed = None if earlier is None else changes(snapshot, earlier)
    write(snapshot, console, changes=changed, file=output)
    return snapshot


def _wanted(role: Optional[str], accounts: tuple[str, ...], regions: tuple[str, ...]) -> Wanted:
    from analyzer.audit.accounts import Wanted

    ids = tuple(dict.fromkeys(id_ for given in accounts for id_ in given.split(",")))
    _check(_ACCOUNT, ids, "--accounts", "12 digits, such as 123456789012")
    _check(_REGION, regions, "--region", "a Region's name, such as eu-west-1")
    _check(
        _ROLE,
        () if role is None else (role,),
        "--organization-role",
        "a role's name, such as OrganizationAccountAccessRole, and no ARN",
    )
    return Wanted(role, ids, tuple(dict.fromkeys(regions)))


def _check(form: re.Pattern[str], values: tuple[str, ...], option: str, what: str) -> None:
    for value in values:
        if not form.fullmatch(value):
            raise click.BadParameter(f"{value!r} is not {what}", param_hint=option)


@contextlib.contextmanager
def _progress() -> Iterator[Optional[Tell]]:
    """Give what is told how far the audit is; None where nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    from analyzer.audit.collection import Progress

    columns = (
        TextColumn("reading"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("Regions, {task.fields[instances]:,} instances"),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("audit", total=None, instances=0)

        def tell(so_far: Progress) -> None:
            bar.update(
                task,
                total=so_far.regions or None,
                completed=so_far.regions_read,
                instances=so_far.instances,
            )

        yield tell
