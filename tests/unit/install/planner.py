"""Answers for ``python -m analyzer.service_plan`` in a process that has imported it.

install.sh asks some eight times in a run, and a start of Python, even a fork of one, takes longer
than the answer. The process has the environment, the working directory and the outputs of the
program that asks while it answers.
"""

from __future__ import annotations

import contextlib
import errno
import os
import runpy
import selectors
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple
from unittest import mock

from analyzer.config import file as config_file
from analyzer.service_plan import stages, whole

# Where the fakes find it. tests/packaging starts real processes.
VARIABLE = "IMDS_ANALYZER_TEST_PLANNER"
# Imported beforehand; runpy executes the modules that are named once more.
PRELOADED = (config_file, stages, whole)
# Standard output and error, and where the program that asks has them: see ASK.
OUTPUTS, THEIRS = (1, 2), ("3", "2")
# A function of the fakes: it ends as the module does. Others than this user start it themselves.
ASK = """ask() { # MODULE WORD...
    place=$IMDS_ANALYZER_TEST_PLANNER
    [ -w "$place/requests" ] || exec {python} -I -m "$@"
    printf '%s\\n' "$@" >"$place/words"
    # A copy: this shell's output is another file while it writes the request.
    exec 3>&1
    echo $$ >"$place/requests"
    read -r status <"$place/answers"
    exit "$status"
}
"""


@contextlib.contextmanager
def planner(place: Path) -> Iterator[None]:
    """Run it, with its named pipes in a directory. It answers one program after another."""
    for name in ("requests", "answers"):
        os.mkfifo(place / name, 0o600)
    command = [sys.executable, "-m", __name__, str(place)]
    # It ends with its standard input, and so with these tests.
    with subprocess.Popen(command, cwd=Path(__file__).parents[3], stdin=subprocess.PIPE) as process:
        os.environ[VARIABLE] = str(place)
        try:
            yield
        finally:
            del os.environ[VARIABLE]
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait() == 0


def serve(place: Path) -> None:
    """Answer until standard input ends."""
    # Open for both, so that it does not end when nobody asks.
    with (
        open(place / "requests", "r+b", buffering=0) as requests,  # noqa: PTH123 (unbuffered)
        selectors.DefaultSelector() as selector,
    ):
        selector.register(requests, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if sys.stdin in ready:
                return
            _answer(place, int(requests.readline()))


class _Process(NamedTuple):
    """What an answer takes from the program that asks; descriptors, to be closed."""

    environment: dict[bytes, bytes]
    directory: int
    outputs: tuple[int, ...]


def _answer(place: Path, asking: int) -> None:
    module, *words = (place / "words").read_text(encoding="utf-8").split("\n")[:-1]
    try:
        process = _process(Path(f"/proc/{asking}"))
    except (FileNotFoundError, ProcessLookupError):
        return  # killed meanwhile
    with _in_place_of(process), mock.patch("sys.argv", ["", *words]):
        status = _run(module)
    _tell(place / "answers", asking, status)


def _tell(answers: Path, asking: int, status: int) -> None:
    """Tell the program that waits. One that has ended meanwhile must not hold up the next."""
    while Path(f"/proc/{asking}").exists():
        try:
            descriptor = os.open(answers, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:  # nobody reads yet
                raise
            time.sleep(0.001)
            continue
        with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "w") as file:
            file.write(f"{status}\n")
        return


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
    serve(Path(sys.argv[1]))
