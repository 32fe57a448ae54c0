"""One system from its first boot to the analyzer's removal, and all of them side by side."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tests.vmtest import slots
from tests.vmtest.kernels.kernels import Kernel
from tests.vmtest.kernels.suite import tail
from tests.vmtest.systems import bundle, machine
from tests.vmtest.systems.bundle import Build
from tests.vmtest.systems.report import Report, judge
from tests.vmtest.systems.systems import System

BOOTS = (1, 2)
# What is shown of the console of a guest that did not get through; the rest is in its file.
SHOWN_LINES = 60


@dataclass(frozen=True)
class Trial:
    """A system, what it boots and installs from, and the directory for what comes of it."""

    system: System
    kernel: Kernel
    root: Path
    offline: Path
    directory: Path


def run_all(
    trials: Sequence[Trial], builds: Mapping[str, Build], deadline_s: float, jobs: int
) -> list[Report]:
    """Run every trial, some at a time; returns the reports in the order of the trials."""
    stop = threading.Event()
    reports: dict[Trial, Report] = {}
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        try:
            waiting: dict[Future[Report], Trial] = {
                pool.submit(_in_slot, trial, builds, deadline_s, stop, jobs): trial
                for trial in trials
            }
            for done in as_completed(waiting):
                reports[waiting[done]] = report = done.result()
                state = f"{len(report.problems)} problems" if report.problems else "all well"
                print(f"{report.system}: {state}, {report.total_s:.0f} s", flush=True)
        finally:
            # On Ctrl-C or an error: end the machines that run, do not start the others.
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
    return [reports[trial] for trial in trials]


def _in_slot(
    trial: Trial, builds: Mapping[str, Build], deadline_s: float, stop: threading.Event, jobs: int
) -> Report:
    with slots.slot(jobs, stop):
        return run(trial, builds, deadline_s, stop)


def run(
    trial: Trial, builds: Mapping[str, Build], deadline_s: float, stop: threading.Event
) -> Report:
    """Boot a system as often as the driver wants, on one disk, and judge what it wrote."""
    began = time.monotonic()
    guest = machine.prepare(trial.kernel, trial.root, trial.directory)
    bundle.fill(guest.shared, builds, trial.offline)
    troubles: list[str] = []
    for number in BOOTS:
        done = machine.boot(guest, number, deadline_s, stop)
        if done.boot_s:
            print(f"{trial.system.name}: boot {number} took {done.boot_s:.0f} s", flush=True)
        if done.trouble:
            troubles.append(f"boot {number}: {done.trouble}")
            console = trial.directory / f"console-{number}.log"
            print(f"== {console}\n{tail(console, SHOWN_LINES)}", flush=True)
        results = guest.shared / "results.jsonl"
        text = results.read_text(encoding="utf-8") if results.exists() else ""
        report = judge(trial.system.name, text, troubles, time.monotonic() - began)
        if done.trouble or not report.installed:
            break
    (trial.directory / machine.DISK).unlink()
    return report
