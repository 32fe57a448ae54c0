"""Memory: bounded under load, and what happens at the unit's limit."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import time
from pathlib import Path

from analyzer.imds import IMDS_IPV4
from analyzer.lab.namespace import LabNamespace
from bench.compiled import compile_program
from bench.load import open_discard, open_load
from tests.faults.conftest import Observed
from tests.faults.load import Load, Outage, explain
from tests.faults.memory import memory_group
from tests.faults.service import Line, Service, events_of, numbers_of, whole
from tests.live.crowd import compile_crowd, crowd
from tests.live.watch import eventually, new_marker

UNIT = Path(__file__).parents[2] / "systemd" / "imds-analyzer.service"
FLOOD, AT_ONCE_S, GENERATORS = 60_000, 0.001, 2
# What bench/generator.c sends, and the verdicts on it. Behind a loss, on the same connection, what
# looks like IMDSv2 may be a part of another request.
AGENTS = ("Boto3", "aws-sdk-go-v2")
VERDICTS = {("Boto3", "v1", "no_token_header"), ("aws-sdk-go-v2", "v2", "token_header")}
AFTER_A_LOSS = {("aws-sdk-go-v2", "unknown", "uncertain_framing")}
CLIENT_STARTS, AT_ONCE = 10_000, 20
# Less than what half-sent requests may take: the limit is what is reached.
ROOM_BYTES = 3 << 20
HALF_SENT, SENDS, SEND_BYTES = 700, 3, 4000


def memory_max() -> int:
    """Return the unit's MemoryMax=."""
    found = re.search(r"^MemoryMax=(\d+)M$", UNIT.read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) << 20


