"""Requests at a rate: all recorded or reported lost, and what that costs."""

from __future__ import annotations

import argparse
import math
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from bench.figure import Row, counted, show, show_table
from bench.load import Load, Sent, open_load
from bench.observed import ObservedAnalyzer

RATE = 15_000
SECONDS = 10.0
PROCESSES = "1,4"
# The search for the highest rate without a loss begins between these and halves the ratio.
SEARCH_FROM, SEARCH_TO = 2_000, 64_000
SEARCH_PRECISION = 1.08
# A generator this much slower than asked could not keep the rate itself.
KEPT = 0.97


# The record of a gap in a connection's bytes: it stands for the requests in lost events, which
# are counted already, and is no request of its own.
GAP = "capture_gap"


class Outcome(NamedTuple):
    """One run. ``cpu_s`` is the analyzer's, from attached until its end.

    ``recorded`` counts records of the generators' requests, ``gaps`` those of theirs that only
    mark a gap, ``strangers`` those of other programs: the probe sees the whole host.
    """

    rate: int
    processes: int
    sent: Sent
    recorded: int
    gaps: int
    strangers: int
    versions: Counter[str]
    outcomes: Counter[str]
    lost: int
    cpu_s: float
    rss_bytes: int
    queue_high_water: int
    drain_s: float
    probe: str

    @property
    def cost_us(self) -> float:
        """CPU microseconds per record written; lost requests cost the analyzer next to nothing."""
        return self.cpu_s * 1e6 / max(1, self.recorded + self.gaps + self.strangers)

    @property
    def is_kept(self) -> bool:
        """Whether the generators could send at the rate they were asked for."""
        return self.sent.requests / self.sent.seconds >= KEPT * self.rate


def main(argv: Sequence[str]) -> None:
    """Measure the rate asked for, then look for the highest without a loss."""
    parser = argparse.ArgumentParser(prog="python -m bench throughput", description=__doc__)
    parser.add_argument("--rate", type=int, default=RATE, help="requests a second")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--processes", default=PROCESSES, help="numbers of generators to try")
    parser.add_argument("--probe", default="core/auto")
    parser.add_argument("--answers", action="store_true", help="each request is answered first")
    parser.add_argument("--no-search", action="store_true", help="only the rate asked for")
    given = parser.parse_args(argv)
    numbers = [int(each) for each in given.processes.split(",")]
    with (
        tempfile.TemporaryDirectory(prefix="imds-bench-") as directory,
        open_load(Path(directory), answers=given.answers) as load,
    ):
        for number in numbers:
            _show(measure(load, given.probe, given.rate, given.seconds, number), argv)
        if not given.no_search:
            _show_search(search(load, given.probe, given.seconds, numbers[0]), argv)


def measure(load: Load, probe: str, rate: int, seconds: float, processes: int) -> Outcome:
    """Run an analyzer, send at a rate, let it drain, and count what it wrote."""
    with (
        tempfile.TemporaryDirectory(prefix="imds-bench-") as directory,
        ObservedAnalyzer(Path(directory), probe) as analyzer,
    ):
        before_s = analyzer.cpu_s()
        sent = load.send(rate, seconds, processes)
        rss_bytes = psutil.Process(analyzer.pid).memory_info().rss
        drain_s = analyzer.drain()
        versions, outcomes, gaps, strangers = Counter[str](), Counter[str](), 0, 0
        for line in analyzer.lines("imds_request"):
            if line.get("process", {}).get("pid") not in sent.pids:
                strangers += 1
            elif line["imds"]["reason"] == GAP:
                gaps += 1
            else:
                versions[line["imds"]["version"]] += 1
                outcomes[line["imds"].get("outcome", "none")] += 1
        (stopped,) = analyzer.lines("analyzer_stopped")
    return Outcome(
        rate,
        processes,
        sent,
        sum(versions.values()),
        gaps,
        strangers,
        versions,
        outcomes,
        stopped["lost"],
        stopped["cpu_s"] - before_s,
        rss_bytes,
        stopped["queue_high_water"],
        drain_s,
        stopped["observer"]["probe"],
    )


def search(load: Load, probe: str, seconds: float, processes: int) -> list[Outcome]:
    """Close in on the highest rate without a loss; return all tries."""
    tries = []
    low, high = SEARCH_FROM, SEARCH_TO
    while high / low > SEARCH_PRECISION:
        rate = int(math.sqrt(low * high))
        outcome = measure(load, probe, rate, seconds, processes)
        tries.append(outcome)
        if outcome.lost == 0 and outcome.is_kept:
            low = rate
        else:
            high = rate
    return tries


def _show(outcome: Outcome, argv: Sequence[str]) -> None:
    sent = outcome.sent
    missing = sent.requests - outcome.recorded - outcome.lost
    show(
        "throughput",
        f"Throughput: {outcome.rate} requests a second for {sent.seconds:.1f} s from "
        f"{outcome.processes} process(es), {outcome.probe}",
        [
            Row("sent", f"{sent.requests} ({sent.requests / sent.seconds:.0f}/s)"),
            Row("recorded", f"{outcome.recorded} ({counted(outcome.versions)})"),
            Row("with the outcome", counted(outcome.outcomes)),
            Row("reported lost", f"{outcome.lost}", "0"),
            Row("neither", f"{missing}", "0"),
            Row("records that mark a gap", f"{outcome.gaps}", "0"),
            Row("records of other programs", f"{outcome.strangers}"),
            Row(
                "CPU of the analyzer",
                f"{outcome.cpu_s:.2f} s, {outcome.cost_us:.1f} us a record",
                f"{1e6 / outcome.rate:.0f} us at most for this rate",
            ),
            Row("resident afterwards", f"{outcome.rss_bytes / 1e6:.1f} MB"),
            Row("longest queue", f"{outcome.queue_high_water} events"),
            Row("draining at the end", f"{outcome.drain_s:.2f} s"),
            Row("generator at most late by", f"{sent.behind} requests"),
        ],
        argv,
    )


def _show_search(tries: list[Outcome], argv: Sequence[str]) -> None:
    good = [each for each in tries if each.lost == 0 and each.is_kept]
    best = max((each.rate for each in good), default=0)
    show(
        "throughput",
        f"Throughput: highest rate without a loss over {tries[0].sent.seconds:.0f} s",
        [Row("without a loss", f"{best}/s" if best else f"below {SEARCH_FROM}/s", f"{RATE}/s")],
        argv,
    )
    show_table(
        ("tried, requests/s", "sent/s", "lost", "us/record", "draining, s"),
        [
            (
                str(each.rate),
                f"{each.sent.requests / each.sent.seconds:.0f}",
                str(each.lost),
                f"{each.cost_us:.1f}",
                f"{each.drain_s:.2f}",
            )
            for each in sorted(tries, key=lambda each: each.rate)
        ],
    )
