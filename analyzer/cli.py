"""Runs the command that was named. Only this module ends the process."""

from __future__ import annotations

import errno
import importlib
import sys
from typing import TYPE_CHECKING, Any, Optional

import click

from analyzer import __version__
from analyzer.errors import AnalyzerError

if TYPE_CHECKING:
    from analyzer.recorder.early_attach import HeadStart

INTERRUPTED = 130
# name: what the list of commands says of it. A command's module is imported only when
# it is used, so that `run` does not carry the weight of the others.
COMMANDS = {
    "run": "Record IMDS calls as JSON lines.",
    "replay": "Read packet captures and write the same lines.",
    "lab": "Try it: run real programs against an emulated IMDS.",
    "tail": "Follow the log, one readable row per request.",
    "report": "List IMDSv1 callers and fixes, and judge whether turning IMDSv1 off is safe.",
    "scan": "Find old SDKs, packages and scripts that would call IMDSv1 when they run.",
    "audit": "Read AWS accounts: which instances and launch templates allow IMDSv1.",
    "clients": "List the known clients of IMDS, or check your own client definitions.",
    "doctor": "Check which ways to record calls work on this host, and print fixes.",
    "log-schema": "Print the JSON Schema of every line of the log.",
}
# For install.sh; not in the list.
HIDDEN = ("service-plan",)


class _Commands(click.Group):
    """Finds a command by the name of its module."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> Optional[click.Command]:
        if name not in (*COMMANDS, *HIDDEN):
            return None
        module = name.replace("-", "_")
        commands = importlib.import_module(f"analyzer.commands.{module}")
        command: click.Command = getattr(commands, module)
        return command

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 (what a command returns)
        """Run the command. Ctrl-C ends it by the shells' exit code, where click says 1."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("imds-analyzer: interrupted", err=True)
            ctx.exit(INTERRUPTED)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="imds-analyzer")
def cli() -> None:
    """Find the programs that call the EC2 Instance Metadata Service, and their IMDS version."""


def main(head_start: Optional[HeadStart] = None) -> None:
    """Run the command line; an AnalyzerError becomes its message and exit code."""
    try:
        cli(prog_name="imds-analyzer", obj=head_start)
    except AnalyzerError as error:
        from analyzer.masking import mask_text

        click.echo(f"imds-analyzer: {mask_text(str(error))}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        # Of a file, its own command says so: this is standard output on a full disk.
        if error.errno != errno.ENOSPC:
            raise
        click.echo(f"imds-analyzer: cannot write the output: {error.strerror}", err=True)
        sys.exit(1)
