"""Answers for ``python -m analyzer.service_plan`` in forks of a process that has imported it.

install.sh asks some eight times in a run, and a start of Python takes longer than the answer. The
fork has the environment, the working directory and the files of the program that asks.
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
from collections.abc import Iterator
from pathlib import Path

from analyzer.config import file as config_file
from analyzer.service_plan import stages, whole

# Where the fakes find it. tests/packaging starts real processes.
VARIABLE = "IMDS_ANALYZER_TEST_PLANNER"
# Imported before the forks; runpy executes the modules that are named once more.
PRELOADED = (config_file, stages, whole)
# A function of the fakes: it ends as the module does. Others than this user start it themselves.
ASK = """ask() { # MODULE WORD...
    place=$IMDS_ANALYZER_TEST_PLANNER
    [ -w "$place/requests" ] || exec {python} -I -m "$@"
    printf '%s\\n' "$@" >"$place/words"
    # In a shell of its own: this one's output must stay where it is.
    (echo $$ >"$place/requests")
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


def _answer(place: Path, asking: int) -> None:
    module, *words = (place / "words").read_text(encoding="utf-8").split("\n")[:-1]
    fork = os.fork()
    if fork == 0:
        status = 1
        try:
            status = _run(asking, module, words)
        finally:
            os._exit(status)
    _, ended = os.waitpid(fork, 0)
    _tell(place / "answers", asking, os.waitstatus_to_exitcode(ended))


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


def _run(asking: int, module: str, words: list[str]) -> int:
    """Run a module as that process would; returns its exit code."""
    process = Path(f"/proc/{asking}")
    variables = (process / "environ").read_bytes().split(b"\0")[:-1]
    os.environb.clear()
    for variable in variables:
        name, _, value = variable.partition(b"=")
        os.environb[name] = value
    os.chdir(process / "cwd")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for output in (1, 2):
        os.dup2(os.open(process / "fd" / str(output), os.O_WRONLY | os.O_APPEND), output)
    sys.argv[1:] = words
    sys.modules.pop(module, None)
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 (it is the process's last)
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
