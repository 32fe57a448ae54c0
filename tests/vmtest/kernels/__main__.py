"""Run the live suite, real clients, or a command of yours, in a virtual machine per kernel.

``python -m tests.vmtest.kernels`` runs the live suite on all; ``--kernel 5.10 --shell 'bpftool
prog'`` runs one command in one guest, whose file system is this machine's, read-only underneath.
``--clients -- --only curl`` runs tests.vmtest.clients with the arguments behind ``--``.
``--image ARCHIVE`` starts the container image on arm64.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Callable, NamedTuple, NoReturn, Optional

import click

from tests.vmtest import slots
from tests.vmtest.kernels import arm64, clients, image, kernels, machine, plan, suite
from tests.vmtest.kernels.guest import CHECKOUT
from tests.vmtest.kernels.kernels import Kernel
from tests.vmtest.kernels.machine import Outcome
from tests.vmtest.kernels.mirror import VmError

# What is shown of the log of a guest in which something went wrong; the rest is in its file.
SHOWN_LINES = 400
DEADLINE_S = 2700


class Task(NamedTuple):
    """What is run. ``command`` takes a kernel line's name; ``show`` tells if all went well."""

    command: Callable[[str], str]
    show: Callable[[Sequence[Outcome]], bool]
    deadline_s: int
    userland: arm64.Userland


