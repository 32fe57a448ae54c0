"""What the analyzer's memory is after a million requests from ten thousand processes."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from analyzer.imds import IMDS_IPV4, IMDS_PORT
from analyzer.lab.namespace import LabNamespace
from bench.compiled import compile_program
from bench.figure import CannotMeasureError, Row, show, show_table
from bench.load import open_discard
from bench.observed import ObservedAnalyzer
from tests.live.crowd import compile_crowd, crowd

REQUESTS = 1_000_000
PROCESSES = 10_000
# Requests a second in all: well below what is kept without a loss, as memory is the question.
RATE = 6_000
AT_ONCE = 20
PATH = "/latest/meta-data/iam/security-credentials/web"
LOOK_EVERY_S = 1.0
SHOWN = 10

_REQUEST = b'"event":"imds_request"'
_NUMBER = re.compile(rb'"url":\{"path":"' + PATH.encode() + rb'/(\d+)"')


class Size(NamedTuple):
    """Resident bytes at a time."""

    at_s: float
    rss_bytes: int


class _Weighing(threading.Thread):
    """Looks at a process's memory now and then, until it is told to stop."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.sizes: list[Size] = []
        self._process = psutil.Process(pid)
        self._began = time.monotonic()
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            self.weigh()
            self._over.wait(LOOK_EVERY_S)

    def weigh(self) -> None:
        at_s = time.monotonic() - self._began
        self.sizes.append(Size(at_s, self._process.memory_info().rss))

    def stop(self) -> list[Size]:
        self._over.set()
        self.join()
        self.weigh()
        return self.sizes


class _Tally(threading.Thread):
    """Reads the log from a pipe and counts: a million lines are gigabytes on a disk."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.by_caller = Counter[bytes]()
        self.bytes = 0
        self.others: list[dict[str, Any]] = []
        os.mkfifo(path)
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # before there is a writer
        os.set_blocking(self._fd, True)

    def run(self) -> None:
        with os.fdopen(self._fd, "rb") as log:
            for line in log:
                self.bytes += len(line)
                number = _NUMBER.search(line)
                if number is not None:
                    self.by_caller[number[1]] += 1
                elif _REQUEST not in line:
                    self.others.append(json.loads(line))


def main(argv: Sequence[str]) -> None:
    """Have the crowd call while the analyzer is weighed, then count what it wrote."""
    parser = argparse.ArgumentParser(prog="python -m bench million", description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--rate", type=int, default=RATE, help="requests a second in all")
    parser.add_argument("--probe", default="core/auto")
    given = parser.parse_args(argv)
    each = given.requests // given.processes
    with (
        tempfile.TemporaryDirectory(prefix="imds-bench-") as name,
        LabNamespace() as namespace,
    ):
        directory = Path(name)
        discard = compile_program("discard", directory)
        tally = _Tally(directory / "imds.jsonl")
        try:
            program = compile_crowd(directory)
        except (subprocess.CalledProcessError, OSError) as error:
            raise CannotMeasureError(
                f"the crowd of callers was not compiled: {error}. It needs cc and the C library's "
                "static half: apt-get install gcc libc6-dev"
            ) from error
        with (
            open_discard(namespace, discard, IMDS_IPV4, IMDS_PORT),
            ObservedAnalyzer(directory, given.probe) as analyzer,
        ):
            tally.start()
            weighing = _Weighing(analyzer.pid)
            weighing.start()
            began = time.monotonic()
            with crowd(
                program,
                namespace,
                PATH,
                given.processes,
                at_once=AT_ONCE,
                requests=each,
                rate=max(1, given.rate // AT_ONCE),
            ):
                took_s = time.monotonic() - began
            sizes = weighing.stop()
            analyzer.drain()
            tally.join()
    (stopped,) = (line for line in tally.others if line["event"] == "analyzer_stopped")
    recorded = sum(tally.by_caller.values())
    sent = each * given.processes
    show(
        "million",
        f"Memory: {sent} requests from {given.processes} processes, {stopped['observer']['probe']}",
        [
            Row("sent", f"{sent} in {took_s:.0f} s ({sent / took_s:.0f}/s)"),
            Row("recorded", f"{recorded} from {len(tally.by_caller)} processes"),
            Row("reported lost", f"{stopped['lost']}", "0"),
            Row("neither", f"{sent - recorded - stopped['lost']}", "0"),
            Row("resident before", f"{sizes[0].rss_bytes / 1e6:.1f} MB"),
            Row("resident at most", f"{max(size.rss_bytes for size in sizes) / 1e6:.1f} MB"),
            Row("resident afterwards", f"{sizes[-1].rss_bytes / 1e6:.1f} MB"),
            Row("longest queue", f"{stopped['queue_high_water']} events"),
            Row("CPU of the analyzer", f"{stopped['cpu_s']:.0f} s"),
            Row("log", f"{tally.bytes / 1e6:.0f} MB"),
        ],
        argv,
    )
    step = max(1, len(sizes) // SHOWN)
    show_table(
        ("after, s", "resident, MB"),
        [(f"{size.at_s:.0f}", f"{size.rss_bytes / 1e6:.1f}") for size in sizes[::step]],
    )
