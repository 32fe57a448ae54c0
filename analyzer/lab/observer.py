"""Runs the analyzer as a child, the way an operator runs it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Callable, Optional

import analyzer
from analyzer.errors import LabError
from analyzer.lab.child_setup import tied_to_caller
from analyzer.lab.interpreter import running

# With BCC a probe is compiled at start: 121 s were measured in an emulated machine, and more
# than 300 s in one of several on the same two cores.
_READY_TIMEOUT_S = 900
_DRAIN_TIMEOUT_S = 60
_POLL_S = 0.02

Pause = Callable[[], None]


def pause_a_moment() -> None:
    """Wait before looking again. A caller may put a Pause of its own that raises."""
    time.sleep(_POLL_S)


class ObserverProcess:
    """Run ``imds-analyzer run`` until the context is left.

    Raises LabError with the analyzer's own words where it cannot attach.
    """

    def __init__(
        self,
        log_file: Path,
        directory: Path,
        options: Sequence[str] = (),
        *,
        prefix: Sequence[str] = (),
        pause: Pause = pause_a_moment,
    ) -> None:
        """Take the log to write, a directory for its other files, and further options.

        ``prefix`` is a command that becomes the one behind it, such as one that enters a namespace.
        """
        self._pause = pause
        self._ready_file = directory / "ready"
        self._messages = directory / "messages"
        self._argv = [
            *prefix,
            *running("analyzer"),
            "run",
            *("--log-file", str(log_file.absolute()), "--ready-file", str(self._ready_file)),
            *("--rotation", "external"),
            *options,
        ]
        self._child: Optional[subprocess.Popen[bytes]] = None

    def __enter__(self) -> ObserverProcess:
        """Start it, and return once its probe is attached."""
        with self._messages.open("wb") as messages:
            self._child = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=messages,
                stderr=subprocess.STDOUT,
                # `-m` looks in the working directory first: let that be where this very package is.
                cwd=Path(analyzer.__file__).parent.parent,
                preexec_fn=tied_to_caller(),  # noqa: PLW1509 - two system calls, no lock
                start_new_session=True,  # Ctrl-C reaches only us, and we end it in order
            )
        try:
            self._wait_until_ready(self._child)
        except BaseException:
            self._end(self._child)
            raise
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """End it, whatever it was doing."""
        if self._child is not None:
            self._end(self._child)

    def check(self) -> None:
        """Raise LabError when it has ended by itself."""
        if self._child is not None and self._child.poll() is not None:
            raise LabError(
                f"the analyzer ended with exit code {self._child.returncode}:\n{self._said()}"
            )

    def drain(self) -> None:
        """Have it write what it still holds, and wait for its end. Raises LabError."""
        self.check()
        if self._child is not None and self._end(self._child) != 0:
            raise LabError(
                f"the analyzer ended with exit code {self._child.returncode}:\n{self._said()}"
            )
        self._child = None

    def _wait_until_ready(self, child: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while not self._ready_file.exists():
            if child.poll() is not None:
                raise LabError(f"the analyzer could not start:\n{self._said()}")
            if time.monotonic() > deadline:
                raise LabError(
                    f"the analyzer did not attach within {_READY_TIMEOUT_S} s:\n{self._said()}"
                )
            self._pause()

    def _end(self, child: subprocess.Popen[bytes]) -> int:
        if child.poll() is None:
            child.terminate()
        try:
            return child.wait(_DRAIN_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()

    def _said(self) -> str:
        said = self._messages.read_text("utf-8", "backslashreplace").strip()
        return said.removeprefix("imds-analyzer: ") or "it said nothing"