def peak_bytes(pid: int) -> int:
    """Return the most that a process ever had resident."""
    found = re.search(r"^VmHWM:\s*(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) << 10


def agent_of(line: Line) -> str:
    """Return the program that a request names, without its version; "" for none."""
    agent: str = line.get("user_agent", {}).get("original", "")
    return agent.partition("/")[0]


def is_of(line: Line, pids: frozenset[int]) -> bool:
    """Tell whether one of the processes sent it; who sent may be lost, what was sent tells it."""
    if "process" in line:
        return line["process"]["pid"] in pids
    return line["imds"]["reason"] == "capture_gap" or agent_of(line) in AGENTS


def test_a_flood_stays_below_the_units_limit(
    service: Service, tmp_path: Path, observed: Observed
) -> None:
    """As fast as can be sent, in a cgroup like the service's: it lives, and counts what it lost."""
    with memory_group() as group, open_load(tmp_path) as load:
        group.limit(memory_max())
        service.prefix = group.prefix
        with service.running():
            sent = load.send(round(FLOOD / AT_ONCE_S), AT_ONCE_S, GENERATORS)
            # What is left is judged; nothing more comes.
            peak = peak_bytes(service.pid)
            service.stop()
            assert group.kills() == 0
        (stopped,) = events_of(service.lines(), "analyzer_stopped")
    lines = service.lines()
    ours = [line for line in events_of(lines, "imds_request") if is_of(line, sent.pids)]
    judged = whole(ours)
    verdicts = {
        (agent_of(line), line["imds"]["version"], line["imds"]["reason"]) for line in judged
    }
    assert verdicts - AFTER_A_LOSS == VERDICTS
    assert stopped["lost"] or not verdicts & AFTER_A_LOSS
    assert max(peak, stopped["rss_bytes"]) < memory_max()
    missing = sent.requests - len(judged)
    # A packet that was lost has one request, or those that TCP joined in it. Of others on this
    # host some may be among the lost.
    joined = sent.requests - sent.packets
    assert 0 <= missing <= stopped["lost"] + (joined if stopped["lost"] else 0)
    observed(
        "memory: a flood",
        f"{sent.requests} sent in {sent.packets} packets, in {sent.seconds:.1f} s"
        f" = {len(judged)} recorded + {missing} in {stopped['lost']} packets counted lost"
        f" ({len(ours) - len(judged)} lines tell of a gap);"
        f" resident at most {peak / 1e6:.0f} MB, {stopped['rss_bytes'] / 1e6:.0f} MB afterwards,"
        f" limit {memory_max() / 1e6:.0f} MB",
    )


def test_the_limit_is_reached(
    service: Service, namespace: LabNamespace, observed: Observed
) -> None:
    """The kernel ends it; started again, it goes on with a log that is whole."""
    service.configure(capture="ring_mib = 64")
    marker = new_marker()
    with contextlib.ExitStack() as undo:
        group = undo.enter_context(memory_group())
        group.limit(memory_max())
        service.prefix = group.prefix
        quiet = undo.enter_context(LabNamespace())
        server = undo.enter_context(quiet.socket())
        server.bind((IMDS_IPV4, 80))
        server.listen(4096)
        undo.enter_context(service.running())
        load = undo.enter_context(Load(namespace))
        service.until_recorded(load.marker, 100)
        group.limit(group.usage() + ROOM_BYTES)
        held: list[socket.socket] = []
        while service.process.poll() is None and len(held) < HALF_SENT:
            held.append(undo.enter_context(half_sent(quiet, f"/latest/{marker}/{len(held)}")))
        eventually("it is ended", lambda: service.process.poll() is not None, 60)
        ended_s = time.monotonic()
        assert service.process.returncode == -signal.SIGKILL
        assert group.kills() == 1
        group.limit(memory_max())
        service.restart()
        outage = Outage(ended_s, time.monotonic())
        load.more(100)
        sent = load.stop()
        service.stop()
    lines = service.lines()
    recorded = numbers_of(lines, load.marker)
    (gap,) = explain(load, recorded, [outage])
    observed(
        "memory: the limit is reached",
        f"ended by the kernel with {len(held)} half-sent requests held, started again; {sent} sent"
        f" = {len(recorded)} recorded + {gap.unseen} while no probe was attached"
        f" + {gap.in_hand} in hand when killed; {len(lines)} lines, all whole",
    )


def half_sent(quiet: LabNamespace, path: str) -> socket.socket:
    """Return a connection on which the begin of a request was sent."""
    client = quiet.socket()
    client.connect((IMDS_IPV4, 80))
    client.sendall(f"GET {path} HTTP/1.1\r\nX-Filler: ".encode().ljust(SEND_BYTES, b"x"))
    for _ in range(SENDS - 1):
        client.sendall(b"x" * SEND_BYTES)
    return client


def test_ten_thousand_restarts_of_a_client(
    service: Service, tmp_path: Path, observed: Observed
) -> None:
    """Each a process of its own that calls once and is gone: named to the last, memory bounded."""
    marker = new_marker()
    program = compile_crowd(tmp_path)
    discard = compile_program("discard", tmp_path)
    with (
        LabNamespace() as quiet,
        open_discard(quiet, discard, IMDS_IPV4, 80),
        service.running(),
    ):
        before = peak_bytes(service.pid)
        path = f"/latest/{marker}"
        with crowd(program, quiet, path, CLIENT_STARTS, at_once=AT_ONCE) as callers:
            after = peak_bytes(service.pid)
        service.stop()
    lines = service.lines()
    named = {}
    for line in events_of(lines, "imds_request"):
        place, _, number = line.get("url", {}).get("path", "").rpartition("/")
        if place == path:
            assert int(number) not in named
            named[int(number)] = line["process"]
    assert sorted(named) == list(range(CLIENT_STARTS))
    for number, process in named.items():
        assert process["pid"] == callers.pids[number]
        assert process["args"] == callers.args_of(number)
        assert process["ancestors"][0]["pid"] == callers.pid
    (stopped,) = events_of(lines, "analyzer_stopped")
    assert stopped["lost"] == 0
    assert stopped["rss_bytes"] < memory_max() / 2
    observed(
        "10,000 restarts of a client",
        f"{len(named)} of {CLIENT_STARTS} named with arguments and parent, 0 lost;"
        f" resident {before / 1e6:.0f} MB before, at most {after / 1e6:.0f} MB until the last call,"
        f" {stopped['rss_bytes'] / 1e6:.0f} MB at the end",
    )
