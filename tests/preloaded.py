"""Runs Python programs, one after another, in a process that has imported what they need.

A shell asks for them, and a start of Python, even a fork of one, takes longer than most answers.
The process has the environment, the working directory and the outputs of the program that asks
while it answers. One program at a time may ask.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import runpy
import selectors
import subprocess
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple
from unittest import mock

# Standard output and error, and where the program that asks has them: see _ASK.
OUTPUTS, THEIRS = (1, 2), ("3", "2")
# A function for shells: it ends as the module does. Others than this user start it themselves.
_ASK = """ask() { # MODULE WORD...
    place={place}
    [ -w "$place/requests" ] || exec {python} -I -m "$@"
    printf '%s\\0' "$@" >"$place/words"
    # A copy: this shell's output is another file while it writes the request.
    exec 3>&1
    echo $$ >"$place/requests"
    # One that was killed has left its answer.
    while read -r asked status && [ "$asked" != $$ ]; do :; done <"$place/answers"
    exit "$status"
}
"""


def ask(place: str) -> str:
    """Return a function for shells; ``place`` is the directory, or a variable that holds it."""
    return _ASK.replace("{place}", place).replace("{python}", sys.executable)


@contextlib.contextmanager
def preloaded(place: Path, *modules: str) -> Iterator[None]:
    """Run a process that imports these, and answers in a directory; see ``ask``."""
    for name in ("requests", "answers"):
        os.mkfifo(place / name, 0o600)
    command = [sys.executable, "-m", __name__, str(place), *modules]
    # It ends with its standard input, and so with these tests.
    with subprocess.Popen(command, cwd=Path(__file__).parents[1], stdin=subprocess.PIPE) as process:
        try:
            yield
        finally:
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait() == 0


def serve(place: Path, modules: Iterable[str]) -> None:
    """Answer until standard input ends."""
    gc.disable()  # what is imported stays
    for module in modules:
        importlib.import_module(module)
    gc.freeze()
    gc.enable()
    # Open for both, so that neither ends when nobody asks.
    with (
        open(place / "requests", "r+b", buffering=0) as requests,  # noqa: PTH123 (unbuffered)
        open(place / "answers", "r+b", buffering=0) as answers,  # noqa: PTH123 (unbuffered)
        selectors.DefaultSelector() as selector,
    ):
        selector.register(requests, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if sys.stdin in ready:
                return
            asking = int(requests.readline())
            answers.write(f"{asking} {_answer(place, asking)}\n".encode())


class _Process(NamedTuple):
    """What an answer takes from the program that asks; descriptors, to be closed."""

    environment: dict[bytes, bytes]
    directory: int
    outputs: tuple[int, ...]


def _answer(place: Path, asking: int) -> int:
    module, *words = (place / "words").read_text(encoding="utf-8").split("\0")[:-1]
    try:
        process = _process(Path(f"/proc/{asking}"))
    except (FileNotFoundError, ProcessLookupError):
        return 1  # killed meanwhile
    with _in_place_of(process), mock.patch("sys.argv", ["", *words]):
        return _run(module)


def _process(place: Path) -> _Process:
    variables = (place / "environ").read_bytes().split(b"\0")[:-1]
    return _Process(
        dict(variable.split(b"=", 1) for variable in variables),
        os.open(place / "cwd", os.O_PATH),
        tuple(os.open(place / "fd" / name, os.O_WRONLY | os.O_APPEND) for name in THEIRS),
    )


@contextlib.contextmanager
def _in_place_of(process: _Process) -> Iterator[None]:
    """Have the environment, the working directory and the outputs of a process meanwhile."""
    own = tuple(os.dup(output) for output in OUTPUTS)
    streams = sys.stdout, sys.stderr
    os.fchdir(process.directory)
    _put(process.outputs)
    os.close(process.directory)
    # New ones: what could not be written to a program that has ended is not for the next.
    sys.stdout, sys.stderr = map(_text_file, OUTPUTS)
    try:
        with mock.patch.dict(os.environb, process.environment, clear=True):
            yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        sys.stdout, sys.stderr = streams
        os.chdir("/")
        _put(own)


def _text_file(descriptor: int) -> IO[str]:
    return open(descriptor, "w", encoding="utf-8", closefd=False)


def _put(descriptors: Iterable[int]) -> None:
    """Put these in place of the outputs."""
    for output, descriptor in zip(OUTPUTS, descriptors):
        os.dup2(descriptor, output)
        os.close(descriptor)


def _run(module: str) -> int:
    """Run a module as a program; returns its exit code."""
    if not hasattr(sys.modules.get(module), "__path__"):  # else its __main__ runs
        sys.modules.pop(module, None)
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 (as at the end of a process)
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2:])
