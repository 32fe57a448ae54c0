"""A process vanishes while it is looked up: before each single step of it, in turn."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Callable, Optional

import pytest

from analyzer.recorder.attribute import Attributor
from analyzer.recorder.callers import Caller
from analyzer.recorder.source_events import KernelProcess, Snapshot
from tests.faults.conftest import Observed
from tests.sends import process_of

TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")
SLEEP = shutil.which("sleep") or "/bin/sleep"
ARGS = (SLEEP, "86400")
# What the kernel copied of them; the rest is for /proc to tell.
CUT = b"\0".join(map(os.fsencode, ARGS))[:-2]
CUT_ARGS = tuple(CUT.decode().split("\0"))


@contextlib.contextmanager
def child() -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that does nothing, until it is ended."""
    process = subprocess.Popen(ARGS)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def kernel_facts(pid: int) -> KernelProcess:
    """Describe a living process as the probe would."""
    ticks = int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()[19])
    return KernelProcess(ticks * TICK_NS + TICK_NS // 2, pid, os.getuid(), b"sleep")


def as_caller(process: KernelProcess) -> Snapshot:
    """Return a call of its own."""
    return Snapshot(process, 0, CUT, True, (), False)


def as_parent(process: KernelProcess) -> Snapshot:
    """Return a call of a child of its, which is gone."""
    gone = KernelProcess(process.start_boottime_ns + TICK_NS, 4_194_305, 0, b"curl")
    return Snapshot(gone, 0, b"curl\0", False, (process,), False)


def reap(process: subprocess.Popen[bytes]) -> None:
    """End it, with nothing left of it."""
    process.kill()
    process.wait()


def leave_a_zombie(process: subprocess.Popen[bytes]) -> None:
    """End it, as a parent does that has not asked for its end yet."""
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


def attribute(
    snapshot: Snapshot, at: int, do: Callable[[], None]
) -> tuple[Caller, int, Optional[str]]:
    """Attribute; do something just before the call number ``at`` of a function written in C.

    Everything that asks the operating system is one. Returns the number of calls, too, and
    which one it was.
    """
    attributor = Attributor()
    calls = 0
    which: Optional[str] = None

    def watch(_frame: FrameType, event: str, function: object) -> None:
        nonlocal calls, which
        if event != "c_call":
            return
        calls += 1
        if calls == at:
            which = getattr(function, "__qualname__", str(function))
            do()

    sys.setprofile(watch)
    try:
        caller = attributor.attribute(snapshot)
    finally:
        sys.setprofile(None)
    return caller, calls, which


@pytest.mark.parametrize("end", [reap, leave_a_zombie])
@pytest.mark.parametrize("snapshot_of", [as_caller, as_parent])
def test_a_process_that_vanishes_before_any_step(
    snapshot_of: Callable[[KernelProcess], Snapshot],
    end: Callable[[subprocess.Popen[bytes]], None],
    observed: Observed,
) -> None:
    """It is told all the same, with the kernel's facts at least, and never anything false."""
    at, whole, reads = 0, 0, 0
    while True:
        at += 1
        with child() as process:
            # Only exec gives it its name.
            while Path(f"/proc/{process.pid}/comm").read_bytes() != b"sleep\n":
                pass
            kernel = kernel_facts(process.pid)
            caller, calls, which = attribute(
                snapshot_of(kernel), at, functools.partial(end, process)
            )
        is_caller = snapshot_of is as_caller
        seen = process_of(caller) if is_caller else caller.ancestors[0]
        assert (seen.pid, seen.name) == (kernel.pid, "sleep"), which
        assert seen.start_boottime_ns == kernel.start_boottime_ns
        assert seen.user.id == kernel.uid
        assert seen.executable in (None, str(Path(SLEEP).resolve())), which
        known = CUT_ARGS if is_caller else None
        assert seen.args in (known, ARGS), which
        assert seen.args_truncated == (is_caller and seen.args != ARGS), which
        if not is_caller:
            assert process_of(caller).name == "curl"
        whole += seen.args == ARGS and seen.executable is not None
        reads += which in ("open", "read", "readlink", "stat", "listdir")
        if calls < at:  # it lived to the end: nothing is missing then
            assert seen.args == ARGS
            assert seen.executable is not None
            break
    # It ended between the first step and the last, and before each read of them.
    assert 0 < whole < at
    assert reads > 5
    observed(
        f"vanishing, {snapshot_of.__name__[3:]}, {end.__name__.replace('_', ' ')}",
        f"ended before each of {at - 1} steps, {reads} of them reads of /proc: all told,"
        f" {whole} whole, {at - whole} with what the kernel and earlier reads had told",
    )
