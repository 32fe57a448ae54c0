"""Where the analyzer's time goes: each stage by itself, on real events captured just now."""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Callable, NamedTuple

from analyzer.config.settings import Config, LogSettings
from analyzer.recorder.attribute import Attributor
from analyzer.recorder.classify import classify
from analyzer.recorder.decode.connections import Connections
from analyzer.recorder.exchanges import Exchanges
from analyzer.recorder.records import Captured, Record
from analyzer.recorder.sinks.jsonl import JsonlSink, open_log
from analyzer.recorder.source_events import Chunk, Snapshot
from analyzer.recorder.sources import Source
from analyzer.recorder.sources.selection import open_source
from bench.figure import CannotMeasureError, Row, show
from bench.load import open_load

EVENTS = 30_000
PROCESSES = 4
RATE = 20_000
RING_BYTES = 64 << 20  # holds all events, so that capturing does not disturb the load
ROUNDS = 5
BUDGET_US = 40
TOP_FUNCTIONS = 25


class Capture(NamedTuple):
    """Raw events, and the CPU seconds that taking them out of the ring took."""

    source: Source
    raws: list[bytes]
    read_s: float


def main(argv: Sequence[str]) -> None:
    """Capture events, then time the stages one by one and all together."""
    parser = argparse.ArgumentParser(prog="python -m bench profile", description=__doc__)
    parser.add_argument("--probe", default="core/auto")
    parser.add_argument(
        "--functions", action="store_true", help="also list the costliest functions"
    )
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="imds-bench-") as name:
        directory = Path(name)
        captured = capture(given.probe, directory)
        try:
            rows = _stages(captured, directory)
            show(
                "profile",
                "Profile: CPU time per request, "
                f"least of {ROUNDS} rounds ({captured.source.probe})",
                rows,
                argv,
            )
            if given.functions:
                _list_functions(captured, directory)
        finally:
            captured.source.close()


def capture(probe: str, directory: Path) -> Capture:
    """Attach, send from several processes, and take the events out of the ring."""
    loader, _, attach = probe.partition("/")
    with open_load(directory) as load:
        source = open_source(loader, attach or "auto", RING_BYTES).source
        load.send(RATE, EVENTS / RATE, PROCESSES)
        began = time.process_time()
        raws = source.read(RING_BYTES)
        read_s = time.process_time() - began
        source.detach()
        lost = source.lost()
    if not raws or lost:
        source.close()
        raise CannotMeasureError(f"captured {len(raws)} events, lost: {lost}")
    return Capture(source, raws, read_s)


def _stages(captured: Capture, directory: Path) -> list[Row]:
    raws = captured.raws
    decode = captured.source.decode
    events = (event for raw in raws for event in decode(raw))
    chunks = [each for each in events if isinstance(each, Chunk)]
    fed = _feed(chunks)
    count = len(fed)
    records = _judge(fed)
    # What is kept here for the next stage would be searched by the garbage collector in each.
    gc.collect()
    gc.freeze()

    def decode_all() -> None:
        for raw in raws:
            decode(raw)

    def classify_all() -> None:
        for each in fed:
            classify(each.request)

    def attribute_all() -> None:
        attributor = Attributor()
        for each in fed:
            attributor.attribute(each.snapshot)

    def exchange_all() -> None:
        _exchange(fed, records)

    def write_all() -> None:
        with _opened(directory) as sink:
            for record in records:
                sink.write(record)
            sink.flush()

    costs = {
        "source.read": captured.read_s * 1e6 / count,
        "decode_event": _least_us(decode_all, count),
        "connections.feed": _least_us(lambda: _feed(chunks), count),
        "classify": _least_us(classify_all, count),
        "attribute": _least_us(attribute_all, count),
        "exchanges": _least_us(exchange_all, count),
        "sink.write": _least_us(write_all, count),
    }
    together = _least_us(lambda: _whole(captured, directory), count) + costs["source.read"]
    rows = [Row(name, f"{cost:5.2f} us") for name, cost in costs.items()]
    rows.append(Row("all together", f"{together:5.2f} us", f"under {BUDGET_US} us"))
    rows.append(Row("events", f"{len(raws) / count:.2f}"))
    rows.append(Row("on the ring", f"{sum(map(len, raws)) / count:.0f} bytes"))
    return rows


def captured_snapshots(probe: str, directory: Path) -> list[Snapshot]:
    """Return who sent, of events captured just now; without those whom nobody knows."""
    captured = capture(probe, directory)
    try:
        events = (event for raw in captured.raws for event in captured.source.decode(raw))
        fed = _feed([each for each in events if isinstance(each, Chunk)])
        return [each.snapshot for each in fed if each.snapshot is not None]
    finally:
        captured.source.close()


def _feed(chunks: list[Chunk]) -> list[Captured]:
    connections = Connections()
    return [captured for chunk in chunks for captured in connections.feed(chunk)]


def _exchange(fed: list[Captured], records: list[Record]) -> None:
    exchanges = Exchanges(Config().capture.response_wait_s)
    for each, record in zip(fed, records):
        exchanges.add(record, each.boottime_ns, is_answered=each.is_answered)
    exchanges.flush()


def _judge(fed: list[Captured]) -> list[Record]:
    attributor = Attributor()
    return [_record(attributor, each) for each in fed]


def _record(attributor: Attributor, captured: Captured) -> Record:
    snapshot = captured.snapshot
    process = None if snapshot is None else snapshot.process
    return Record(
        captured.boottime_ns,
        0 if process is None else process.start_boottime_ns,
        captured.connection,
        captured.tid,
        captured.request,
        classify(captured.request),
        attributor.attribute(snapshot),
    )


def _whole(captured: Capture, directory: Path) -> None:
    """Do all that the pipeline does with an event that it has read."""
    connections, attributor = Connections(), Attributor()
    exchanges = Exchanges(Config().capture.response_wait_s)
    decode = captured.source.decode
    with _opened(directory) as sink:
        for raw in captured.raws:
            # The server of this load answers nothing.
            chunks = [event for event in decode(raw) if isinstance(event, Chunk)]
            for each in (captured for chunk in chunks for captured in connections.feed(chunk)):
                judged = _record(attributor, each)
                for record in exchanges.add(judged, each.boottime_ns, is_answered=each.is_answered):
                    sink.write(record)
        for record in exchanges.flush():
            sink.write(record)
        sink.flush()


class _opened:  # noqa: N801 - reads as the function it is used as
    """Open a log of its own and remove it behind."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "profile.jsonl"

    def __enter__(self) -> JsonlSink:
        self._sink = open_log(LogSettings(file=str(self._path), rotation="external"))
        self._sink.set_probe("bench")
        return self._sink

    def __exit__(self, *_: object) -> None:
        self._sink.close()
        self._path.unlink()


def _least_us(work: Callable[[], object], count: int) -> float:
    """CPU microseconds for each of ``count`` events, in the best round."""
    least = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        least = min(least, time.process_time() - began)
    return least * 1e6 / count


def _list_functions(captured: Capture, directory: Path) -> None:
    profiler = cProfile.Profile()
    profiler.runcall(_whole, captured, directory)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(TOP_FUNCTIONS)
