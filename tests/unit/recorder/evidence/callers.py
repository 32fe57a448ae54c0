"""Real processes as callers, and the records of their calls."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Optional

from analyzer.host.procfs import maybe_stat
from analyzer.host.time_namespace import offset_ns
from analyzer.recorder.attribute.identity import identified
from analyzer.recorder.callers import Caller, NamedProcess, User
from analyzer.recorder.evidence.worker import Worker
from analyzer.recorder.records import (
    Classification,
    Outcome,
    Record,
    Request,
    Response,
    Token,
    Version,
)
from analyzer.recorder.source_events import Connection

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
V1 = Classification(Version.V1, "metadata", "no_token_header", "aws")


@contextlib.contextmanager
def running(*argv: str) -> Iterator[int]:
    """Run a program that reads its standard input until the block ends."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
        try:
            # Popen returns in the midst of execve(2), before the kernel knows the arguments.
            deadline = time.monotonic() + 30
            while not Path(f"/proc/{child.pid}/cmdline").read_bytes():
                assert time.monotonic() < deadline
            yield child.pid
        finally:
            child.kill()


def process_of(pid: int) -> NamedProcess:
    """Return what the kernel tells of a running process."""
    stat = maybe_stat(pid)
    assert stat is not None
    proc = Path(f"/proc/{pid}")
    file = (proc / "exe").stat()
    args = (proc / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    return NamedProcess(
        pid=pid,
        name=(proc / "comm").read_text().strip(),
        executable=str((proc / "exe").readlink()),
        args=tuple(map(os.fsdecode, args)),
        args_truncated=False,
        start_boottime_ns=(2 * stat.start_ticks + 1) * 10**9 // (2 * _TICKS_PER_S) - offset_ns(),
        user=User(0, "root"),
        executable_inode=file.st_ino,
        executable_device=os.major(file.st_dev) << 20 | os.minor(file.st_dev),
        mount_namespace=(proc / "ns/mnt").stat().st_ino,
    )


def record_of(
    process: Optional[NamedProcess],
    ancestors: Sequence[NamedProcess] = (),
    verdict: Classification = V1,
    realm: str = "",
) -> Record:
    """Return a call of a process."""
    return Record(
        at_ns=1_795_287_001_123_456_000,
        process_start_at_ns=1_795_286_400_000_000_000,
        connection=Connection(1, 1, "10.0.3.7", 41234, "169.254.169.254", 80),
        tid=0 if process is None else process.pid,
        request=Request("GET", "/latest/", Token.ABSENT, None, False, frozenset(), None),
        verdict=verdict,
        caller=identified(
            Caller(process, tuple(ancestors), False, None, "app.service", realm=realm)
        ),
        response=Response(Outcome.SUCCESS, 200),
    )


def wait_for_the_end(worker: Worker[Any]) -> None:
    """Wait until the processes that a worker has ended are gone: other tests count their children.

    Without asking all the time: they yield to all others, so whoever asks keeps them from ending.
    On a busy machine that takes half a minute, unless root lets them no longer yield.
    """
    for pid in worker._ended:
        with contextlib.suppress(PermissionError, ProcessLookupError):
            os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))
        with contextlib.suppress(ChildProcessError):  # it is gone already
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    worker.answers()
    assert not worker._ended
