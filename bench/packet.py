"""Requests at a rate, seen in packets: none lost, by what the kernel counts, and who was named."""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.figure import Row, counted, show
from bench.load import open_load
from bench.observed import ObservedAnalyzer

RATE = 5_000
SECONDS = 10.0
PROCESSES = 4
PROBE = "packet/auto"


def main(argv: Sequence[str]) -> None:
    """Send at a rate, each request answered, and compare with what was recorded."""
    parser = argparse.ArgumentParser(prog="python -m bench packet", description=__doc__)
    parser.add_argument("--rate", type=int, default=RATE, help="requests a second")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--processes", type=int, default=PROCESSES)
    given = parser.parse_args(argv)
    with (
        tempfile.TemporaryDirectory(prefix="imds-bench-") as directory,
        open_load(Path(directory), answers=True) as load,
        ObservedAnalyzer(Path(directory), PROBE, prefix=load.prefix) as analyzer,
    ):
        before_s = analyzer.cpu_s()
        sent = load.send(given.rate, given.seconds, given.processes)
        drain_s = analyzer.drain()
        requests = list(analyzer.lines("imds_request"))
        dropped = sum(line["count"] for line in analyzer.lines("events_lost"))
        (stopped,) = analyzer.lines("analyzer_stopped")
    outcomes = Counter(line["imds"].get("outcome", "none") for line in requests)
    callers = Counter(
        "nobody" if "process" not in line
        else "right" if line["process"]["pid"] in sent.pids
        else "wrong"
        for line in requests
    )  # fmt: skip
    cpu_s = stopped["cpu_s"] - before_s
    show(
        "packet",
        f"Packets: {given.rate} requests a second for {sent.seconds:.1f} s from "
        f"{given.processes} process(es), each answered",
        [
            Row("sent", f"{sent.requests} ({sent.requests / sent.seconds:.0f}/s)"),
            Row("recorded", f"{len(requests)}", f"{sent.requests}"),
            Row("packets the kernel dropped", f"{dropped}", "0"),
            Row("with the outcome", counted(outcomes)),
            Row("named", counted(callers), "0 wrong"),
            Row("CPU of the analyzer", f"{cpu_s:.2f} s, {cpu_s * 1e6 / len(requests):.1f} us each"),
            Row("draining at the end", f"{drain_s:.2f} s"),
            Row("generator at most late by", f"{sent.behind} requests"),
        ],
        argv,
    )
