"""Runs the lab of accounts: makes them, has them audited, and has the report join them with logs.

The audit and the report are the program's own commands, in processes of their own. They reach
moto's server on loopback and nothing else.
"""

from __future__ import annotations

import contextlib
import datetime
import gc
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Callable, NamedTuple

import analyzer
from analyzer.errors import LabError
from analyzer.lab.account.cloud import ROLE, Cloud, users_settings_put_aside
from analyzer.lab.account.expected import expected
from analyzer.lab.account.filling import Counts, count, fill
from analyzer.lab.account.history import counts, history, write
from analyzer.lab.account.recording import Line, record
from analyzer.lab.account.story import MACHINES, REGIONS
from analyzer.lab.child_setup import tied_to_caller
from analyzer.lab.interpreter import running
from analyzer.lab.observer import Pause
from analyzer.lab.programs import write_programs

_END_S = 10

Say = Callable[[str], None]


class Files(NamedTuple):
    """The files of one run, all in one directory that is kept."""

    logs: Path
    snapshot: Path
    page: Path

    @classmethod
    def of(cls, directory: Path) -> Files:
        """Return their paths, and make the directory of the logs. Raises LabError."""
        logs = directory / "logs"
        try:
            logs.mkdir(parents=True)
        except OSError as error:
            raise LabError(
                f"the directory {directory} cannot be made: {error.strerror}. Name another with"
                " --output DIRECTORY"
            ) from error
        return cls(logs, directory / "account.json.gz", directory / "report.html")


def refuse_used(directory: Path) -> None:
    """Raise LabError unless a directory is empty, or not there."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise LabError(
            f"{directory} is not an empty directory, and nothing in it is overwritten. Remove"
            " it, or name another with --output DIRECTORY"
        )


def show(directory: Path, say: Say, pause: Pause) -> None:
    """Make the accounts and the logs in ``directory``, and print audit and report.

    Raises LabError; then what was begun is ended, and the directory has what there was.
    """
    refuse_used(directory)  # before moto is imported, which takes a second
    # Cloud says first if moto is missing.
    with _nothing_collected(), users_settings_put_aside(), Cloud() as cloud:
        files = Files.of(directory)
        lines = _recorded(say, pause)
        now = datetime.datetime.now(datetime.timezone.utc)
        say("Making two accounts with three Regions in moto's server on loopback ...")
        with cloud.in_use():
            made = fill(cloud, now)
        logged: dict[str, Counts] = {}
        for machine in MACHINES:
            if machine.calls is not None:
                log = history(machine, made.instances[machine.name], lines, now)
                write(log, files.logs / f"{machine.name}.jsonl")
                logged[machine.name] = counts(log)
        say(
            f"Logs of {len(logged)} instances are written. Their lines of the last minute are the"
            " run's; those of earlier days are generated from them."
        )
        with cloud.in_use():
            count(cloud, made, logged, now)
        environment = {**os.environ, **cloud.environment}
        regions = [word for region in REGIONS for word in ("--region", region)]
        command = ("audit", "--organization-role", ROLE, *regions, "--output", str(files.snapshot))
        _run(command, environment, say, pause)
    joined = ("report", "--account", str(files.snapshot), str(files.logs))
    _run(joined, environment, say, pause)
    page = ("--format", "html", "--output", str(files.page))
    _run((*joined, *page), environment, say, pause)
    say(f"\nThe page: {files.page}\nMore: imds-analyzer {' '.join(joined)} --hosts --steps")


@contextlib.contextmanager
def _nothing_collected() -> Iterator[None]:
    """Look for no garbage meanwhile: what moto loads stays to the end, and a look takes 0.8 s."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # or Python would look through it at the end of the process
        if was_enabled:
            gc.enable()


def _recorded(say: Say, pause: Pause) -> Sequence[Line]:
    """Return the request lines of one run of the lab's programs."""
    with tempfile.TemporaryDirectory(prefix="imds-lab-") as name:
        directory = Path(name)
        say("Recording real programs that call an emulated IMDS ...")
        try:
            recording = record(directory, pause)
        except LabError as error:
            say(f"Not recorded here: {error}.")
            say("The logs are generated from the table of the lab's programs instead.")
            programs = write_programs(directory)
            return expected(programs, datetime.datetime.now(datetime.timezone.utc))
    if recording.wrong:  # a defect, which generated lines would hide
        raise LabError(
            f"the log does not have what these programs sent: {', '.join(recording.wrong)}."
            " `imds-analyzer lab` shows the difference"
        )
    return recording.lines


def _run(words: Sequence[str], environment: Mapping[str, str], say: Say, pause: Pause) -> None:
    """Run a command of this program to its end. Raises LabError if it fails."""
    say(f"\n$ imds-analyzer {' '.join(words)}\n")
    child = subprocess.Popen(
        [*running("analyzer"), *words],
        stdin=subprocess.DEVNULL,
        env=dict(environment),
        # `-m` looks in the working directory first: let that be where this very package is.
        cwd=Path(analyzer.__file__).parent.parent,
        preexec_fn=tied_to_caller(),  # noqa: PLW1509 - two system calls, no lock
        start_new_session=True,  # Ctrl-C reaches only us, and we end it in order
    )
    try:
        while child.poll() is None:
            pause()
    finally:
        _end(child)
    if child.returncode != 0:
        raise LabError(f"`imds-analyzer {words[0]}` ended with exit code {child.returncode}")


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(_END_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
