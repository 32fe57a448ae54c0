"""A report over many lines: how long, how much memory, and the same question asked with jq."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from analyzer.account.file import as_bytes
from bench.figure import CannotMeasureError, Row, show, show_table
from tests.fleet.account import Size, snapshot
from tests.fleet.lines import Fleet, write_fleet

LINES = "0.1,1,10"
# jq takes minutes for more, and needs no longer a proof.
JQ_LINES = 0.1
# An account of that many instances is joined with so many millions of lines.
INSTANCES, ACCOUNT_LINES, ACCOUNT_ROUNDS = 5_000, 1.0, 3
TARGET_S, TARGET_BYTES = 60, 1_500_000_000
_MILLION = 1_000_000
# A fleet of the size that has as many lines in a week, one line in 25 a heartbeat.
_LINES_OF_A_HOST = 50_000
_DAYS = 7.0
_JQ = (
    'reduce (inputs | select(.event == "imds_request")) as $line ({};'
    ' .[$line.imds.version + " " + ($line.process.executable // $line.process.name)] += 1)'
)


class Cost(NamedTuple):
    """What a command took. ``rss_bytes`` is the most that it held at a time."""

    wall_s: float
    cpu_s: float
    rss_bytes: int


def main(argv: Sequence[str]) -> None:
    """Measure each number of lines; raises CannotMeasureError where there is no room."""
    parser = argparse.ArgumentParser(prog="python -m bench report", description=__doc__)
    parser.add_argument("--lines", default=LINES, help="in millions, with commas between")
    parser.add_argument("--memory", default="1GB", help="as `imds-analyzer report --memory`")
    parser.add_argument("--jq", type=float, default=JQ_LINES, help="millions for jq; 0: none")
    parser.add_argument(
        "--instances", type=int, default=INSTANCES, help="of the account joined with 1 million"
    )
    parser.add_argument("--directory", help="where there is room for 1 GB a million lines")
    given = parser.parse_args(argv)
    table = []
    rows: list[Row] = []
    beside: list[Row] = []
    for millions in (float(each) for each in given.lines.split(",")):
        with tempfile.TemporaryDirectory(prefix="imds-bench-", dir=given.directory) as name:
            lines, size = _made(Path(name), millions)
            cost = _cost(
                [sys.executable, "-m", "analyzer", "report", name, "--memory", given.memory]
            )
            per_10_million = cost.wall_s * 10 * _MILLION / lines
            table.append(
                (
                    f"{lines:,}",
                    f"{size / 1e9:.2f} GB",
                    f"{cost.wall_s:.1f} s",
                    f"{cost.cpu_s:.1f} s",
                    f"{cost.rss_bytes / 1e6:.0f} MB",
                    f"{per_10_million:.0f} s",
                )
            )
            rows = [
                Row(f"{millions:g} million lines", f"{per_10_million:.0f} s per 10 million",
                    f"< {TARGET_S} s"),
                Row("memory", f"{cost.rss_bytes / 1e6:.0f} MB", f"< {TARGET_BYTES / 1e6:.0f} MB"),
            ]  # fmt: skip
            if millions == given.jq:
                beside += _beside_jq(Path(name), lines, cost)
            if millions == ACCOUNT_LINES and given.instances:
                beside.append(_joined(Path(name), lines, given.instances, given.memory))
    show("report", "Report over a fleet's lines", [*rows, *beside], argv)
    show_table(("lines", "size", "time", "CPU time", "memory", "per 10 million"), table)


def _made(directory: Path, millions: float) -> tuple[int, int]:
    """Write a fleet's logs; returns their lines and bytes."""
    lines = round(millions * _MILLION)
    room = shutil.disk_usage(directory).free
    if room < lines * 1_100:
        raise CannotMeasureError(
            f"{room / 1e9:.0f} GB are free for {lines:,} lines: name another --directory"
        )
    hosts = max(1, lines // _LINES_OF_A_HOST)
    beats = round(_DAYS * 86_400 / 3_600) * hosts
    fleet = Fleet(hosts=hosts, requests=lines - beats, days=_DAYS, heartbeat_s=3_600)
    written = write_fleet(directory, fleet)
    return written, sum(each.stat().st_size for each in directory.rglob("*") if each.is_file())


def _cost(command: Sequence[str]) -> Cost:
    """Run a command to its end; raises CannotMeasureError where it fails."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.monotonic() - began
    if process.returncode:
        raise CannotMeasureError(f"{' '.join(command[:4])} ended with {process.returncode}")
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def _joined(directory: Path, lines: int, instances: int, memory: str) -> Row:
    """Compare the report with and without a snapshot of an account, by CPU time.

    The two alternate: on a machine with other work, one of them alone would be slower.
    """
    hosts = max(1, lines // _LINES_OF_A_HOST)
    made = snapshot(Size(days=_DAYS, hosts=hosts, instances=instances))
    account = directory.with_name(f"{directory.name}-account.json")
    account.write_bytes(as_bytes(made))
    alone = [sys.executable, "-m", "analyzer", "report", str(directory), "--memory", memory]
    try:
        costs = [
            (_cost(alone).cpu_s, _cost([*alone, "--account", str(account)]).cpu_s)
            for _ in range(ACCOUNT_ROUNDS)
        ]
    finally:
        account.unlink()
    without, joined = (min(each[place] for each in costs) for place in (0, 1))
    return Row(
        f"{lines:,} lines joined with {instances:,} instances",
        f"{joined / without:.2f} times the CPU time without ({joined:.1f} s)",
        "< 1.5",
    )


def _beside_jq(directory: Path, lines: int, own: Cost) -> list[Row]:
    """Ask jq the smallest of the questions: how many calls by version and executable."""
    jq: Optional[str] = shutil.which("jq")
    if jq is None:
        raise CannotMeasureError("jq is not installed: apt-get install jq, or --jq 0")
    logs = [str(each) for each in sorted(directory.rglob("*.jsonl*"))]
    script = f'zcat -f "$@" | {jq} -cn "$JQ"'
    cost = _cost(["env", f"JQ={_JQ}", "sh", "-c", f"exec sh -c '{script}' sh \"$@\"", "sh", *logs])
    return [
        Row(f"{what}, {lines:,} lines", f"{each.wall_s:.1f} s, {each.cpu_s:.1f} s of CPU time")
        for what, each in (("jq, one question", cost), ("the whole report", own))
    ]
