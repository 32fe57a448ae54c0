"""What is lost when requests come as fast as the machine can send them."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.figure import Row, show
from bench.load import open_load
from bench.throughput import Outcome, measure

REQUESTS = 20_000
PROCESSES = "1,4"
# All of them are due in the generator's first tick, so it never waits.
AT_ONCE_S = 0.001


def main(argv: Sequence[str]) -> None:
    """Send the flood from one process, then from several, each to an analyzer of its own."""
    parser = argparse.ArgumentParser(prog="python -m bench flood", description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--processes", default=PROCESSES, help="numbers of generators to try")
    parser.add_argument("--probe", default="core/auto")
    given = parser.parse_args(argv)
    with (
        tempfile.TemporaryDirectory(prefix="imds-bench-") as directory,
        open_load(Path(directory)) as load,
    ):
        for number in map(int, given.processes.split(",")):
            rate = round(given.requests / AT_ONCE_S)
            _show(measure(load, given.probe, rate, AT_ONCE_S, number), argv)


def _show(outcome: Outcome, argv: Sequence[str]) -> None:
    sent = outcome.sent
    lost = outcome.lost / sent.requests
    show(
        "flood",
        f"Flood: {sent.requests} requests as fast as {outcome.processes} process(es) can send, "
        f"{outcome.probe}",
        [
            Row("sent", f"{sent.requests} in {sent.seconds * 1000:.0f} ms"),
            Row("at a rate of", f"{sent.requests / sent.seconds:.0f}/s"),
            Row("recorded", f"{outcome.recorded}"),
            Row("reported lost", f"{outcome.lost} ({lost:.1%})"),
            Row("neither", f"{sent.requests - outcome.recorded - outcome.lost}", "0"),
            Row("longest queue", f"{outcome.queue_high_water} events"),
            Row("draining at the end", f"{outcome.drain_s:.2f} s"),
            Row("resident afterwards", f"{outcome.rss_bytes / 1e6:.1f} MB"),
        ],
        argv,
    )
