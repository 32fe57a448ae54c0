"""Runs the callers one after the other, each in a network of its own, and prints the table."""

from __future__ import annotations

import fnmatch
import os
import selectors
import shutil
import subprocess
import tempfile
import time
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, NamedTuple, Optional

from rich import box
from rich.console import Console
from rich.table import Table

from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from analyzer.software import finders
from analyzer.software.budget import Budget
from analyzer.software.found import EntryPoint, Found, Library
from analyzer.software.process import subject_of
from tests.vmtest.clients.store import Store
from tests.vmtest.software.callers import Caller
from tests.vmtest.software.installations import PROGRAMS

_READY_S = 60.0
_LOOK_AGAIN_S = 0.05
_WIDTH = 164
# What one caller may cost.
_CPU_S, _MEMORY = 0.05, 10 << 20
_BYTES, _FILES = 64 << 20, 8192
_TRIALS = 3
# A network in which there is nothing but the process itself: whatever it sends, nobody gets.
_ALONE = ("unshare", "--net", "--", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")


class Row(NamedTuple):
    """One caller's answer, with what it cost; ``skipped`` says why there is none."""

    caller: Caller
    answer: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    skipped: str = ""
    cpu_s: float = 0.0
    memory: int = 0

    @property
    def result(self) -> str:
        """Return ``ok``, ``wrong`` or ``skipped``."""
        return "skipped" if self.skipped else "wrong" if self.problems else "ok"


class _Lab(NamedTuple):
    """A network with an IMDS that counts."""

    namespace: LabNamespace
    imds: ImdsProcess

    def asked(self) -> int:
        """Return how many requests it has answered."""
        return sum(self.imds.tally().values())


def run(store: Store, callers: Sequence[Caller]) -> int:
    """Ask all callers, print the table. Return 1 if an answer is wrong. Raises LabError."""
    with LabNamespace() as namespace, ImdsProcess(namespace) as imds:
        lab = _Lab(namespace, imds)
        rows = [_row(store, caller, lab) for caller in callers]
    _show(rows)
    return int(any(row.problems for row in rows))


def _row(store: Store, caller: Caller, lab: _Lab) -> Row:
    if caller.environment is not None and not store.has(caller.name, caller.environment):
        return Row(caller, skipped="not installed")
    for program in caller.packages and caller.argv[:1]:
        if "{" not in program and shutil.which(program, path="/usr/bin:/bin") is None:
            return Row(caller, skipped=f"no {program}")
    with tempfile.TemporaryDirectory(prefix="imds-") as run_directory:
        try:
            places = _places(store, caller, run_directory)
            with _running(caller, places, lab) as pid:
                return _asked(caller, pid, caller.place.format(**places))
        except (OSError, RuntimeError) as error:
            return Row(caller, problems=(str(error),))


def _places(store: Store, caller: Caller, run_directory: str) -> dict[str, str]:
    return {
        "env": str(store.directory(caller.name)),
        "programs": str(PROGRAMS),
        "run": run_directory,
    }


@contextmanager
def _running(caller: Caller, places: Mapping[str, str], lab: _Lab) -> Iterator[int]:
    run_directory = places["run"]
    own = {name: value.format(**places) for name, value in caller.variables}
    cwd = Path(places["env"] if caller.environment else run_directory, caller.cwd)
    cwd.mkdir(exist_ok=True)
    path = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": run_directory}
    argv = [_filled(word, places) for word in caller.argv]
    asked_before = lab.asked()

    def has_called() -> bool:
        return lab.asked() > asked_before

    with subprocess.Popen(
        lab.namespace.command(argv) if caller.is_calling else (*_ALONE, *argv),
        cwd=cwd,
        env={**path, "PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8", **own},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            _wait_for(process, caller.ready.encode(), _maybe_sign(caller, process, has_called))
            if caller.is_calling and not has_called():
                raise RuntimeError("it has not called")
            yield process.pid
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)


def _filled(word: str, places: Mapping[str, str]) -> str:
    """Return a word of a command; one with braces of its own stands as it is."""
    for name, place in places.items():
        word = word.replace(f"{{{name}}}", place)
    return word


def _maybe_sign(
    caller: Caller, process: subprocess.Popen[bytes], has_called: Callable[[], bool]
) -> Optional[Callable[[], bool]]:
    """Return what tells that a program can be asked which prints nothing then."""
    if caller.loads:
        maps = Path(f"/proc/{process.pid}/maps")
        return lambda: caller.loads in maps.read_text(errors="replace")
    return None if caller.ready else has_called


def _wait_for(
    process: subprocess.Popen[bytes], ready: bytes, sign: Optional[Callable[[], bool]]
) -> None:
    assert process.stdout is not None
    said, end_s = b"", time.monotonic() + _READY_S
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not (sign() if sign else ready in said):
            left_s = end_s - time.monotonic()
            if left_s < 0:
                raise RuntimeError(f"not ready: {said[-600:]!r}")
            if selector.select(min(left_s, _LOOK_AGAIN_S) if sign else left_s):
                part = os.read(process.stdout.fileno(), 65536)
                if not part:
                    raise RuntimeError(f"ended: {said[-600:]!r}")
                said += part


def _asked(caller: Caller, pid: int, place: str) -> Row:
    cpu_s, memory, found, lacks = float("inf"), 0, list[Found](), list[str]()
    for trial in range(_TRIALS + 1):
        if trial == _TRIALS:
            tracemalloc.start()
        start_s = time.thread_time()
        budget = Budget(bytes_max=_BYTES, files_max=_FILES, cpu_s=60 if trial == _TRIALS else 1)
        subject = subject_of(pid, budget=budget)
        with subject.root:
            found, lacks = finders.of_process(subject)
        if trial == _TRIALS:
            memory = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        else:
            cpu_s = min(cpu_s, time.thread_time() - start_s)
    answer, places = _answer(found)
    problems = [f"it lacks: {lack}" for lack in lacks]
    wrong = (
        set(caller.answer) - set(answer) if caller.is_shared else set(answer) ^ set(caller.answer)
    )
    if wrong:
        problems.append(f"found {answer}, right is {caller.answer}")
    problems += [f"{path} is not there" for path in places if not _is_there(path)]
    if place and not fnmatch.filter(places, place):
        problems.append(f"the place is not {place}, but {places[:1]}")
    if cpu_s > _CPU_S or memory > _MEMORY:
        problems.append(f"it costs {cpu_s * 1000:.0f} ms and {memory >> 20} MiB")
    return Row(caller, answer, places, tuple(problems), cpu_s=cpu_s, memory=memory)


def _answer(found: Sequence[Found]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    lines, places = [], []
    for each in found:
        if isinstance(each, Library):
            by = f" < {', '.join(each.required_by)}" if each.required_by else ""
            lines.append(f"{each.name} {each.version}{by}")
            places.append(each.path)
        elif isinstance(each, EntryPoint):
            lines.append(f"runs {each.name} {each.version}")
            places.append(each.path)
    return tuple(lines), tuple(places)


def _is_there(place: str) -> bool:
    return os.path.lexists(place.partition("!/")[0])


def _show(rows: Sequence[Row]) -> None:
    table = Table(box=box.HORIZONTALS, title="software of real programs", title_justify="left")
    for heading in ("caller", "found", "at", "CPU ms", "MiB", ""):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(
            row.caller.name,
            f"({row.skipped})" if row.skipped else "\n".join(row.answer) or "nothing",
            row.places[0] if row.places else "",
            f"{row.cpu_s * 1000:.1f}",
            f"{row.memory / (1 << 20):.1f}",
            row.result,
        )
    Console(width=_WIDTH, highlight=False, markup=False).print(table)
    for row in rows:
        for problem in row.problems:
            print(f"{row.caller.name}: {problem}")
    results = [row.result for row in rows]
    print(*(f"{results.count(word)} {word}" for word in ("ok", "wrong", "skipped")), sep=", ")
