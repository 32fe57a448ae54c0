"""Runs ``imds-analyzer service-plan``: prints what install.sh does on this host. Hidden."""

from __future__ import annotations

import click

from analyzer.service_plan.stages import plan


def _best_probe() -> str:
    """Return the probe that root would get here; nothing if there is none."""
    from analyzer.doctor.checks import examine

    return examine(with_bcc=False).chosen or ""


@click.command(
    hidden=True, add_help_option=False, context_settings={"ignore_unknown_options": True}
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def service_plan(words: tuple[str, ...]) -> None:
    """Print what install.sh does on this host. It changes nothing."""
    click.echo(plan(words, _best_probe))
