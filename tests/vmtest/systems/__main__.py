"""Install, reboot, upgrade and remove the analyzer on systems that boot their own systemd.

``python -m tests.vmtest.systems`` does it on all; ``--system debian-11`` on one.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, Optional

import click

from tests.vmtest.kernels import kernels
from tests.vmtest.kernels.mirror import VmError
from tests.vmtest.systems import bundle, report, trial
from tests.vmtest.systems.roots import check_programs, make_root
from tests.vmtest.systems.systems import SYSTEMS, system_named
from tests.vmtest.systems.trial import Trial


@click.command(help=__doc__, context_settings={"max_content_width": 100})
@click.option("--system", "names", multiple=True, metavar="NAME", help="Only this; repeatable.")
@click.option("--deadline", default=3600, show_default=True, help="Seconds per boot.")
@click.option("--jobs", default=2, show_default=True, help="Machines at a time on this host.")
@click.option("--refresh", is_flag=True, help="Make the disks anew.")
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where logs and disks go; without it they are only kept when something failed.",
)
def main(
    names: Sequence[str], deadline: int, jobs: int, refresh: bool, results: Optional[Path]
) -> None:
    """Prepare, boot and judge; exits with 1 when anything failed."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    place = results.resolve() if results else Path(tempfile.mkdtemp(prefix="imds-analyzer-in-"))
    try:
        check_programs()
        systems = [system_named(name) for name in names] or list(SYSTEMS)
        found = kernels.fetch([kernels.line_named(system.kernel) for system in systems])
        roots = {
            system: make_root(system, kernel, refresh=refresh)
            for system, kernel in zip(systems, found)
        }
        offline = {system: bundle.offline_wheels(system.python) for system in systems}
        builds = bundle.build_wheels(place / "wheels")
    except VmError as error:
        sys.exit(f"tests.vmtest.systems: {error}")
    began = time.monotonic()
    trials = [
        Trial(system, kernel, roots[system], offline[system], place / system.name)
        for system, kernel in zip(systems, found)
    ]
    reports = trial.run_all(trials, builds, deadline, jobs)
    problems = [problem for each in reports for problem in each.problems]
    print("", report.table(reports), "", *problems, sep="\n")
    passed = sum(step.ok for each in reports for step in each.steps.values())
    print(f"{passed} steps passed, {len(problems)} problems, {time.monotonic() - began:.0f} s")
    if problems or results:
        print(f"logs: {place}", file=sys.stderr)
    else:
        shutil.rmtree(place)
    sys.exit(1 if problems else 0)


def _interrupt(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
