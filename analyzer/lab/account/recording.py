"""Records the lab's real programs, and returns the request lines that the recorder wrote."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from analyzer.lab.exercise import Exercise
from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from analyzer.lab.observed_calls import LogTail
from analyzer.lab.observer import ObserverProcess, Pause
from analyzer.lab.programs import write_programs
from analyzer.logline.events import REQUEST

Line = Mapping[str, Any]


class Recording(NamedTuple):
    """The request lines of one run. ``wrong`` are programs whose requests the log lacks."""

    lines: tuple[Line, ...]
    wrong: tuple[str, ...]


def record(directory: Path, pause: Pause) -> Recording:
    """Run the programs against the emulated IMDS under a recorder.

    Raises LabError where that cannot be done here.
    """
    log = directory / "recorded.jsonl"
    with ExitStack() as stack:
        namespace = stack.enter_context(LabNamespace())
        stack.enter_context(ImdsProcess(namespace))
        observer = stack.enter_context(
            ObserverProcess(log, directory, prefix=namespace.command([]), pause=pause)
        )
        exercise = Exercise(namespace, observer, LogTail(log), directory, pause=pause)
        for _ in exercise.run(write_programs(directory)):
            pass
        observer.drain()
        for _ in exercise.catch_up():
            pass
        wrong = tuple(each.program.name for each in exercise.outcomes() if not each.is_right)
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    ours = tuple(line for line in lines if line["event"] == REQUEST and _is_ours(line))
    return Recording(ours, wrong)


def _is_ours(line: Line) -> bool:
    """Tell whether a program of this process called. The probe sees the whole host."""
    ancestors = line.get("process", {}).get("ancestors", ())
    return os.getpid() in {each["pid"] for each in ancestors}
