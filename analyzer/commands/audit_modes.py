"""Adds to ``imds-analyzer audit`` what is not the audit itself: checks, guardrails, CloudTrail.

The options stand in the same command; audit.py asks :func:`maybe_run` first.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

import click

from analyzer.commands.output import written

if TYPE_CHECKING:
    from analyzer.account.credentials.file import Found
    from analyzer.account.model import Snapshot
    from analyzer.audit.cloudtrail.lookup import Target

FORMATS = ("text", "json", "junit", "sarif")
INCOMPLETE, INTERRUPTED = 4, 130
_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}", re.ASCII)
_META = "analyzer.commands.audit_modes"


@dataclass(frozen=True)
class Modes:
    """What was asked for beside the audit."""

    check: bool = False
    snapshot: Optional[str] = None
    exceptions: Optional[str] = None
    form: str = "text"
    result: Optional[str] = None
    guardrails: Optional[str] = None
    cloudtrail: bool = False
    uses: Optional[str] = None
    instances: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()
    cloudtrail_sql: bool = False
    location: Optional[str] = None


@dataclass(frozen=True)
class Asked:
    """The audit's own options that these modes heed."""

    profile: Optional[str]
    regions: tuple[str, ...]
    role: Optional[str]
    accounts: tuple[str, ...]
    days: Optional[int]
    previous: Optional[str]


def _keep(context: click.Context, parameter: click.Parameter, value: object) -> None:
    context.meta.setdefault(_META, {})[parameter.name] = value


def _option(*names: str, **attributes: Any) -> Callable[[Any], Any]:  # noqa: ANN401 (click's)
    return click.option(*names, expose_value=False, callback=_keep, **attributes)


_OPTIONS = (
    _option("--check", is_flag=True, help="Exit by the first rule that fails: for pipelines."),
    _option(
        "--snapshot",
        metavar="FILE",
        help="With --check or --cloudtrail: take this snapshot, and read no account.",
    ),
    _option("--exceptions", metavar="FILE", help="With --check: what may allow IMDSv1, as TOML."),
    _option(
        "--format",
        "form",
        type=click.Choice(FORMATS),
        default="text",
        show_default=True,
        help="Of the result of --check or --uses.",
    ),
    _option("--result", metavar="FILE", help="Write the result of --check or --uses to FILE."),
    _option("--guardrails", metavar="DIR", help="Write the files that keep IMDSv1 off into DIR."),
    _option(
        "--cloudtrail",
        is_flag=True,
        help="Look up what instances' credentials from IMDSv1 were used for, in the last 90 days or"
        " --days; goes on where it was stopped.",
    ),
    _option(
        "--uses",
        metavar="FILE",
        help="What --cloudtrail finds; or read this: a result, Athena's CSV, a trail's files.",
    ),
    _option(
        "--instance",
        "instances",
        multiple=True,
        metavar="ID",
        help="With --cloudtrail: this instance of the one --region; may be repeated.",
    ),
    _option(
        "--logs",
        multiple=True,
        metavar="PATH",
        help="With --uses: the analyzer's logs, which say who fetched the credentials.",
    ),
    _option(
        "--cloudtrail-sql", is_flag=True, help="Print table and query for a trail's logs in S3."
    ),
    _option("--location", metavar="s3://...", help="With --cloudtrail-sql: .../AWSLogs/."),
)


def mode_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command; their values go to the context."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def modes_of(context: click.Context) -> Modes:
    """Return what was asked for."""
    return Modes(**context.meta.get(_META, {}))


def maybe_run(context: click.Context, asked: Asked) -> bool:
    """Run a mode that needs no audit; tell whether there was one. Ends by an exit code."""
    modes = modes_of(context)
    _check_usage(modes)
    if modes.guardrails is not None:
        from analyzer.account.guardrails.writing import write

        for path in write(Path(modes.guardrails)):
            click.echo(str(path))
        return True
    if modes.cloudtrail_sql:
        _print_sql(modes, asked)
        return True
    if modes.check and modes.snapshot is not None:
        from analyzer.account.file import read

        context.exit(checked(modes, read(Path(modes.snapshot)), asked.previous))
    if modes.cloudtrail or modes.uses is not None:
        context.exit(_credentials(modes, asked))
    return False


def checked(modes: Modes, snapshot: Snapshot, previous: Optional[str]) -> int:
    """Check a snapshot, write the result, and return the exit code."""
    from analyzer.account.check import exceptions, junit, sarif, words
    from analyzer.account.check.checking import check
    from analyzer.account.file import read

    forms: dict[str, Callable[..., str]] = {
        "text": words.as_text,
        "json": junit.as_json,
        "junit": junit.as_xml,
        "sarif": sarif.as_sarif,
    }
    listed = () if modes.exceptions is None else exceptions.read(modes.exceptions)
    outcome = check(
        snapshot,
        listed,
        today=datetime.datetime.now(datetime.timezone.utc).date(),
        previous=None if previous is None else read(Path(previous)),
    )
    with written(modes.result) as to:
        to(forms[modes.form](outcome))
    return outcome.exit_code


def _check_usage(modes: Modes) -> None:
    wrong = {
        "--exceptions goes with --check": modes.exceptions and not modes.check,
        "--snapshot goes with --check or --cloudtrail": modes.snapshot
        and not (modes.check or modes.cloudtrail),
        "--instance goes with --cloudtrail": modes.instances and not modes.cloudtrail,
        "--cloudtrail needs --uses FILE, which it writes, and goes on from": modes.cloudtrail
        and modes.uses is None,
        "--logs goes with --uses": modes.logs and modes.uses is None,
        "--location goes with --cloudtrail-sql": modes.location and not modes.cloudtrail_sql,
        "--check and --uses are two questions: ask one": modes.check and modes.uses,
        "--format json, junit and sarif need --result FILE or --snapshot FILE": modes.check
        and modes.form != "text"
        and modes.result is None
        and modes.snapshot is None,
        "--format junit and sarif go with --check": modes.form in ("junit", "sarif")
        and not modes.check,
    }
    for message, is_wrong in wrong.items():
        if is_wrong:
            raise click.UsageError(message)
    if modes.exceptions is not None:  # what is wrong there is said before what takes long
        from analyzer.account.check import exceptions

        exceptions.read(modes.exceptions)


def _print_sql(modes: Modes, asked: Asked) -> None:
    from analyzer.report.engine.cloudtrail import statements

    start, end = _span(asked.days)
    with written(modes.result) as to:
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


def _credentials(modes: Modes, asked: Asked) -> int:
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
    with written(modes.result) as to:
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
    from analyzer.audit.failures import is_foreseen

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
    return look_up(
        targets,
        found,
        lookups.call_of,
        lambda so_far: save(path, so_far),
        is_foreseen=is_foreseen,
    )


def _targets(modes: Modes, asked: Asked, own: str) -> tuple[Target, ...]:
    from analyzer.account.file import read
    from analyzer.audit.cloudtrail.accounts import targets_of
    from analyzer.audit.cloudtrail.lookup import Target

    if modes.instances:
        for id_ in modes.instances:
            if not _INSTANCE.fullmatch(id_):
                raise click.BadParameter(f"{id_!r} is no instance's id", param_hint="--instance")
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
        raise click.UsageError(f"{modes.snapshot} has no instance that allows IMDSv1")
    return targets
