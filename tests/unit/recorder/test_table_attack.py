"""Half-sent requests without an end: the table of connections keeps its numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Callable

import psutil
import pytest

from analyzer.recorder.classify import classify
from analyzer.recorder.decode.connections import MAX_BUFFERED_BYTES, MAX_CONNECTIONS, Connections
from analyzer.recorder.records import Version
from analyzer.recorder.source_events import Chunk, Connection, KernelProcess, Snapshot

ATTACKERS = 50_000
# What the table holds at most by its own account, and as much again for the interpreter's.
GROWTH_BYTES = 100 << 20

ANCESTORS = 16
ARGS_BYTES = 1024
_DEFAULTS = [itertools.repeat(value) for value in KernelProcess._field_defaults.values()]
_PROCESS: Callable[[type[KernelProcess], Iterable[object]], KernelProcess] = tuple.__new__
BEGINNING = b"GET /latest/meta-data/%d HTTP/1.1\r\nX-Filler: "


def _half_sent(number: int, size: int) -> Chunk:
    """Return a send that begins a request, by a caller like no other and as large as can be."""
    pid = number * 32
    starts = range(10**15 + pid, 10**15 + pid + ANCESTORS + 1)
    names = map(b"comm%d".__mod__, range(ANCESTORS + 1))
    fields = zip(starts, itertools.count(pid), itertools.repeat(1000), names, *_DEFAULTS)
    # Nearly two million of them: KernelProcess() itself takes twice as long.
    processes = list(map(_PROCESS, itertools.repeat(KernelProcess), fields))
    data = (BEGINNING % number).ljust(size, b"x")
    return Chunk(
        boottime_ns=number,
        connection=Connection(
            0xFFFF_8881_0000_0000 + number * 64, 4026531840, "10.0.3.7", number % 65535 + 1,
            "169.254.169.254", 80,
        ),
        sequence=number * 77 % 2**32,
        offset=0,
        size=len(data),
        data=data,
        problem=None,
        tid=processes[0].pid,
        snapshot=Snapshot(
            processes[0], number, (b"%d\0" % number).ljust(ARGS_BYTES, b"x"), False,
            tuple(processes[1:]), False,
        ),
    )  # fmt: skip


@pytest.mark.no_cover  # counting lines takes most of the time, and other tests come by them
@pytest.mark.parametrize("size", [64, 4096], ids=["small sends", "sends of the copy limit"])
def test_fifty_thousand_half_sent_requests_are_bounded_and_each_is_returned(size: int) -> None:
    """Connections, bytes and memory stay below what is stated; no request goes missing."""
    process = psutil.Process()
    before = process.memory_info().rss
    connections = Connections()
    targets = set()
    most = 0
    for number in range(ATTACKERS):
        for each in connections.feed(_half_sent(number, size)):
            assert classify(each.request).version is Version.UNKNOWN
            targets.add(each.request.target)
        most = max(most, connections.buffered)
        assert len(connections) <= MAX_CONNECTIONS
    assert most <= MAX_BUFFERED_BYTES
    assert process.memory_info().rss - before < GROWTH_BYTES
    held = len(connections)
    assert held == min(MAX_CONNECTIONS, MAX_BUFFERED_BYTES // (connections.buffered // held))
    assert connections.evicted == len(targets) == ATTACKERS - held
    rest = connections.flush()
    assert {classify(each.request).version for each in rest} == {Version.UNKNOWN}
    targets |= {each.request.target for each in rest}
    assert targets == {f"/latest/meta-data/{number}" for number in range(ATTACKERS)}
