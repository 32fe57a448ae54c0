"""What the probe adds to a send that is not to IMDS, beside an empty program and other tools."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from analyzer.errors import SourceUnavailable
from analyzer.lab.namespace import LabNamespace
from analyzer.recorder.sources.probe.core import CoreSource
from analyzer.recorder.sources.probe.libbpf import BpfError
from analyzer.recorder.sources.probe.programs import PROGRAMS
from bench.compiled import compile_bpf, compile_program
from bench.empty import EmptyProbe
from bench.figure import CannotMeasureError, show, show_table
from bench.load import open_discard
from bench.observed import wait_for
from bench.programs import RunTime, busiest_since, run_time_statistics, run_times
from bench.rivals import open_bpftrace, open_tcpdump

# An emulated machine is this much slower; the tests' virtual machines say so.
SLOWNESS = float(os.environ.get("IMDS_ANALYZER_SLOWNESS", "1"))
SENDS = int(200_000 / SLOWNESS)
ROUNDS = 3
RING_BYTES = 4 << 20
LOOPBACK = "127.0.0.1"
BPFTRACE_DEADLINE_S = 60 + 10 * SLOWNESS
TRIAL_SENDS = 1000

# Attach type: the ways to send that make a difference to it. `null` is no send at all but a
# write(2) to /dev/null: the tracepoints see every write of the host.
WORKLOADS = {
    "fentry": ("sendto",),
    "kprobe": ("sendto",),
    "tracepoint": ("sendto", "write", "sendmsg", "null"),
}
NOTHING, EMPTY, OURS, BPFTRACE, TCPDUMP = "nothing", "empty program", "ours", "bpftrace", "tcpdump"
VARIANTS = (NOTHING, EMPTY, OURS, BPFTRACE, TCPDUMP)


class Cost(NamedTuple):
    """Nanoseconds: inside the program (None: the kernel has no figure), of the whole send.

    ``program_most_ns`` is of the worst round: far above the least, the figure is not steady.
    """

    program_ns: Optional[float]
    program_most_ns: Optional[float]
    wall_ns: float
    cpu_ns: float


class Bench(NamedTuple):
    """What all measurements share."""

    namespace: LabNamespace
    directory: Path
    sender: str
    port: int
    empty: Path
    sends: int

    def send(self, way: str, sends: int) -> dict[str, float]:
        """Send so often in one way; return wall and CPU nanoseconds of one send."""
        argv = [self.sender, LOOPBACK, str(self.port), str(sends), way]
        done = self.namespace.run(argv, timeout_s=600 * SLOWNESS)
        said: dict[str, float] = json.loads(done.stdout)
        return said


def main(argv: Sequence[str]) -> None:
    """Measure the attach types that work on the running kernel."""
    parser = argparse.ArgumentParser(prog="python -m bench sendcost", description=__doc__)
    parser.add_argument("--attach", choices=PROGRAMS, help="default: all that work here")
    parser.add_argument("--sends", type=int, default=SENDS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args(argv)
    show(
        "sendcost",
        f"Cost of a send that is not to IMDS: TCP on loopback, {given.sends} sends of 200 bytes, "
        f"least of {given.rounds} rounds. Target: at most 3 x empty, below bpftrace",
        [],
        argv,
    )
    with tempfile.TemporaryDirectory(prefix="imds-bench-") as name, LabNamespace() as namespace:
        directory = Path(name)
        discard = compile_program("discard", directory)
        with open_discard(namespace, discard, LOOPBACK, 0) as port:
            bench = Bench(
                namespace,
                directory,
                compile_program("sender", directory),
                port,
                compile_bpf("empty", directory),
                given.sends,
            )
            for attach in [given.attach] if given.attach else PROGRAMS:
                reason = maybe_why_not(attach)
                if reason:
                    print(f"\n  core/{attach}: not measured: {reason}")
                else:
                    _show(attach, measure(bench, attach, given.rounds))


def maybe_why_not(attach: str) -> Optional[str]:
    """Return why this attach type does not work on the running kernel, None where it does."""
    try:
        CoreSource(attach, RING_BYTES).close()
    except SourceUnavailable as error:
        return error.lacks
    return None


def measure(bench: Bench, attach: str, rounds: int) -> dict[tuple[str, str], Cost]:
    """Return the least cost of each way to send with each variant attached."""
    found: dict[tuple[str, str], list[Cost]] = {}
    for _ in range(rounds):
        for variant in VARIANTS:
            try:
                with _attached(bench, attach, variant) as pid:
                    for way in WORKLOADS[attach]:
                        name = "" if variant == BPFTRACE else program_name(attach, way)
                        cost = _one(bench, pid, way, name)
                        found.setdefault((variant, way), []).append(cost)
            except (CannotMeasureError, BpfError, OSError) as error:
                print(f"  {variant} on {attach}: not measured: {error}")
    return {key: _least(costs) for key, costs in found.items()}


def program_name(attach: str, way: str) -> str:
    """Return the program, ours or the empty one, that a way to send comes by."""
    if attach == "tracepoint":
        return "trace_write" if way == "null" else f"trace_{way}"
    return f"{attach}_tcp_sendmsg"


def _one(bench: Bench, pid: Optional[int], way: str, name: str) -> Cost:
    """Measure twice: with the kernel's statistics, which cost time, and without them."""
    program_ns = None
    if pid is not None:
        with run_time_statistics():
            before = run_times(pid)
            bench.send(way, bench.sends)
            ran = busiest_since(before, run_times(pid), name)
        # Fewer: the hook is not one that this way of sending comes by.
        program_ns = ran.ns / ran.runs if ran.runs >= bench.sends else None
    whole = bench.send(way, bench.sends)
    return Cost(program_ns, program_ns, whole["wall_ns"], whole["cpu_ns"])


