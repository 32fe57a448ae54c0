"""Write a made-up fleet's log files: a directory for each host, in its own order of time.

Every line is the real sink's: it writes each kind once, and what differs from line to line is
put in afterwards, so that ten million lines take a minute.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Optional

from analyzer.recorder.attribute.identity import identified
from analyzer.recorder.callers import Caller, Container
from analyzer.recorder.records import Record
from analyzer.recorder.sinks.jsonl import JsonlSink
from analyzer.recorder.sinks.log import LineLog
from analyzer.recorder.sinks.stream import StreamWriter
from analyzer.recorder.source_events import Connection
from analyzer.text import timestamp
from tests.fleet.roster import CLIENTS, CONTAINER_ID, PID, POD_ID, Call, Client

START_NS = 1_794_528_000_000_000_000  # 2026-11-13T00:00:00Z
_S = 1_000_000_000
_DAY_S = 86_400
_AT_NS = 1_795_300_000_123_456_000
_BORN_NS = 1_795_299_000_654_321_000
_PORT = 41_234
_HOST, _BOOT = "fleet-host-name", "00000000-0000-4000-8000-0000000b0071"
_TIME = re.compile(rb'"timestamp":"[^"]*"')
_HOST_FIELD = re.compile(rb'"host":\{[^}]*\},')
_BOOT_FIELDS = re.compile(rb'"boot":\{[^}]*\},"attached":\{[^}]*\},')
_CALLER = re.compile(rb',"caller":(?:"[^"]*"|\{[^}]*\})')
_WRITE_LINES = 20_000
# The number of the host that is none, but a capture.
CAPTURED = 3
# Of seven hosts, the number of the one whose log does not name callers.
OLD = 5
# The numbers of the hosts that get another name in the middle of their last run.
RENAMED = (4, 7)
# Of three hosts, the number of the one whose log does not tell when it booted.
UNTIMED = 2
_NO_REQUESTS = b'"requests":{"v1":0,"v2":0,"unknown":0}'
_REQUESTS = b'"requests":{"v1":%d,"v2":%d,"unknown":%d}'
_NOT_WRITTEN = {"v1": 2, "v2": 3}
_ALL_WRITTEN = b'"not_written":{"v1":0,"v2":0,"unknown":0}'


@dataclass(frozen=True)
class Fleet:
    """What to make. Everything follows from these numbers: the same ones give the same bytes."""

    seed: int = 1
    hosts: int = 5
    requests: int = 2_000
    days: float = 3.0
    heartbeat_s: int = 3_600
    calm: bool = False  # every host watched without a gap, a loss or a reboot


class _Kind(NamedTuple):
    """A line's bytes around what differs: the time, the port, and the process's number and age."""

    client: Client
    head: bytes
    middle: bytes
    tail: bytes
    version: str


def write_fleet(directory: Path, fleet: Fleet) -> int:
    """Write the files; returns the number of lines. Every third host has put a part aside."""
    shares = [1 / (rank + 1) for rank in range(fleet.hosts)]  # a few hosts are the busiest
    lines = 0
    for number in range(fleet.hosts):
        requests = round(fleet.requests * shares[number] / sum(shares))
        host = directory / f"ip-10-0-{number // 250}-{number % 250 + 1}"
        host.mkdir(parents=True)
        made = _Host(fleet, number, host.name, requests)
        aside = requests // 2 if number % 3 == 2 else 0
        lines += _write(made.lines(), host / "imds.jsonl", aside)
    return lines


def _write(lines: Iterator[bytes], path: Path, aside: int) -> int:
    count = 0
    if aside:
        with gzip.open(f"{path}-20261114T000000Z.gz", "wb", compresslevel=1) as kept:
            for line in lines:
                kept.write(line)
                count += 1
                if count == aside:
                    break
    held: list[bytes] = []
    with path.open("wb") as live:
        for line in lines:
            held.append(line)
            count += 1
            if len(held) == _WRITE_LINES:
                live.write(b"".join(held))
                held.clear()
        live.write(b"".join(held))
    return count


class _Host:
    def __init__(self, fleet: Fleet, number: int, name: str, requests: int) -> None:
        self._fleet = fleet
        self._random = random.Random(f"{fleet.seed} {number}")  # noqa: S311 (made-up data)
        self._name = name
        self._requests = requests
        self._number = number
        # Not every host runs everything.
        self._clients = [
            each for each in CLIENTS if self._random.random() < (0.9 if each.weight > 1 else 0.5)
        ] or [CLIENTS[0]]
        self._ids = {
            CONTAINER_ID: self._random.randbytes(32).hex(),
            POD_ID: f"{self._random.getrandbits(32):08x}-65b5-4a52-9f2c-0c1f0a4e6d3b",
        }

    def lines(self) -> Iterator[bytes]:
        """Yield the lines in order of time."""
        start, end = START_NS, START_NS + int(self._fleet.days * _DAY_S) * _S
        is_quiet = self._fleet.calm or self._number % 4 == 0
        cuts = [] if is_quiet else sorted(self._random.sample(range(1, 100), 2))
        edges = [start, *(start + (end - start) * cut // 100 for cut in cuts), end]
        weights = [later - earlier for earlier, later in zip(edges, edges[1:])]
        for at, (earlier, later) in enumerate(zip(edges, edges[1:])):
            # A reboot leaves no farewell; after it nobody watches for a while.
            since = earlier + (self._random.randrange(60, 3 * _DAY_S // 24) * _S if at else 0)
            share = self._requests * weights[at] // sum(weights)
            yield from self._watch(min(since, later - _S), later, share, is_last=at == len(cuts))

    def _watch(self, start: int, end: int, requests: int, *, is_last: bool) -> Iterator[bytes]:
        """Yield what one run of the analyzer writes from one time to another."""
        boot = f"{self._random.getrandbits(32):08x}-7d3c-4c0e-9f5e-1c2d3e4f5a6b"
        own, kinds, weights = self._templates(boot, self._name)
        later = kinds
        if is_last and self._number in RENAMED:
            _, later, _ = self._templates(boot, f"{self._name}-renamed")
        times = sorted(self._random.randrange(start, end) for _ in range(requests))
        chosen = self._random.choices(range(len(kinds)), weights, k=requests)
        pids = {id(each): self._random.randrange(300, 4_000_000) for each in self._clients}
        born = timestamp(start - 5 * _S).encode()
        beat_ns = self._fleet.heartbeat_s * _S
        # A host that the analyzer was installed on, or one that boots with it.
        booted = timestamp(start - (30 if self._random.random() < 0.5 else _DAY_S) * _S).encode()
        yield _at(own["analyzer_started"], start).replace(timestamp(_BORN_NS).encode(), booted)
        beat = start + beat_ns
        interval, totals, not_written = Counter[str](), Counter[str](), Counter[str]()
        for at_ns, number in zip(times, chosen):
            kind = (kinds if at_ns < (start + end) // 2 else later)[number]
            while beat <= at_ns:
                yield from self._beat(own, beat, interval, not_written)
                totals += interval
                interval.clear()
                beat += beat_ns
            interval[kind.version] += 1
            is_lasting = kind.client.is_lasting
            pid = pids[id(kind.client)] if is_lasting else at_ns // 1000 % 4_000_000 + 300
            since = born if is_lasting else timestamp(at_ns - 20_000_000).encode()
            port = b"%d" % (32768 + at_ns // 1000 % 28000)
            text = timestamp(at_ns).encode()
            tail = kind.tail if kind.client.process is None else kind.tail % (pid, since)
            yield kind.head + text + kind.middle + port + tail
        while beat <= end:
            yield _at(_counted(own["heartbeat"], interval), beat)
            totals += interval
            interval.clear()
            beat += beat_ns
        if is_last:
            uptime = b'"uptime_s":%.1f' % ((end - start) / _S)
            stopped = _counted(own["analyzer_stopped"], totals + interval)
            lost = _ALL_WRITTEN.replace(b":0", b":%d") % _counts(not_written)
            stopped = stopped.replace(_ALL_WRITTEN, lost)
            yield _at(stopped.replace(b'"uptime_s":1.0', uptime), end)

    def _beat(
        self, own: dict[str, bytes], at_ns: int, interval: Counter[str], not_written: Counter[str]
    ) -> Iterator[bytes]:
        """Yield a heartbeat, and a loss now and then on the hosts that have trouble."""
        if self._fleet.calm or self._number % 5 != 1 or self._random.random() >= 0.02:
            yield _at(_counted(own["heartbeat"], interval), at_ns)
            return
        names = ("ring_buffer_full", "answers_ring_buffer_full", "senders_torn", "not_written")
        name = self._random.choice(names)
        if name == "not_written":
            interval.update(_NOT_WRITTEN)
            not_written.update(_NOT_WRITTEN)
            yield _at(_counted(own[name], interval), at_ns)
            return
        yield _at(_counted(own["heartbeat"], interval), at_ns)
        yield _at(own[name], at_ns + 1000)

    def _templates(self, boot: str, name: str) -> tuple[dict[str, bytes], list[_Kind], list[float]]:
        pairs = [(client, call) for client in self._clients for call in client.calls]
        events = _events(self._fleet.heartbeat_s)
        raw = _rendered(pairs, events)
        named = [_with_caller(line, client) for line, (client, _) in zip(raw, pairs)]
        bound = [self._bind(line, boot, name) for line in (*named, *raw[len(pairs) :])]
        own = dict(zip((event for event, *_ in events), bound[len(pairs) :]))
        kinds = [_kind(client, line) for (client, _), line in zip(pairs, bound)]
        weights = [
            client.weight * call.weight / sum(each.weight for each in client.calls)
            for client, call in pairs
        ]
        return own, kinds, weights

    def _bind(self, line: bytes, boot: str, name: str) -> bytes:
        """Put in what is this host's own."""
        names = {_HOST: name, _BOOT: boot, **self._ids}
        for placeholder, value in names.items():
            line = line.replace(placeholder.encode(), value.encode())
        if self._number % 3 == UNTIMED:
            line = _BOOT_FIELDS.sub(b"", line)
        if self._number % 7 == OLD:  # as written before the recorder named callers
            line = _CALLER.sub(b"", line)
        if self._number % 2:  # where the instance could be learned
            instance = b',"cloud":{"instance":{"id":"i-%017x"}},"observer":' % self._number
            line = line.replace(b',"observer":', instance)
        if self._number == CAPTURED and not self._fleet.calm:
            # As replayed from a capture of nobody knows which host.
            line = _HOST_FIELD.sub(b"", line).replace(b"core/fentry", b"packet/pcap")
        return line


def _events(heartbeat_s: int) -> list[tuple[str, str, str, dict[str, object]]]:
    """Return the analyzer's own lines: a name here, then event, level and fields."""
    usage = {"cpu_s": 1.5, "rss_bytes": 31_000_000}
    none = {"v1": 0, "v2": 0, "unknown": 0}
    totals = {"requests": none, "lost": 0, "not_written": none, "queue_high_water": 3, **usage}
    beat = {"interval_s": float(heartbeat_s), **totals}
    lost = {"count": 7, "since": timestamp(_AT_NS)}
    started = {
        "boot": {"time": timestamp(_BORN_NS)},
        "attached": {"since_boot_s": 12.5, "since_start_s": 0.5},
        "library": "libbpf 1.5",
    }
    return [
        ("analyzer_started", "analyzer_started", "info", started),
        ("heartbeat", "heartbeat", "info", beat),
        ("not_written", "heartbeat", "info", {**beat, "not_written": {**none, **_NOT_WRITTEN}}),
        ("ring_buffer_full", "events_lost", "warning", {**lost, "reason": "ring_buffer_full"}),
        (
            "answers_ring_buffer_full",
            "events_lost",
            "warning",
            {**lost, "reason": "answers_ring_buffer_full"},
        ),
        ("senders_torn", "events_lost", "warning", {**lost, "reason": "senders_torn"}),
        ("analyzer_stopped", "analyzer_stopped", "info", {"uptime_s": 1.0, **totals}),
    ]


