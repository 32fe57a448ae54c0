"""What the wire as a witness adds to a packet that is not to IMDS, beside empty programs."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from analyzer.errors import NoSourceWorks
from analyzer.lab.namespace import LabNamespace
from analyzer.recorder.sources.probe import wire
from analyzer.recorder.sources.selection import open_source
from bench.compiled import compile_bpf, compile_program
from bench.empty import EmptyProbe
from bench.figure import CannotMeasureError, show, show_table
from bench.load import open_discard
from bench.programs import busiest_since, run_time_statistics, run_times

SENDS = 300_000
ROUNDS = 5
RING_BYTES = 4 << 20
LOOPBACK = "127.0.0.1"
NOTHING, EMPTY, OURS = "nothing", "empty programs", "ours"
VARIANTS = (NOTHING, EMPTY, OURS)


class Cost(NamedTuple):
    """Of one round: nanoseconds in the program for a packet, and of the whole send."""

    egress_ns: float
    ingress_ns: float
    wall_ns: float


def main(argv: Sequence[str]) -> None:
    """Measure what is attached in alternation, and print the least of each."""
    parser = argparse.ArgumentParser(prog="python -m bench wirecost", description=__doc__)
    parser.add_argument("--sends", type=int, default=SENDS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args(argv)
    show(
        "wirecost",
        f"Cost of a packet that is not to IMDS: TCP on loopback, {given.sends} sends of 200 bytes, "
        f"least of {given.rounds} rounds. Target: at most 2 x empty",
        [],
        argv,
    )
    found: dict[str, list[Cost]] = {variant: [] for variant in VARIANTS}
    with tempfile.TemporaryDirectory(prefix="imds-bench-") as name, LabNamespace() as namespace:
        directory = Path(name)
        sender = compile_program("sender", directory)
        empty = compile_bpf("empty", directory)
        with open_discard(namespace, compile_program("discard", directory), LOOPBACK, 0) as port:
            command = [sender, LOOPBACK, str(port), str(given.sends), "sendto"]
            for _ in range(given.rounds):
                for variant in VARIANTS:
                    with _attached(variant, empty):
                        found[variant].append(_measured(namespace, command))
    _show(found)


@contextlib.contextmanager
def _attached(variant: str, empty: Path) -> Iterator[None]:
    with contextlib.ExitStack() as undo:
        if variant == EMPTY:
            undo.callback(EmptyProbe(empty, "wire").close)
        elif variant == OURS:
            try:
                source = open_source("core", "auto", RING_BYTES).source
            except NoSourceWorks as error:
                raise CannotMeasureError(str(error)) from error
            undo.callback(source.close)
            if source.wire_lacks is not None:
                raise CannotMeasureError(source.wire_lacks.lacks)
        yield


def _measured(namespace: LabNamespace, command: Sequence[str]) -> Cost:
    """Send twice: with the kernel's statistics, which cost time themselves, and without."""
    with run_time_statistics():
        before = run_times(os.getpid())
        namespace.run(command, timeout_s=600)
        after = run_times(os.getpid())
        ran = [busiest_since(before, after, name) for name in wire.PROGRAMS]
    whole = json.loads(namespace.run(command, timeout_s=600).stdout)
    egress, ingress = (each.ns / each.runs if each.runs else 0.0 for each in ran)
    return Cost(egress, ingress, whole["wall_ns"])


def _show(found: dict[str, list[Cost]]) -> None:
    least = {
        variant: Cost(*(min(each) for each in zip(*costs))) for variant, costs in found.items()
    }
    floor = least[EMPTY]
    show_table(
        ("attached", "sent, ns", "x empty", "received, ns", "x empty", "send, ns"),
        [
            (
                variant,
                f"{cost.egress_ns:.1f}",
                f"{cost.egress_ns / floor.egress_ns:.2f}" if floor.egress_ns else "-",
                f"{cost.ingress_ns:.1f}",
                f"{cost.ingress_ns / floor.ingress_ns:.2f}" if floor.ingress_ns else "-",
                f"{cost.wall_ns:.0f}",
            )
            for variant, cost in least.items()
        ],
    )
