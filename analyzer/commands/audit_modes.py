"""Adds to ``imds-analyzer audit`` what is not the audit itself: checks, guardrails, CloudTrail.

The options stand in the same command; audit.py asks :func:`maybe_run` first.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

import click

from analyzer.commands.audit_usage import check_usage
from analyzer.commands.output import written
from analyzer.text import visible

if TYPE_CHECKING:
    from analyzer.account.model import Snapshot

FORMATS = ("text", "json", "junit", "sarif")
_META = "analyzer.commands.audit_modes"


@dataclass(frozen=True)
class Modes:
    """Options of `audit` that ask for more than a snapshot."""

    check: bool = False
    snapshot: Optional[str] = None
    max_age: Optional[str] = None
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
    _option(
        "--check",
        is_flag=True,
        help="Check for pipelines: the exit code tells the first rule that fails.",
    ),
    _option(
        "--snapshot",
        metavar="FILE",
        help="With --check or --cloudtrail: use this snapshot instead of reading accounts.",
    ),
    _option(
        "--max-age",
        metavar="LENGTH",
        help="With --check --snapshot: greatest age of the snapshot, such as 36h. [default: 2d]",
    ),
    _option(
        "--exceptions",
        metavar="FILE",
        help="With --check: TOML file with resources that may allow IMDSv1.",
    ),
    _option(
        "--format",
        "form",
        type=click.Choice(FORMATS),
        default="text",
        show_default=True,
        help="Format of the result of --check or --uses.",
    ),
    _option("--result", metavar="FILE", help="Write the result of --check or --uses to FILE."),
    _option(
        "--guardrails",
        metavar="DIR",
        help="Write policies and templates that keep IMDSv1 off to DIR.",
    ),
    _option(
        "--cloudtrail",
        is_flag=True,
        help="Look up API calls that used instances' credentials from IMDSv1, of the last 90 days"
        " or --days. Continues where it was stopped.",
    ),
    _option(
        "--uses",
        metavar="FILE",
        help="File for the result of --cloudtrail. Without --cloudtrail, the input: such a result,"
        " Athena's CSV, or a directory with a trail's files.",
    ),
    _option(
        "--instance",
        "instances",
        multiple=True,
        metavar="ID",
        help="With --cloudtrail and one --region: look up this instance; may be repeated.",
    ),
    _option(
        "--logs",
        multiple=True,
        metavar="PATH",
        help="With --uses: the analyzer's logs, to name the callers that fetched the credentials.",
    ),
    _option(
        "--cloudtrail-sql",
        is_flag=True,
        help="Print the SQL table and query for a trail's logs in S3.",
    ),
    _option(
        "--location",
        metavar="s3://...",
        help="With --cloudtrail-sql: the trail's S3 location, which ends in /AWSLogs/.",
    ),
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
    check_usage(context, modes)
    if modes.guardrails is not None:
        from analyzer.account.guardrails.writing import write

        for path in write(Path(modes.guardrails)):
            click.echo(str(path))
        return True
    if modes.cloudtrail_sql:
        from analyzer.commands.audit_credentials import print_sql

        print_sql(modes, asked)
        return True
    if modes.check and modes.snapshot is not None:
        from analyzer.account.file import read

        context.exit(checked(modes, read(Path(modes.snapshot)), asked.previous))
    if modes.cloudtrail or modes.uses is not None:
        from analyzer.commands.audit_credentials import joined_uses

        context.exit(joined_uses(modes, asked))
    return False


def checked(modes: Modes, snapshot: Snapshot, previous: Optional[str]) -> int:
    """Check a snapshot, write the result, and return the exit code."""
    from analyzer.account.check import exceptions, junit, sarif, words
    from analyzer.account.check.checking import MAX_AGE, check
    from analyzer.errors import AnalyzerError

    if not snapshot.regions and not snapshot.failures:
        raise AnalyzerError(
            "the snapshot has no account and no Region: there is nothing to check."
            " Make it with `imds-analyzer audit --output FILE`."
        )
    forms: dict[str, Callable[..., str]] = {
        "text": words.as_text,
        "json": junit.as_json,
        "junit": junit.as_xml,
        "sarif": sarif.as_sarif,
    }
    earlier = None if previous is None else read_earlier(previous, snapshot.taken_at)
    listed = () if modes.exceptions is None else exceptions.read(modes.exceptions)
    outcome = check(
        snapshot,
        listed,
        now=datetime.datetime.now(datetime.timezone.utc),
        max_age=MAX_AGE if modes.max_age is None else _length(modes.max_age),
        previous=earlier,
    )
    with written(modes.result, "--result") as to:
        to(forms[modes.form](outcome))
    return outcome.exit_code


def read_earlier(previous: str, at: datetime.datetime) -> Snapshot:
    """Read the file of --previous; raises AnalyzerError if it was taken after ``at``."""
    from analyzer.account.file import read
    from analyzer.errors import AnalyzerError

    earlier = read(Path(previous))
    if earlier.taken_at > at:
        after = earlier.taken_at.astimezone(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        raise AnalyzerError(
            f"{visible(previous)} was taken later, at {after}: --previous needs an earlier snapshot"
        )
    return earlier


def _length(text: str) -> datetime.timedelta:
    from analyzer.errors import ConfigError
    from analyzer.report.period import read_length

    try:
        return read_length(text)
    except ConfigError as error:
        raise click.BadParameter(str(error), param_hint="--max-age") from None
