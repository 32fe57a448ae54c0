"""Runs ``imds-analyzer lab``: real programs call a throwaway IMDS, and the analyzer names them."""

from __future__ import annotations

import signal
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any, Callable, Optional

import click

from analyzer.config.settings import ATTACHES, SOURCES

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL_S = 0.02
_ACCOUNT_DIRECTORY = Path("imds-lab-account")
_INTERRUPTED_EXIT_CODE = 128  # plus the signal's number, as shells have it


class _Interrupted(BaseException):
    """Raised at a safe point, after a signal asked the lab to stop."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


class _StopSignals:
    """Remember a stop signal until we wait anyway: nothing is left half started or half removed."""

    def __init__(self) -> None:
        self._received: Optional[int] = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> _StopSignals:
        self._before = {each: signal.signal(each, self._remember) for each in _STOP_SIGNALS}
        return self

    def __exit__(self, *_error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def pause(self) -> None:
        time.sleep(_POLL_S)
        if self._received is not None:
            raise _Interrupted(self._received)

    def _remember(self, signal_number: int, _frame: Optional[FrameType]) -> None:
        self._received = signal_number


@click.command("lab")
@click.option("--source", type=click.Choice(SOURCES), help="As for `run`.")
@click.option("--attach", type=click.Choice(ATTACHES), help="As for `run`.")
@click.option("--hold", is_flag=True, help="Keep the lab open until Ctrl-C.")
@click.option(
    "--require-tokens", is_flag=True, help="Reject IMDSv1 with 401, as HttpTokens=required does."
)
@click.option(
    "--log-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the log in FILE. By default it is deleted.",
)
@click.option(
    "--account",
    is_flag=True,
    help="Emulate two AWS accounts, audit them, and report on them with logs. Needs no account.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="With --account: write snapshot, logs and page to DIRECTORY [default: imds-lab-account].",
)
@click.pass_context
def lab(
    context: click.Context,
    *,
    source: Optional[str],
    attach: Optional[str],
    hold: bool,
    require_tokens: bool,
    log_file: Optional[Path],
    account: bool,
    output: Optional[Path],
) -> None:
    """Run real programs against an emulated IMDS and show which of them use IMDSv1.

    The programs and the IMDS run in their own network namespace, which is removed at the end.
    Exit code 0: the log has every request with the right program. 1: a request or program in
    the log is wrong, or the lab could not run.

    With --account, the calls become logs of emulated instances in emulated AWS accounts.
    """
    if account and (source or attach or hold or require_tokens or log_file):
        raise click.UsageError("--account can be combined only with --output")
    if output is not None and not account:
        raise click.UsageError("--output needs --account")
    chosen = {"--source": source, "--attach": attach}
    passed_on = [word for name, value in chosen.items() if value for word in (name, value)]
    try:
        with _StopSignals() as stop:
            if account:
                from analyzer.lab.account.lab import show

                show((output or _ACCOUNT_DIRECTORY).absolute(), click.echo, stop.pause)
                rightly = True
            else:
                rightly = _is_named_rightly(passed_on, hold, require_tokens, log_file, stop.pause)
        exit_code = 0 if rightly else 1
    except _Interrupted as interrupted:
        click.echo("\nInterrupted. Everything the lab made is removed.", err=True)
        exit_code = _INTERRUPTED_EXIT_CODE + interrupted.signal_number
    context.exit(exit_code)


def _is_named_rightly(
    passed_on: list[str],
    hold: bool,
    require_tokens: bool,
    log_file: Optional[Path],
    pause: Callable[[], None],
) -> bool:
    from rich.console import Console

    from analyzer.lab.exercise import Exercise
    from analyzer.lab.imds import ImdsProcess
    from analyzer.lab.namespace import LabNamespace
    from analyzer.lab.observed_calls import LogTail
    from analyzer.lab.observer import ObserverProcess
    from analyzer.lab.programs import write_programs
    from analyzer.lab.screen import LabScreen
    from analyzer.lab.service import MetadataOptions

    screen = LabScreen(Console(highlight=False, markup=False, emoji=False))
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="imds-lab-")))
        namespace = stack.enter_context(LabNamespace())
        imds = stack.enter_context(
            ImdsProcess(namespace, MetadataOptions(require_tokens=require_tokens))
        )
        log = log_file or directory / "imds.jsonl"
        tail = LogTail(log)
        screen.open(
            namespace, str(log_file) if log_file else "deleted at the end (--log-file keeps it)"
        )
        # In the kernel it would see the namespace from outside; of packets, only from inside.
        inside = namespace.command([])
        observer = stack.enter_context(
            ObserverProcess(log, directory, passed_on, prefix=inside, pause=pause)
        )
        exercise = Exercise(namespace, observer, tail, directory, pause=pause)

        screen.head_columns()
        for call in exercise.run(write_programs(directory)):
            screen.show(call, is_ours=exercise.is_ours(call))
        answered = sum(imds.tally().values())
        if hold:
            screen.sum_up(exercise.outcomes(), answered)
            screen.invite(namespace)
            try:
                while True:
                    for call in exercise.watch():
                        screen.show(call, is_ours=exercise.is_ours(call))
            except _Interrupted:
                screen.say("\nClosing the lab.")
        observer.drain()
        for call in exercise.catch_up():
            screen.show(call, is_ours=exercise.is_ours(call))
        outcomes = exercise.outcomes()
        if not hold:
            screen.sum_up(outcomes, answered)
    return all(each.is_right for each in outcomes)
