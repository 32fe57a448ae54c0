"""What a look at a caller's software costs: CPU and memory, for large and for common programs."""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
import time
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable, NamedTuple

from analyzer.software import finders
from analyzer.software.budget import Budget
from analyzer.software.root import Root
from analyzer.software.subject import Subject
from bench.figure import show, show_table
from tests.unit.software.elf_files import Kind
from tests.unit.software.go_programs import MODULES, program
from tests.unit.software.jars import archive, core, library

TARGET = "at most 50 ms of CPU and 10 MB"
ROUNDS = 5
_LIBRARIES = 300
_LIBRARY_BYTES = 1_000_000
_ENTRIES = 100_000
_PROGRAM_BYTES = 60_000_000
_KIB = 1024
# Nothing is to end early: what it takes is what is measured.
_BYTES_MAX, _FILES_MAX, _CPU_S = 1 << 40, 1 << 30, 3600.0


class Sample(NamedTuple):
    """A program as a finder is told of it."""

    executable: str
    args: tuple[str, ...] = ()
    script: str = ""


class Cost(NamedTuple):
    """What a look took and found; ``cpu_ms`` is the median of the rounds."""

    first_ms: float
    cpu_ms: float
    memory_bytes: int
    read_bytes: int
    found: int


def fat_jar(directory: Path) -> Sample:
    """Make a jar of 300 MB with 300 stored libraries, as Spring Boot does."""
    path = directory / "fat.jar"
    with zipfile.ZipFile(path, "w") as writer:
        for number in range(_LIBRARIES):
            data = library("com.example", f"library{number}", "1.0")
            if number == _LIBRARIES // 2:
                data = core("1.11.500")
            # Before an archive may be anything.
            padded = os.urandom(_LIBRARY_BYTES) + data
            writer.writestr(f"BOOT-INF/lib/library{number}-1.0.jar", padded)
    return Sample("/usr/bin/java", ("java", "-jar", str(path)))


def merged_jar(directory: Path) -> Sample:
    """Make a jar of 100,000 entries, with the SDK among them."""
    path = directory / "merged.jar"
    path.write_bytes(core("1.11.500"))
    with zipfile.ZipFile(path, "a") as writer:
        for number in range(_ENTRIES):
            name = f"com/example/package{number % 997}/inner/SomeClassWithAName{number}.class"
            writer.writestr(zipfile.ZipInfo(name), b"")
    return Sample("/usr/bin/java", ("java", "-jar", str(path)))


def bundled_war(directory: Path) -> Sample:
    """Make a war in an ear, both compressed, of 30 MB."""
    path = directory / "shop.ear"
    lib = {f"WEB-INF/lib/l{number}-1.jar": os.urandom(_LIBRARY_BYTES) for number in range(30)}
    war = archive({**lib, "WEB-INF/lib/aws-java-sdk-core-1.11.500.jar": core("1.11.500")})
    path.write_bytes(archive({"shop.war": war}))
    return Sample("/usr/bin/java", ("java", "-jar", str(path)))


def go_program(directory: Path) -> Sample:
    """Make a Go program of 60 MB; its data lies before the debugging information."""
    return _large_program(directory / "program", has_headers=True)


def go_without_headers(directory: Path) -> Sample:
    """Make the same without section headers."""
    return _large_program(directory / "stripped", has_headers=False)


def _large_program(path: Path, *, has_headers: bool) -> Sample:
    more = "".join(f"dep\texample.com/module{number}\tv1.0.0\th1:x=\n" for number in range(500))
    before = _PROGRAM_BYTES // 8
    data = program(Kind(64, "<"), MODULES + more, before=before, has_headers=has_headers)
    path.write_bytes(data)
    os.truncate(path, _PROGRAM_BYTES)
    return Sample(str(path), (str(path),))


def python_venv(directory: Path) -> Sample:
    """Make a virtual environment of Python with pip in it."""
    venv.create(directory / "venv", symlinks=True, with_pip=True)
    script = directory / "venv/bin/pip"
    python = directory / "venv/bin/python"
    return Sample(str(python.resolve()), (str(python), str(script), "list"), str(script))


SAMPLES: dict[str, Callable[[Path], Sample]] = {
    "fat jar, 300 MB": fat_jar,
    "jar of 100,000 entries": merged_jar,
    "war in an ear, compressed, 30 MB": bundled_war,
    "Go program, 60 MB": go_program,
    "the same without section headers": go_without_headers,
    "Python environment": python_venv,
}


def main(argv: Sequence[str]) -> None:
    """Make each program, have it looked at, and print what that took."""
    parser = argparse.ArgumentParser(prog="python -m bench software", description=__doc__)
    parser.parse_args(argv)
    show("software", f"A look at a caller's software; target: {TARGET}", [], argv)
    with tempfile.TemporaryDirectory(prefix="imds-bench-") as name:
        lines = [_line(what, make(Path(name))) for what, make in SAMPLES.items()]
    show_table(("program", "first, ms", "CPU, ms", "memory, MB", "read, MB", "found"), lines)


def _line(what: str, sample: Sample) -> tuple[str, ...]:
    cost = _measure_apart(sample)
    return (
        what,
        f"{cost.first_ms:.1f}",
        f"{cost.cpu_ms:.1f}",
        f"{cost.memory_bytes / 1e6:.1f}",
        f"{cost.read_bytes / 1e6:.1f}",
        str(cost.found),
    )


def _measure_apart(sample: Sample) -> Cost:
    """Measure in a process of its own, whose memory only grows by the look."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            os.write(writer, json.dumps(_measure(sample)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:  # noqa: PTH123 (a descriptor)
        told: list[Any] = json.loads(pipe.read())
    os.waitpid(child, 0)
    return Cost(*told)


def _measure(sample: Sample) -> Cost:
    for _ in finders.finders():  # their imports are the daemon's, once
        pass
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _memory("VmRSS")
    first_ms, read, found = _look(sample)
    memory = _memory("VmHWM") - before
    times = sorted(_look(sample)[0] for _ in range(ROUNDS))
    return Cost(first_ms, times[ROUNDS // 2], memory, read, found)


def _look(sample: Sample) -> tuple[float, int, int]:
    started = time.thread_time()
    budget = _CountingBudget(bytes_max=_BYTES_MAX, files_max=_FILES_MAX, cpu_s=_CPU_S)
    with Root("/", budget) as root:
        subject = Subject(root, sample.executable, sample.args, script=sample.script)
        found, _ = finders.of_process(subject)
    return (time.thread_time() - started) * 1000, budget.counted, len(found)


class _CountingBudget(Budget):
    """A budget that tells how much was read."""

    counted = 0

    def read(self, size: int) -> None:
        """Count bytes before they are read."""
        self.counted += size
        super().read(size)


def _memory(field: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    match = re.search(rf"{field}:\s+(\d+) kB", status)
    return int(match[1]) * _KIB if match else 0
