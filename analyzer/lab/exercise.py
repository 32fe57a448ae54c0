"""Runs the programs one after another, and compares what they sent with the log."""

from __future__ import annotations

import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from analyzer.errors import LabError
from analyzer.lab.namespace import LabNamespace
from analyzer.lab.observed_calls import LogTail, ObservedCall
from analyzer.lab.observer import ObserverProcess, Pause, pause_a_moment
from analyzer.lab.programs import Call, LabProgram, maybe_why_skipped, program_environment

_PROGRAM_TIMEOUT_S = 120  # each gives up by itself after 30 s without an answer
_LOG_TIMEOUT_S = 60  # lines follow within a second; an emulated machine is 30 times slower


class ProgramOutcome(NamedTuple):
    """The result of one program. ``skipped`` says why it was not run."""

    program: LabProgram
    skipped: Optional[str]
    exit_code: Optional[int]
    calls: tuple[ObservedCall, ...]

    @property
    def missing(self) -> Counter[Call]:
        """Requests that the program sends and the log does not name."""
        if self.skipped is not None:
            return Counter()
        return Counter(self.program.expected) - Counter(each.call for each in self.calls)

    @property
    def surplus(self) -> Counter[Call]:
        """Requests that the log names and the program does not send."""
        return Counter(each.call for each in self.calls) - Counter(self.program.expected)

    @property
    def misnamed(self) -> tuple[str, ...]:
        """Names the log has for the sending process, other than its own."""
        names = {each.actors[0].name for each in self.calls}
        return tuple(sorted(names - {self.program.caller}))

    @property
    def is_right(self) -> bool:
        """True if the log names exactly the requests that the program sent."""
        return not (self.missing or self.surplus or self.misnamed)


class Exercise:
    """Run programs in a namespace under an attached analyzer."""

    def __init__(
        self,
        namespace: LabNamespace,
        observer: ObserverProcess,
        tail: LogTail,
        directory: Path,
        *,
        pause: Pause = pause_a_moment,
    ) -> None:
        """Take an open namespace, a running analyzer, its log and the programs' directory."""
        self._namespace = namespace
        self._observer = observer
        self._tail = tail
        self._pause = pause
        self._environment = program_environment(directory)
        self._started: list[
            tuple[LabProgram, Optional[str], Optional[subprocess.Popen[bytes]]]
        ] = []
        self._seen: list[ObservedCall] = []

    def run(self, programs: Sequence[LabProgram]) -> Iterator[ObservedCall]:
        """Run all programs, and yield what the log names until it names all they sent."""
        for program in programs:
            skipped = maybe_why_skipped(program, self._namespace.ipv6_problem)
            if skipped is not None:
                self._started.append((program, skipped, None))
                continue
            child = self._namespace.popen(
                program.argv,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=self._environment,
            )
            self._started.append((program, None, child))
            deadline = time.monotonic() + _PROGRAM_TIMEOUT_S
            while child.poll() is None:
                if time.monotonic() > deadline:
                    raise LabError(f"{program.name} did not end within {_PROGRAM_TIMEOUT_S} s")
                yield from self.watch()
        deadline = time.monotonic() + _LOG_TIMEOUT_S
        while any(each.missing for each in self.outcomes()) and time.monotonic() < deadline:
            yield from self.watch()

    def watch(self) -> Iterator[ObservedCall]:
        """Wait a moment, and yield what was added to the log. Raises LabError."""
        self._observer.check()
        self._pause()
        yield from self.catch_up()

    def catch_up(self) -> Iterator[ObservedCall]:
        """Yield what was added to the log."""
        new = self._tail.read()
        self._seen += new
        yield from new

    def is_ours(self, call: ObservedCall) -> bool:
        """Tell whether the request came from a program that this process started."""
        return os.getpid() in call.pids

    def outcomes(self) -> tuple[ProgramOutcome, ...]:
        """Return what became of each program so far, in the order they were run."""
        return tuple(
            ProgramOutcome(
                program,
                skipped,
                None if child is None else child.poll(),
                tuple(each for each in self._seen if child is not None and child.pid in each.pids),
            )
            for program, skipped, child in self._started
        )
