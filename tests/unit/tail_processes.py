"""``imds-analyzer tail`` and a writer as real processes, for the tests of following."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests import signals
from tests.unit.asleep import wait_until_asleep
from tests.unit.log_files import DEADLINE_S, eventually


@contextlib.contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """End a process with the block, whatever became of it."""
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait(DEADLINE_S)


def writing(
    path: Path, *, rotate_bytes: int, first: int = 0, end: int = 0
) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    numbers = [str(each) for each in (rotate_bytes, first, end)]
    command = [sys.executable, "-m", "tests.unit.tail_writer", str(path), *numbers]
    return ended(subprocess.Popen(command))


class Tail:
    """A running tail, with what it has written so far in a file."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self._out = directory / "tail.out"
        self._err = directory / "tail.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [*signals.HEEDED, sys.executable, "-m", "analyzer", "tail", *arguments],
                stdout=out,
                stderr=err,
            )

    @property
    def out(self) -> str:
        return self._out.read_text("utf-8")

    @property
    def err(self) -> str:
        return self._err.read_text("utf-8")

    def numbers(self) -> list[int]:
        """Return the number of each line that is shown whole."""
        raw = self._out.read_bytes()
        lines = raw[: raw.rfind(b"\n") + 1].splitlines()
        return [json.loads(line)["n"] for line in lines if b'"n"' in line]

    def has_shown(self, number: int) -> None:
        """Wait for a line."""
        token = f'"n":{number},'.encode()
        seen = b""

        def is_shown() -> bool:
            nonlocal seen
            seen = seen[-len(token) :] + file.read()  # what has come since the last look
            return token in seen

        with self._out.open("rb") as file:
            eventually(f"line {number} is shown", is_shown)

    def has_read(self, path: Path) -> None:
        """Wait until it has a file open, and waits for more."""
        wait_until_asleep(self.process.pid, f"{path} is read", lambda: self._has_open(path))

    def _has_open(self, path: Path) -> bool:
        with contextlib.suppress(FileNotFoundError):  # what it has open may be closed meanwhile
            files = Path(f"/proc/{self.process.pid}/fd").iterdir()
            return any(each.readlink() == path for each in files)
        return False

    def end(self) -> int:
        """Interrupt it as Ctrl-C does, and return its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(DEADLINE_S)


@contextlib.contextmanager
def tailing(directory: Path, *arguments: str) -> Iterator[Tail]:
    tail = Tail(directory, *arguments)
    with ended(tail.process):
        yield tail