def _least(costs: list[Cost]) -> Cost:
    timed = [each.program_ns for each in costs if each.program_ns is not None]
    return Cost(
        min(timed) if timed else None,
        max(timed) if timed else None,
        min(each.wall_ns for each in costs),
        min(each.cpu_ns for each in costs),
    )


@contextlib.contextmanager
def _attached(bench: Bench, attach: str, variant: str) -> Iterator[Optional[int]]:
    """Attach one variant; yield the process that holds its programs, None where there are none."""
    with contextlib.ExitStack() as undo:
        pid: Optional[int] = os.getpid()
        if variant == EMPTY:
            undo.callback(EmptyProbe(bench.empty, attach).close)
        elif variant == OURS:
            undo.callback(CoreSource(attach, RING_BYTES).close)
        elif variant == BPFTRACE:
            messages = bench.directory / "bpftrace"
            child = undo.enter_context(open_bpftrace(attach, messages))
            pid = child.pid
            with run_time_statistics():

                def sees_sends() -> bool:
                    if child.poll() is not None:
                        raise CannotMeasureError(messages.read_text(errors="replace").strip())
                    before = run_times(child.pid)
                    bench.send(WORKLOADS[attach][0], TRIAL_SENDS)
                    return _runs(before, run_times(child.pid)) >= TRIAL_SENDS

                wait_for("bpftrace is attached", sees_sends, BPFTRACE_DEADLINE_S)
        else:
            pid = None
            if variant == TCPDUMP:
                undo.enter_context(open_tcpdump(bench.namespace))
        yield pid


def _runs(before: dict[int, RunTime], after: dict[int, RunTime]) -> int:
    return busiest_since(before, after).runs


def _show(attach: str, costs: dict[tuple[str, str], Cost]) -> None:
    for way in WORKLOADS[attach]:
        floor = costs.get((EMPTY, way))
        name = "write to /dev/null" if way == "null" else way
        lines = []
        for variant in VARIANTS:
            cost = costs.get((variant, way))
            if cost is None:
                lines.append((variant, "-", "-", "-", "-", "-"))
                continue
            inside, most, ratio = "-", "-", "-"
            if cost.program_ns is not None and cost.program_most_ns is not None:
                inside, most = f"{cost.program_ns:.1f}", f"{cost.program_most_ns:.1f}"
                if floor is not None and floor.program_ns:
                    ratio = f"{cost.program_ns / floor.program_ns:.2f}"
            lines.append(
                (variant, inside, most, ratio, f"{cost.wall_ns:.0f}", f"{cost.cpu_ns:.0f}")
            )
        print()
        show_table(
            (
                f"core/{attach}, {name}",
                "program, ns",
                "worst round",
                "x empty",
                "send, ns",
                "CPU of it, ns",
            ),
            lines,
        )
