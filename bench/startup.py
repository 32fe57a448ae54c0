"""How long it takes from process start until the probe is attached."""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from analyzer.errors import AnalyzerError
from analyzer.sources.bcc import find_headers, import_bcc
from bench.figure import Row, show
from bench.observed import ObservedAnalyzer

CORE = "core/auto"
BCC = "bcc/auto"
RUNS = 7
# Each compiles the probe anew.
BCC_RUNS = 3


def main(argv: Sequence[str]) -> None:
    """Measure one probe, or core and, where it can work, bcc."""
    parser = argparse.ArgumentParser(prog="python -m bench startup", description=__doc__)
    parser.add_argument("--probe", help="such as core/kprobe or bcc/kprobe; default: both loaders")
    parser.add_argument("--runs", type=int, default=None)
    given = parser.parse_args(argv)
    rows = []
    for probe in [given.probe] if given.probe else [CORE, BCC]:
        is_core = probe.startswith("core")
        runs = given.runs or (RUNS if is_core else BCC_RUNS)
        reason = None if is_core or given.probe else maybe_why_no_bcc()
        value = f"not measured: {reason}" if reason else measure(probe, runs)
        rows.append(Row(probe, value, "under 1 s (build machine)" if is_core else "stated"))
    show("startup", "Start-up: `imds-analyzer run` until its probe is attached", rows, argv)


def measure(probe: str, runs: int) -> str:
    """Start the analyzer so many times; return median and maximum in words."""
    seconds, name = [], ""
    for _ in range(runs):
        with (
            tempfile.TemporaryDirectory(prefix="imds-bench-") as directory,
            ObservedAnalyzer(Path(directory), probe) as analyzer,
        ):
            seconds.append(analyzer.attached_s)
            name = next(analyzer.lines("analyzer_started"))["observer"]["probe"]
    median, most = statistics.median(seconds), max(seconds)
    return f"median {median:.3f} s, most {most:.3f} s of {runs} runs ({name})"


def maybe_why_no_bcc() -> Optional[str]:
    """Return why BCC cannot compile for the running kernel, None where it may."""
    try:
        import_bcc()
    except (ImportError, AnalyzerError) as error:
        return str(error)
    if find_headers() is None:
        return "the headers of the running kernel are not installed"
    return None
