"""Runs the command line in this process: most commands do less than a start of Python takes.

What a process of its own would have is set for the time of the call and put back afterwards:
arguments, standard streams and their descriptors, working directory, signals. What a test says
of processes (pipes that stay open, signals, memory) still needs a real one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Optional
from unittest import mock

from analyzer.__main__ import main

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def command_line(
    *arguments: str, standard_input: bytes = b"", directory: Optional[Path] = None
) -> subprocess.CompletedProcess[bytes]:
    """Run ``imds-analyzer`` with these arguments; standard input is a pipe with these bytes."""
    with contextlib.ExitStack() as stack:
        said = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(2)]
        stack.enter_context(_in_directory(directory))
        stack.enter_context(_signals_kept())
        stack.enter_context(_streams(standard_input, *said))
        stack.enter_context(mock.patch.object(sys, "argv", ["imds-analyzer", *arguments]))
        code = _exit_code()
        sys.stdout.flush()
        sys.stderr.flush()
        output, errors = (_content(file) for file in said)
    return subprocess.CompletedProcess(arguments, code, output, errors)


def _exit_code() -> int:
    """Return what the process would end with; what nobody catches is printed, as Python does."""
    try:
        main()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except Exception:  # noqa: BLE001 (as Python does)
        traceback.print_exc()
        return 1
    return 0


@contextlib.contextmanager
def _streams(standard_input: bytes, *said: IO[bytes]) -> Iterator[None]:
    """Put a pipe in place of standard input, and files in place of output and errors."""
    reading, writing = os.pipe()
    feeder = threading.Thread(target=_feed, args=(writing, standard_input))
    kept = [os.dup(number) for number in range(3)]
    former = sys.stdin, sys.stdout, sys.stderr
    try:
        for number, fd in enumerate((reading, *(file.fileno() for file in said))):
            os.dup2(fd, number)
        os.close(reading)
        feeder.start()
        sys.stdin, sys.stdout, sys.stderr = (
            open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 (a number)
            for number, mode in enumerate("rww")
        )
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = former
        for number, fd in enumerate(kept):
            os.dup2(fd, number)  # the pipe's reading end is gone with this
            os.close(fd)
        feeder.join()


def _feed(fd: int, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), open(fd, "wb") as pipe:
        pipe.write(data)


@contextlib.contextmanager
def _in_directory(directory: Optional[Path]) -> Iterator[None]:
    former = Path.cwd()
    os.chdir(directory or former)
    try:
        yield
    finally:
        os.chdir(former)


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()
