"""Run tests/containers in a machine with systemd and version 2 of cgroups alone.

``python -m tests.vmtest.runtimes`` runs all; ``-k EXPRESSION`` is passed on to pytest, and
``--shell COMMAND`` runs that instead.
"""

from __future__ import annotations

import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NoReturn, Optional

import click

from tests.vmtest import slots
from tests.vmtest.kernels import kernels
from tests.vmtest.kernels.mirror import VmError
from tests.vmtest.kernels.suite import tail
from tests.vmtest.runtimes import guest, results
from tests.vmtest.runtimes.disk import SIZE, SYSTEM
from tests.vmtest.systems import machine
from tests.vmtest.systems.roots import check_programs, make_root

SHOWN_LINES = 200
BOOT = 1


@click.command(help=__doc__, context_settings={"max_content_width": 100})
@click.option("-k", "keyword", metavar="EXPRESSION", help="Passed on to pytest.")
@click.option("--shell", metavar="COMMAND", help="Run this instead.")
@click.option("--deadline", default=5400, show_default=True, help="Seconds.")
@click.option("--jobs", default=2, show_default=True, help="Machines at a time on this host.")
@click.option("--refresh", is_flag=True, help="Make the disk anew.")
@click.option(
    "--results",
    "into",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where logs go; without it they are only kept when something failed.",
)
def main(
    keyword: Optional[str],
    shell: Optional[str],
    deadline: int,
    jobs: int,
    refresh: bool,
    into: Optional[Path],
) -> None:
    """Prepare, boot and judge; exits with 1 when anything failed."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    place = into.resolve() if into else Path(tempfile.mkdtemp(prefix="imds-analyzer-runtimes-"))
    try:
        check_programs()
        (kernel,) = kernels.fetch([kernels.line_named(SYSTEM.kernel)])
        root = make_root(SYSTEM, kernel, refresh=refresh)
        booted = machine.prepare(kernel, root, place, SIZE)
        guest.pack(booted.shared)
    except VmError as error:
        sys.exit(f"tests.vmtest.runtimes: {error}")
    command = shell or guest.suite(keyword)
    (booted.shared / "start").write_text(guest.script(command, deadline), encoding="utf-8")
    print(f"{SYSTEM.name}: {shlex.quote(command)}", flush=True)
    began = time.monotonic()
    with slots.slot(jobs, threading.Event()):
        done = machine.boot(booted, BOOT, deadline, threading.Event())
    (place / machine.DISK).unlink()
    output = booted.shared / guest.OUTPUT
    print(tail(output, SHOWN_LINES))
    found = results.judge(booted.shared, done.trouble, with_tests=shell is None)
    if not done.boot_s:
        print(tail(place / f"console-{BOOT}.log", SHOWN_LINES))
    total_s = time.monotonic() - began
    print(*found.problems, f"{found.counted}, {total_s:.0f} s", sep="\n")
    if found.problems or into:
        print(f"logs: {place}", file=sys.stderr)
    else:
        shutil.rmtree(place)
    sys.exit(1 if found.problems else 0)


def _interrupt(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
