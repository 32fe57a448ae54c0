"""Memory and CPU of an analyzer that waits."""

from __future__ import annotations

import argparse
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.figure import Row, show, show_table
from bench.observed import ObservedAnalyzer

TARGET = "under 45 MB resident"
HEARTBEAT_S = 5
# So many, and an emulated machine needs longer to the first.
DEADLINE_S = 300
WEIGHTIEST = 8

_HEAD_OF_MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+ *(?P<name>.*)")
_KIB = 1024
_MB = 1e6


def main(argv: Sequence[str]) -> None:
    """Attach, wait for two heartbeats, and read what the kernel says of the process."""
    parser = argparse.ArgumentParser(prog="python -m bench memory", description=__doc__)
    parser.add_argument("--probe", default="core/auto")
    given = parser.parse_args(argv)
    with (
        tempfile.TemporaryDirectory(prefix="imds-bench-") as directory,
        ObservedAnalyzer(Path(directory), given.probe, "--heartbeat", str(HEARTBEAT_S)) as analyzer,
    ):
        first, second, *_ = analyzer.wait_for_heartbeats(2, DEADLINE_S)
        rollup = _read_sizes(Path(f"/proc/{analyzer.pid}/smaps_rollup"))
        weights = _by_name(Path(f"/proc/{analyzer.pid}/smaps"))
    total = Counter[str]()
    for sizes in rollup.values():
        total += sizes
    cpu_ms = second["cpu_s"] * 1000
    show(
        "memory",
        f"Memory: idle analyzer ({first['observer']['probe']}), {2 * HEARTBEAT_S} s after start",
        [
            Row("resident (RSS)", f"{total['Rss'] / _MB:.1f} MB", TARGET),
            Row("of it its own alone", f"{total['Private'] / _MB:.1f} MB"),
            Row("proportional (PSS)", f"{total['Pss'] / _MB:.1f} MB"),
            Row("CPU while idle", f"{cpu_ms:.0f} ms in {second['interval_s']:.1f} s"),
            Row("CPU from start to attached", f"{first['cpu_s'] - cpu_ms / 1000:.2f} s"),
        ],
        argv,
    )
    heaviest = sorted(weights.items(), key=lambda item: -item[1]["Rss"])[:WEIGHTIEST]
    show_table(
        ("what is resident, MB", "RSS", "own"),
        [
            (name, f"{sizes['Rss'] / _MB:.1f}", f"{sizes['Private'] / _MB:.1f}")
            for name, sizes in heaviest
        ],
    )


def _by_name(smaps: Path) -> dict[str, Counter[str]]:
    """Add the mappings up by file name; memory without a file is ``(anonymous)``."""
    named: dict[str, Counter[str]] = {}
    for name, sizes in _read_sizes(smaps).items():
        named.setdefault(name.rpartition("/")[2] or "(anonymous)", Counter()).update(sizes)
    return named


def _read_sizes(path: Path) -> dict[str, Counter[str]]:
    """Return bytes by kind (Rss, Pss, Private) for each name of a mapping."""
    found: dict[str, Counter[str]] = {}
    sizes = Counter[str]()
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        head = _HEAD_OF_MAPPING.fullmatch(line)
        if head:
            sizes = found.setdefault(head["name"], Counter())
            continue
        kind, _, value = line.partition(":")
        if kind in ("Rss", "Pss", "Private_Clean", "Private_Dirty"):
            sizes[kind.partition("_")[0]] += int(value.split()[0]) * _KIB
    return found
