"""What keeping the programs of ancestors adds to a fork and an exec."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from analyzer.recorder.attribute.processes import Processes
from analyzer.recorder.attribute.programs import Programs
from analyzer.recorder.sources import Source
from analyzer.recorder.sources.probe.programs import ANCESTRY
from analyzer.recorder.sources.selection import open_source
from bench.compiled import compile_program
from bench.figure import CannotMeasureError, Row, show
from bench.programs import NAME_MAX, run_time_statistics, run_times

TIMES = 5000
ROUNDS = 5
RING_BYTES = 4 << 20
WORKLOADS = {"fork, exec of /bin/true, wait": (), "fork, wait": ("-",)}
# Processes beside what runs anyway; every second one has a child.
SURVEYED = (0, 500, 5000)


def main(argv: Sequence[str]) -> None:
    """Alternate between with and without, so that a slower minute meets both."""
    parser = argparse.ArgumentParser(prog="python -m bench execs", description=__doc__)
    parser.add_argument("--times", type=int, default=TIMES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args(argv)
    rows = []
    with tempfile.TemporaryDirectory(prefix="imds-bench-") as directory:
        program = compile_program("execs", Path(directory))
        for name, options in WORKLOADS.items():
            rows += _compare(name, [program, str(given.times), *options], given.rounds)
        rows += _programs([program, str(given.times)])
        rows += [_survey(program, processes) for processes in SURVEYED]
    show("execs", f"Fork and exec, {given.times} times each, {given.rounds} rounds", rows, argv)


def _compare(name: str, command: Sequence[str], rounds: int) -> list[Row]:
    found: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(rounds):
        for is_attached, measured in found.items():
            source = _open() if is_attached else None
            try:
                measured.append(_run(command)["wall_ns"] / 1000)
            finally:
                if source is not None:
                    source.close()
    without, with_us = (statistics.median(found[each]) for each in (False, True))
    least = min(found[True]) - min(found[False])
    return [
        Row(f"{name}, without", f"{without:.1f} us"),
        Row(
            f"{name}, with",
            f"{with_us:.1f} us ({with_us / without - 1:+.1%}; best of each: {least:+.2f} us)",
        ),
    ]


def _programs(command: Sequence[str]) -> list[Row]:
    """Have the kernel time the programs themselves."""
    source = _open()
    try:
        with run_time_statistics():
            before = run_times(os.getpid())
            _run(command)
            after = run_times(os.getpid())
    finally:
        source.close()
    rows = []
    for number, ran in after.items():
        runs = ran.runs - before[number].runs if number in before else 0
        if runs and ran.name in {name[:NAME_MAX] for name in ANCESTRY}:
            each_ns = (ran.ns - before[number].ns) / runs
            rows.append(Row(f"program {ran.name}", f"{each_ns:.0f} ns, {runs} times"))
    return rows


def _survey(program: str, processes: int) -> Row:
    """Measure what the analyzer does once, behind its start."""
    with _crowd(program, processes // 2):
        programs = Programs(Processes())
        began_s, cpu_s = time.monotonic(), time.process_time()
        while not programs.survey(1.0):
            pass
        wall_s, cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
    value = f"{wall_s * 1000:.0f} ms, {cpu_s * 1000:.0f} ms of CPU"
    return Row(f"survey of /proc, {processes} more processes", value)


@contextlib.contextmanager
def _crowd(program: str, pairs: int) -> Iterator[None]:
    """Keep so many processes with a child each."""
    with subprocess.Popen(
        [program, "-", str(pairs)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as leader:
        if leader.stdout is None or not leader.stdout.readline():
            raise CannotMeasureError(f"{2 * pairs} processes could not be started")
        # Its input ends with the block, and with us.
        yield


def _open() -> Source:
    return open_source("core", "auto", RING_BYTES).source


def _run(command: Sequence[str]) -> dict[str, float]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotMeasureError(f"{command[0]} ended with exit code {done.returncode}")
    found: dict[str, float] = json.loads(done.stdout)
    return found
