"""How long install.sh takes, from the wheel, with the packages from the machine's own index."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.figure import CannotMeasureError, Row, show
from tests.unit.install.host import CHECKOUT, host_with_this_python

RUNS = 3


def main(argv: Sequence[str]) -> None:
    """Install into a new directory each time; distribution's packages and systemd are faked."""
    parser = argparse.ArgumentParser(prog="python -m bench install", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="imds-bench-") as directory:
        place = Path(directory)
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        words = ["wheel", "--retries", "5", "--no-deps", "--wheel-dir", directory, str(CHECKOUT)]
        subprocess.run([*pip, *words], check=True)
        (wheel,) = place.glob("*.whl")
        seconds = [measure(place / f"host-{number}", wheel) for number in range(given.runs)]
    show(
        "install",
        "Installation: install.sh until doctor's summary, without the distribution's packages",
        [
            Row(
                "from the wheel",
                f"median {statistics.median(seconds):.1f} s, most {max(seconds):.1f} s"
                f" of {len(seconds)} runs",
                "under 60 s",
            )
        ],
        argv,
    )


def measure(root: Path, wheel: Path) -> float:
    """Return the seconds of one installation."""
    try:
        host = host_with_this_python(root)
    except LookupError as error:
        raise CannotMeasureError(str(error)) from None
    began = time.monotonic()
    done = host.run("--wheel", str(wheel), "--no-start")
    if done.returncode != 0:
        raise CannotMeasureError(done.stderr.strip())
    return time.monotonic() - began