@click.command(help=__doc__, context_settings={"max_content_width": 100})
@click.option("--kernel", "names", multiple=True, metavar="NAME", help="Only this; repeatable.")
@click.option("--list", "only_list", is_flag=True, help="Fetch and list the kernels, no more.")
@click.option("-k", "keyword", metavar="EXPRESSION", help="Passed on to pytest.")
@click.option("--shell", metavar="COMMAND", help="Run this instead.")
@click.option("--clients", "with_clients", is_flag=True, help="Run real clients of IMDS instead.")
@click.option(
    "--image",
    "archive",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Start this image of `make image` instead, on arm64.",
)
@click.option(
    "--deadline",
    type=int,
    help=f"Seconds per machine; {DEADLINE_S}, with --clients {clients.DEADLINE_S}.",
)
@click.option("--jobs", default=2, show_default=True, help="Machines at a time on this host.")
@click.option("--full", is_flag=True, help="Every test on every kernel, with every probe.")
@click.option("--refresh", is_flag=True, help="Ask the mirror for newer kernels.")
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where logs go; without it they are only kept when something failed.",
)
@click.argument("client_options", nargs=-1)
def main(
    names: Sequence[str],
    only_list: bool,
    keyword: Optional[str],
    shell: Optional[str],
    with_clients: bool,
    archive: Optional[Path],
    deadline: Optional[int],
    jobs: int,
    full: bool,
    refresh: bool,
    results: Optional[Path],
    client_options: Sequence[str],
) -> None:
    """Choose, fetch and run; exits with 1 when anything failed."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    if client_options and not with_clients:
        raise click.UsageError("only --clients takes further words")
    task = _task(shell, keyword, client_options if with_clients else None, full=full)
    try:
        if archive is not None:
            names, task = (arm64.ARCH,), _image_task(archive)
        lines = [kernels.line_named(name) for name in names] or list(kernels.LINES)
        machine.check_programs()
        found = kernels.fetch(lines, refresh=refresh)
        if any(line.arch == arm64.ARCH for line in lines):
            if with_clients:
                clients.check_prepared()
            task.userland.tree.make(refresh=refresh)
    except VmError as error:
        sys.exit(f"tests.vmtest.kernels: {error}")
    for kernel in found:
        print(f"{kernel.line:8}{kernel.release:24}package {kernel.version}", flush=True)
    if only_list:
        return
    place = results.resolve() if results else Path(tempfile.mkdtemp(prefix="imds-analyzer-vm-"))
    outcomes = _run_all(found, task, place, deadline or task.deadline_s, jobs)
    good = task.show(outcomes)
    if good and results is None:
        shutil.rmtree(place)
    else:
        print(f"logs: {place}", file=sys.stderr)
    sys.exit(0 if good else 1)


def _interrupt(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


def _task(
    shell: Optional[str],
    keyword: Optional[str],
    client_options: Optional[Sequence[str]],
    *,
    full: bool,
) -> Task:
    userland = arm64.LIVE_SUITE if client_options is None else clients.userland()
    if shell is not None:
        return Task(lambda _: shell, _show_shell, DEADLINE_S, userland)
    if client_options is not None:
        command = partial(clients.guest_command, options=client_options)
        return Task(command, _show_clients, clients.DEADLINE_S, userland)
    command = partial(suite.guest_command, keyword=keyword, full=full)
    return Task(command, partial(_show_suite, full=full), DEADLINE_S, userland)


def _image_task(archive: Path) -> Task:
    root = image.unpacked(archive, arm64.ARCH)
    userland = arm64.Userland(arm64.TREE, (CHECKOUT, root))
    return Task(lambda _: image.guest_command(root), _show_shell, DEADLINE_S, userland)


def _run_all(
    found: Sequence[Kernel], task: Task, place: Path, deadline_s: float, jobs: int
) -> list[Outcome]:
    """Run every guest, some at a time; returns outcomes in the order of the kernels."""
    stop = threading.Event()
    outcomes: dict[Kernel, Outcome] = {}
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        try:
            waiting: dict[Future[Outcome], Kernel] = {
                pool.submit(_run_one, kernel, task, place, deadline_s, jobs, stop): kernel
                for kernel in sorted(found, key=lambda kernel: plan.turn(kernel.line))
            }
            for done in as_completed(waiting):
                outcome = done.result()
                outcomes[waiting[done]] = outcome
                print(
                    f"{outcome.kernel.line}: {outcome.trouble or 'ended'}, "
                    f"booted in {outcome.boot_s:.0f} s, {outcome.total_s:.0f} s in all",
                    flush=True,
                )
        finally:
            # On Ctrl-C or an error: end the machines that run, do not start the others.
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
    return [outcomes[kernel] for kernel in found]


def _run_one(
    kernel: Kernel, task: Task, place: Path, deadline_s: float, jobs: int, stop: threading.Event
) -> Outcome:
    with slots.slot(jobs, stop):
        return machine.run(
            kernel,
            task.command(kernel.line),
            place / kernel.line,
            deadline_s=deadline_s,
            stop=stop,
            userland=task.userland,
        )


def _show_shell(outcomes: Sequence[Outcome]) -> bool:
    for outcome in outcomes:
        print(f"== {outcome.kernel.line} ({outcome.kernel.release})")
        print(outcome.output, end="")
        if not outcome.booted:
            print(suite.tail(outcome.directory / "console.log", SHOWN_LINES))
        print(f"== status {outcome.status} {outcome.trouble}")
    return all(outcome.status == 0 for outcome in outcomes)


def _show_suite(outcomes: Sequence[Outcome], *, full: bool) -> bool:
    reports = [suite.judge(outcome, full=full) for outcome in outcomes]
    for outcome, report in zip(outcomes, reports):
        if report.problems:
            _show_tail(outcome)
    good = _show_summary(reports)
    for outcome in outcomes:
        for reason in plan.left_out(outcome.kernel.line, full=full):
            print(f"{outcome.kernel.line}: only with FULL=1: {reason}")
    return good


def _show_clients(outcomes: Sequence[Outcome]) -> bool:
    for outcome in outcomes:
        table = outcome.directory / clients.TABLE
        # It is written as a whole at the end, and empty where the run did not get there.
        if not table.exists() or not table.stat().st_size:
            _show_tail(outcome)
        else:
            print(f"\n== {outcome.kernel.line} ({outcome.kernel.release})")
            print(table.read_text("utf-8", "replace"), end="")
    return _show_summary([clients.judge(outcome) for outcome in outcomes])


def _show_tail(outcome: Outcome) -> None:
    log = "output.log" if outcome.booted else "console.log"
    print(f"\n== {outcome.kernel.line}: the last {SHOWN_LINES} lines of {log}")
    print(suite.tail(outcome.directory / log, SHOWN_LINES))


def _show_summary(reports: Sequence[suite.Report]) -> bool:
    rows = [row for report in reports for row in report.rows]
    problems = [problem for report in reports for problem in report.problems]
    print("", suite.table(rows), "", *problems, suite.total(rows), sep="\n")
    return not problems


if __name__ == "__main__":
    main()