def _rendered(
    pairs: list[tuple[Client, Call]], events: list[tuple[str, str, str, dict[str, object]]]
) -> list[bytes]:
    """Have the real sink write a line of each kind."""
    fd = os.memfd_create("templates")
    try:
        sink = JsonlSink(LineLog(StreamWriter(os.dup(fd), "templates")), lambda: _HOST, _BOOT)
        sink.set_probe("core/fentry")
        for client, call in pairs:
            sink.write(_record(client, call))
        for _, event, level, fields in events:
            sink.event(event, level, **fields)
        sink.close()
        os.lseek(fd, 0, os.SEEK_SET)
        with os.fdopen(os.dup(fd), "rb") as written:
            return written.readlines()
    finally:
        os.close(fd)


def _with_caller(line: bytes, client: Client) -> bytes:
    """Put in who the recorder says called."""
    fields = json.loads(line)
    fields["imds"].pop("caller", None)
    if client.caller is not None:
        fields["imds"]["caller"] = client.caller
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _record(client: Client, call: Call) -> Record:
    container = Container(CONTAINER_ID, client.runtime, *client.names) if client.runtime else None
    caller = Caller(
        client.process, client.ancestors, False, container, client.service, client.workload
    )
    connection = Connection(1, 1, "10.0.3.7", _PORT, "169.254.169.254", 80)
    return Record(
        _AT_NS,
        _BORN_NS,
        connection,
        0 if client.process is None else PID,
        call.request,
        call.verdict,
        identified(caller),
        call.response,
        call.token_failure,
        _hop_limit(client, call),
        through=call.through,
        is_sent_on=call.is_sent_on,
    )


def _hop_limit(client: Client, call: Call) -> Optional[int]:
    """Return what is left of a hop limit of 2: a container's network takes one."""
    if call.through is not None:  # the answer is the proxy's
        return None
    if call.verdict.reason != "token_request" or call.response is None or not call.response.status:
        return None
    return 1 if client.runtime else 2


def _kind(client: Client, line: bytes) -> _Kind:
    head, rest = line.split(timestamp(_AT_NS).encode(), 1)
    middle, tail = rest.split(b"%d" % _PORT, 1)
    version = json.loads(line)["imds"]["version"]
    if client.process is None:
        return _Kind(client, head, middle, tail, version)
    tail = tail.replace(b"%", b"%%")
    # The caller's own; its ancestors keep the number that they have.
    tail = tail.replace(b"%d" % PID, b"%d", 1).replace(timestamp(_BORN_NS).encode(), b"%b", 1)
    return _Kind(client, head, middle, tail, version)


def _counted(line: bytes, requests: Counter[str]) -> bytes:
    return line.replace(_NO_REQUESTS, _REQUESTS % _counts(requests))


def _counts(requests: Counter[str]) -> tuple[int, ...]:
    return tuple(requests[version] for version in ("v1", "v2", "unknown"))


def _at(line: bytes, at_ns: int) -> bytes:
    return _TIME.sub(b'"timestamp":"%s"' % timestamp(at_ns).encode(), line, count=1)
