"""Refuses options of ``imds-analyzer audit`` that do not go together, before anything is read.

An option that is not heeded is an error: a pipeline would else believe that it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from analyzer.commands.audit_modes import Modes

_GIVEN = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
_AWS = ("profile", "regions", "role", "accounts", "days")
_RESULT = ("form", "result")
# What each question heeds, by how its command begins.
_HEEDED = {
    "audit": ("output", "previous", *_AWS),
    "audit --guardrails": ("guardrails",),
    "audit --cloudtrail-sql": (
        *("cloudtrail_sql", "location", "result"),
        *("accounts", "regions", "days"),
    ),
    "audit --check": ("check", "exceptions", "output", "previous", *_RESULT, *_AWS),
    "audit --check --snapshot": (
        *("check", "snapshot", "max_age", "exceptions", "previous"),
        *_RESULT,
    ),
    "audit --cloudtrail": (
        *("cloudtrail", "uses", "instances", "snapshot", "logs"),
        *_RESULT,
        *_AWS,
    ),
    "audit --uses": ("uses", "logs", *_RESULT),
}


def check_usage(context: click.Context, modes: Modes) -> None:
    """Raise UsageError for options that do not go together, ConfigError for bad exceptions."""
    wrong = {
        "--exceptions needs --check": modes.exceptions and not modes.check,
        "--max-age needs --check and --snapshot": modes.max_age
        and not (modes.check and modes.snapshot),
        "--snapshot needs --check or --cloudtrail": modes.snapshot
        and not (modes.check or modes.cloudtrail),
        "--instance needs --cloudtrail": modes.instances and not modes.cloudtrail,
        "--cloudtrail needs --uses FILE, to which it writes": modes.cloudtrail
        and modes.uses is None,
        "--logs needs --uses": modes.logs and modes.uses is None,
        "--location needs --cloudtrail-sql": modes.location and not modes.cloudtrail_sql,
        "--check and --uses exclude each other": modes.check and modes.uses,
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
    _check_heeded(context, _question(modes))
    if modes.exceptions is not None:  # what is wrong there is said before what takes long
        from analyzer.account.check import exceptions

        exceptions.read(modes.exceptions)


def _question(modes: Modes) -> str:
    """Return the key of the question that is asked; the first wins, as in the command."""
    if modes.guardrails is not None:
        return "audit --guardrails"
    if modes.cloudtrail_sql:
        return "audit --cloudtrail-sql"
    if modes.check:
        return "audit --check" if modes.snapshot is None else "audit --check --snapshot"
    if modes.cloudtrail:
        return "audit --cloudtrail"
    return "audit" if modes.uses is None else "audit --uses"


def _check_heeded(context: click.Context, question: str) -> None:
    for option in context.command.params:
        name = option.name or ""
        is_given = context.get_parameter_source(name) in _GIVEN
        if is_given and name not in _HEEDED[question]:
            raise click.UsageError(f"{option.opts[0]} cannot be combined with `{question}`")
