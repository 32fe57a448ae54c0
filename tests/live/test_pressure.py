"""Under pressure nothing is lost in silence, and memory keeps its bounds."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from analyzer.imds import IMDS_IPV4, IMDS_PORT
from analyzer.lab.namespace import LabNamespace
from analyzer.recorder.decode.connections import EVICTED, MAX_BUFFERED_BYTES, MAX_CONNECTIONS
from analyzer.recorder.decode.http import MAX_HEAD_BYTES
from tests.live.conftest import REQUIRED
from tests.live.crowd import compile_crowd, crowd
from tests.live.watch import (
    DEADLINE_S,
    SLOWNESS,
    Watch,
    eventually,
    may_be_skipped,
    new_marker,
)

# Odd numbers; an emulated machine is asked for less of the same.
CALLERS = max(201, int(1001 / SLOWNESS) | 1)
HALF_SENT = max(1001, int(5001 / SLOWNESS) | 1)
# One half-sent head: below the limit of a head, each send below the copy limit.
SENDS, SEND_BYTES, LINE_BYTES_MAX = 3, 4000, 100
# So many of them, about 4 MiB of events, are taken before the next follow: it is not the ring
# that is under test here.
WAVE, RING_MIB = 256, 16
# What the analyzer may grow by: the bound of what is half sent (see Connections) and the queue
# in front of it. 12 MB is usual.
GROWTH_BYTES = 64 << 20


@pytest.fixture
def silent() -> Iterator[tuple[LabNamespace, socket.socket]]:
    """Return a namespace and a listener in it: connections are made, nobody answers."""
    with LabNamespace() as alone, alone.socket() as server:
        server.bind((IMDS_IPV4, IMDS_PORT))
        server.listen(4096)  # the most the kernel takes unless it is told otherwise
        yield alone, server


def _count(watch: Watch, marker: str) -> int:
    return len(watch.requests(marker))


def _known(watch: Watch, marker: str) -> int:
    """Count the requests that are written and those that are reported as missed."""
    lost: int = sum(line["count"] for line in watch.lost_requests())
    return _count(watch, marker) + lost


def test_a_crowd_that_calls_at_once_is_named_to_the_last(
    watch: Watch, silent: tuple[LabNamespace, socket.socket], tmp_path: Path
) -> None:
    """A thousand programs call in one moment and are gone: pid, arguments, parent of each."""
    marker = new_marker()
    program = compile_crowd(tmp_path)
    alone, _server = silent
    with crowd(program, alone, f"/latest/{marker}", CALLERS, at_once=CALLERS) as callers:
        # Nobody answers, so each waits its time for that; the one that settles does not.
        eventually(
            "all are written or missed", lambda: _known(watch, marker) >= CALLERS, 6 * DEADLINE_S
        )
        found = watch.settled(marker)
    if watch.all_are_named(callers.pids, found):
        assert watch.lost_requests() == []
    numbers = {pid: number for number, pid in enumerate(callers.pids)}
    for line in found:
        process = line["process"]
        number = numbers[process["pid"]]
        assert line["url"]["path"] == f"/latest/{marker}/{number}"
        assert process["args"] == callers.args_of(number)
        parent, *others = process["ancestors"]
        assert parent["pid"] == callers.pid
        assert parent["name"] == "crowd"
        assert parent["args"] == callers.argv
        assert others[-1]["pid"] == 1
        assert line["imds"]["version"] == "v1"


def test_half_sent_requests_by_the_thousand_are_bounded_and_all_recorded(
    probe: str, silent: tuple[LabNamespace, socket.socket], namespace: LabNamespace, tmp_path: Path
) -> None:
    """The longest unused make room within the stated bytes, each as a record of its own."""
    marker = new_marker()
    alone, server = silent
    allowed = _allow_descriptors(2 * HALF_SENT + 500)
    half_sent = min(HALF_SENT, (allowed - 500) // 2)
    # The request line is read at once and not held.
    kept = MAX_BUFFERED_BYTES // (SENDS * SEND_BYTES - LINE_BYTES_MAX)
    assert kept < half_sent < MAX_CONNECTIONS
    assert SENDS * SEND_BYTES < MAX_HEAD_BYTES
    fresh = Watch(probe, namespace, tmp_path)
    sockets: list[socket.socket] = []
    options = ("--response-wait", "0", "--ring-mib", str(RING_MIB))
    with fresh.running(*options, required=probe in REQUIRED):
        assert fresh.process is not None
        analyzer = psutil.Process(fresh.process.pid)
        before = analyzer.memory_info().rss
        try:
            for number in range(half_sent):
                client = alone.socket()
                sockets.append(client)
                client.connect((IMDS_IPV4, IMDS_PORT))
                sockets.append(server.accept()[0])
                head = f"GET /latest/{marker}/{number} HTTP/1.1\r\nX-Filler: "
                client.sendall(head.encode().ljust(SEND_BYTES, b"x"))
                for _ in range(SENDS - 1):
                    client.sendall(b"x" * SEND_BYTES)
                if number % WAVE == 0:
                    _wait_until_taken(fresh, alone)
            least = half_sent - kept
            eventually(
                "those beyond the bound are written",
                lambda: _count(fresh, marker) >= least,
                6 * DEADLINE_S,
            )
            grown = analyzer.memory_info().rss - before
            assert grown < GROWTH_BYTES
            print(f"{half_sent} half-sent, {kept} kept, grown by {grown / 1e6:.1f} MB")
        finally:
            for each in sockets:
                each.close()
        fresh.stop()
    found = fresh.requests(marker)
    # Of connections that were forgotten the requests are written, as far as they go.
    lost = [each for each in fresh.lost_requests() if each["reason"] != EVICTED]
    if lost and may_be_skipped(probe):
        assert half_sent - len(found) <= sum(line["count"] for line in lost)
        return
    assert lost == []
    assert len(found) == half_sent
    assert {line["imds"]["version"] for line in found} == {"unknown"}
    assert {line["imds"]["reason"] for line in found} == {"incomplete"}
    assert {int(line["url"]["path"].rpartition("/")[2]) for line in found} == set(range(half_sent))


def _wait_until_taken(watch: Watch, alone: LabNamespace) -> None:
    """Return once all that was sent before has been judged; what follows in the ring is."""
    last = new_marker()
    with alone.socket() as client:
        client.connect((IMDS_IPV4, IMDS_PORT))
        client.sendall(f"GET /latest/{last} HTTP/1.1\r\n\r\n".encode())
        watch.hurried("the last request is written", lambda: watch.requests(last), 6 * DEADLINE_S)


def _allow_descriptors(wanted: int) -> int:
    """Raise this process's limit of descriptors as far as it may; returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        soft = min(wanted, hard) if hard != resource.RLIM_INFINITY else wanted
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft
