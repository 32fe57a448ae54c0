"""Measure the project's figures: all, or those that are named."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Optional

from analyzer.errors import AnalyzerError
from bench.figure import CannotMeasureError, show_machine

# Name of the module, and what it measures. The order is the one of a run of all.
FIGURES = {
    "startup": "from process start to probe attached",
    "memory": "memory and CPU of the idle analyzer",
    "throughput": "requests a second without a loss",
    "flood": "what is lost of 20,000 requests sent as fast as the machine can",
    "packet": "requests a second without a loss, seen in packets",
    "million": "memory after a million requests from 10,000 processes; takes three minutes",
    "profile": "where the analyzer's time goes, per request",
    "containers": "what naming containers costs a request",
    "replay": "how fast a capture is read, and tshark beside it",
    "install": "install.sh from the wheel",
    "report": "a report over 0.1, 1 and 10 million lines; needs 11 GB of disk",
    "audit": "an audit of 500 and of 5,000 instances in 4 Regions at moto's server",
    "execs": "what the probe adds to a fork and an exec, and what a look at all processes costs",
    "sendcost": "what the probe adds to a send that is not to IMDS",
    "software": "what a look at a caller's software costs",
    "wirecost": "what the wire adds to a packet that is not to IMDS",
}


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Return 0, or 1 when a measurement could not be made."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given and given[0] in FIGURES:
        return _measure(given[0], given[1:])
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog="; ".join(f"{name}: {what}" for name, what in FIGURES.items())
        + ". `python -m bench FIGURE --help` lists a figure's options.",
    )
    parser.add_argument("figure", nargs="?", choices=FIGURES, help="only this one; default: all")
    parser.parse_args(given)
    show_machine()
    return max(_measure(name, []) for name in FIGURES)


def _measure(name: str, options: Sequence[str]) -> int:
    if os.geteuid() != 0:
        print("bench: needs root: it loads the probe and makes network namespaces", file=sys.stderr)
        return 1
    try:
        importlib.import_module(f"bench.{name}").main(options)
    except (AnalyzerError, CannotMeasureError) as error:
        print(f"bench: {name} could not be measured: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
