"""How fast a capture is read, what memory that takes, and tshark beside it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.figure import CannotMeasureError, Row, show
from tests.packets import OK, V1, V2, conversation, ethernet, pcap, sides

REQUESTS = 100_000
TARGET = 20_000
KEPT_ALIVE = 10  # requests on one connection, where there are several
PORTS = range(1024, 61024)
PATHS = 16  # as many as instances are asked for over and over
STEP_US = 20
ROUNDS = 2
LOOK_EVERY_S = 0.02
# The same fields: when, from where, what was asked with what, and what came of it.
TSHARK = (
    "tshark", "-n", "-r", "FILE", "-Y", "http", "-T", "fields", "-e", "frame.time_epoch",
    "-e", "ip.src", "-e", "tcp.srcport", "-e", "http.request.method", "-e", "http.request.uri",
    "-e", "http.user_agent", "-e", "http.request.line", "-e", "http.response.code",
)  # fmt: skip
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")
_IMDSV2 = "x-aws-ec2-metadata-token:"

Request = tuple[str, str, bool]  # method, path, whether it has a token


class Cost(NamedTuple):
    """What a program took, in the quickest of its rounds."""

    wall_s: float
    cpu_s: float
    rss_bytes: int


def main(argv: Sequence[str]) -> None:
    """Make captures, and have them read by the analyzer and by tshark."""
    parser = argparse.ArgumentParser(prog="python -m bench replay", description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    given = parser.parse_args(argv)
    if shutil.which("tshark") is None:
        raise CannotMeasureError("tshark is not installed: ./setup.sh packages tshark")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="imds-bench-") as name:
        directory = Path(name)
        for title, each in (("a connection each", 1), (f"{KEPT_ALIVE} a connection", KEPT_ALIVE)):
            path = directory / f"{each}.pcap"
            _write_capture(path, given.requests, each)
            rows += _rows(title, path, given.requests)
            path.unlink()
    options = [] if given.requests == REQUESTS else ["--requests", str(given.requests)]
    show("replay", f"{given.requests:,} requests read from a capture", rows, options)


def _rows(title: str, path: Path, requests: int) -> Iterator[Row]:
    log, fields = path.with_suffix(".jsonl"), path.with_suffix(".fields")
    replay = [sys.executable, "-m", "analyzer", "replay", str(path), "--log-file", str(log)]
    ours = _least(replay, log)
    theirs = _least([str(path) if word == "FILE" else word for word in TSHARK], fields)
    found, others = _replayed(log), _of_tshark(fields)
    if sum(found.values()) != requests or found != others:
        raise CannotMeasureError(
            f"of {requests} requests {sum(found.values())} were replayed and tshark found "
            f"{sum(others.values())}; {sum(((found | others) - (found & others)).values())} differ"
        )
    rate = requests / ours.cpu_s
    size = path.stat().st_size
    yield Row(f"{title}: capture", f"{size / 1e6:.0f} MB")
    yield Row(
        f"{title}: replay", f"{ours.wall_s:.1f} s, {rate:,.0f} a second of CPU", f"{TARGET:,}"
    )
    yield Row(f"{title}: peak memory", f"{ours.rss_bytes / 1e6:.0f} MB")
    yield Row(
        f"{title}: tshark, the same requests",
        f"{theirs.wall_s:.1f} s, {requests / theirs.cpu_s:,.0f} a second of CPU,"
        f" {theirs.rss_bytes / 1e6:.0f} MB",
    )


def _least(argv: Sequence[str], out: Path) -> Cost:
    """Run a program some times; what it writes to standard output goes to ``out``, if it does."""
    costs = []
    printed, said = out.with_suffix(".out"), out.with_suffix(".err")
    for _ in range(ROUNDS):
        out.unlink(missing_ok=True)
        with printed.open("wb") as printing, said.open("wb") as saying:
            began = time.monotonic()
            process = subprocess.Popen(argv, stdout=printing, stderr=saying)
            cost = _watch(process, began)
        if process.returncode:
            raise CannotMeasureError(
                f"{argv[0]} ended with {process.returncode}: {said.read_text()}"
            )
        costs.append(cost)
    if not out.exists():
        printed.rename(out)
    return min(costs, key=lambda cost: cost.cpu_s)


def _watch(process: subprocess.Popen[bytes], began: float) -> Cost:
    """Wait for a program's end; ru_maxrss would be ours, from before it was another program."""
    rss_bytes = 0
    while True:
        with contextlib.suppress(OSError, TypeError):  # it has just ended
            status = Path(f"/proc/{process.pid}/status").read_text()
            rss_bytes = max(rss_bytes, int(_PEAK.search(status)[1]) << 10)  # type: ignore[index]
        pid, code, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(code)
            wall_s = time.monotonic() - began
            return Cost(wall_s, usage.ru_utime + usage.ru_stime, rss_bytes)
        time.sleep(LOOK_EVERY_S)


def _replayed(log: Path) -> Counter[Request]:
    found: Counter[Request] = Counter()
    with log.open("rb") as lines:
        for line in lines:
            event: dict[str, Any] = json.loads(line)
            if event["event"] == "imds_request" and event["imds"]["outcome"] == "success":
                method, path = event["http"]["request"]["method"], event["url"]["path"]
                found[method, path, event["imds"]["version"] == "v2"] += 1
    return found


def _of_tshark(fields: Path) -> Counter[Request]:
    found: Counter[Request] = Counter()
    with fields.open() as lines:
        for line in lines:
            _, _, _, method, path, _, head, _ = line.rstrip("\n").split("\t")
            if method:
                found[method, path, _IMDSV2 in head.lower()] += 1
    return found


def _write_capture(path: Path, requests: int, each: int) -> None:
    """Write connections of ``each`` requests, every other one with a token, as curl makes them."""
    templates = [_template(_asking(asked, at), each) for at in range(PATHS) for asked in (V1, V2)]
    with path.open("wb") as file:
        file.write(pcap([]))
        at_us = 1_795_287_001_000_000
        for number in range(requests // each):
            address = struct.pack("!I", 0x0A000001 + number // len(PORTS))
            port = struct.pack("!H", PORTS[number % len(PORTS)])
            for is_client, frame in templates[number % len(templates)]:
                place, where = (26, 34) if is_client else (30, 36)
                frame[place : place + 4] = address
                frame[where : where + 2] = port
                seconds, rest = divmod(at_us, 1_000_000)
                file.write(struct.pack("<IIII", seconds, rest, len(frame), len(frame)) + frame)
                at_us += STEP_US


def _asking(request: bytes, number: int) -> bytes:
    return request.replace(b"/latest/meta-data/", b"/latest/meta-data/services/%d" % number)


def _template(request: bytes, each: int) -> list[tuple[bool, bytearray]]:
    """Return a connection's frames, and whether they are the client's."""
    begin, end = conversation(request)[:3], conversation(request * each, OK * each)[-4:]
    client, server = sides()
    packets = list(begin)
    for at in range(each):
        asked, told = at * len(request), at * len(OK)
        packets += [
            client.packet("PA", asked, request, acked=told),
            server.packet("A", told, acked=asked + len(request)),
            server.packet("PA", told, OK, acked=asked + len(request)),
        ]
    packets += end
    return [(each.dport == 80, bytearray(ethernet(each))) for each in packets]  # noqa: PLR2004
