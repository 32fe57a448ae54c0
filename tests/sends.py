"""Sends as a source would deliver them, for the tests of everything behind a source."""

from __future__ import annotations

from typing import Optional

from analyzer.recorder.callers import Caller, NamedProcess
from analyzer.recorder.source_events import Chunk, Connection, KernelProcess, Problem, Snapshot

# Looks like a session token of IMDSv2; opens nothing.
TOKEN = "AQAEAHYKwxKSU3m1Zc0gKq7dV9sPz2LtXbE4nRfWjUyOaIhQlGMTBw=="

START = 0xFFFF_FFF0  # 16 bytes before the sequence numbers wrap


def connection(port: int = 41234) -> Connection:
    """Return a connection from a local port to the service."""
    return Connection(0xFFFF_8881_0000_0000 + port, 4026531840, "10.0.3.7", port,
                      "169.254.169.254", 80)  # fmt: skip


def snapshot(pid: int = 4242) -> Snapshot:
    """Return a caller without ancestors."""
    process = KernelProcess(1_000, pid, 1001, b"python3")
    return Snapshot(process, 77, b"python3\0worker.py\0", False, (), False)


def kernel_of(who: Optional[Snapshot]) -> KernelProcess:
    """Return the process of a snapshot, which must have one."""
    assert who is not None
    assert who.process is not None
    return who.process


def pid_of(who: Optional[Snapshot]) -> int:
    """Return the number of the process, 0 where none is known."""
    return 0 if who is None or who.process is None else who.process.pid


def chunk(
    data: bytes,
    position: int = 0,
    *,
    missing: int = 0,
    problem: Problem = Problem.TRUNCATED,
    start: int = START,
    port: int = 41234,
    at_ns: int = 0,
    tid: int = 4242,
    offset: Optional[int] = None,
) -> Chunk:
    """Return the send of ``data`` at a position of its stream, with bytes missing behind it."""
    return Chunk(
        boottime_ns=at_ns,
        connection=connection(port),
        sequence=(start + position) % 2**32,
        offset=position if offset is None else offset,
        size=len(data) + missing,
        data=data,
        problem=problem if missing else None,
        tid=tid,
        snapshot=snapshot(tid),
    )


def process_of(caller: Caller) -> NamedProcess:
    """Return who it is; fails for nobody."""
    assert caller.process is not None
    return caller.process
