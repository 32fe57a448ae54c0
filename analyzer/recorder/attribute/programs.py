"""Remembers the programs of ancestors that may be gone before /proc is read.

The probe tells it of those that fork while it is attached; what forked before is read once
from /proc. Keeps no argument that is not masked.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Generator
from typing import NamedTuple, Optional

from analyzer.host.procfs import maybe_stat
from analyzer.lru import Cache
from analyzer.recorder.attribute.budget import Budget
from analyzer.recorder.attribute.processes import Processes, in_words, split_args
from analyzer.recorder.callers import NamedProcess, User
from analyzer.recorder.source_events import KernelProcess, Program
from analyzer.text import decode_text

# The kernel tells again after half a minute. At most 2.5 KB each, and mostly a fifth.
PROGRAMS_MAX = 2048
# Of what runs already, only what has children can be an ancestor before it forks again.
SURVEYED_MAX = 4096
# Characters of its arguments that are kept: as many bytes as the kernel copies.
ARGS_KEPT_MAX = 1024
# Processes are started over and over again: those that are looked at are bounded, too.
LOOKED_AT_MAX = 32768

REPLACED = ("executable",)  # what is not verified of a process that has replaced it
_FOREVER_S = float("inf")


class _Kept(NamedTuple):
    """A process with its masked arguments in one string: many short ones take much room."""

    boottime_ns: int
    comm: bytes
    process: NamedProcess
    args: Optional[str]

    def restored(self, kernel: KernelProcess) -> NamedProcess:
        args = None if self.args is None else tuple(self.args.split("\0"))
        # It may have taken another name since.
        name = self.process.name if kernel.comm == self.comm else decode_text(kernel.comm)
        process = self.process._replace(args=args, name=name)
        if process.executable_inode not in (0, kernel.executable_inode):
            return process._replace(unverified=REPLACED)  # without an exec
        return process


class Programs:
    """The programs of processes, by the identity of the process and of its exec."""

    def __init__(self, processes: Processes, budget: Optional[Budget] = None) -> None:
        """Know of none yet; ``budget`` bounds the time that masking takes."""
        self._processes = processes
        self._budget = budget
        self._told: Cache[tuple[int, int, int], _Kept] = Cache(PROGRAMS_MAX, _FOREVER_S)
        self._surveyed: dict[tuple[int, int, int], _Kept] = {}
        self._survey = self._look_around()

    def learn(self, program: Program, now: float) -> None:
        """Take what the kernel tells."""
        snapshot = program.snapshot
        if snapshot is None or snapshot.process is None:
            return
        kernel = snapshot.process
        key = (kernel.pid, kernel.start_boottime_ns, kernel.exec_id)
        kept = self._told.get(key, now)
        if kept is None or kept.boottime_ns != program.boottime_ns:
            executable = snapshot.executable
            kept = _keep(
                program.boottime_ns,
                in_words(
                    kernel,
                    split_args(snapshot.args),
                    args_truncated=snapshot.args_truncated,
                    executable=None if executable is None else decode_text(executable),
                    user=User(kernel.uid, None),
                    mount_namespace=snapshot.mount_namespace,
                    unverified=REPLACED if snapshot.is_executable_replaced else (),
                    budget=self._budget,
                ),
                kernel,
            )
            self._told.put(key, kept, now)

    def maybe_told(self, kernel: KernelProcess, now: float) -> Optional[NamedProcess]:
        """Return what the kernel told that a process runs; its user has no name."""
        kept = self._told.get((kernel.pid, kernel.start_boottime_ns, kernel.exec_id), now)
        return None if kept is None else kept.restored(kernel)

    def maybe_surveyed(self, kernel: KernelProcess) -> Optional[NamedProcess]:
        """Return what a process ran already when we started; its user is not known."""
        if not kernel.args_address:
            return None
        key = (kernel.pid, self._processes.start_ticks(kernel), kernel.args_address)
        kept = self._surveyed.get(key)
        return None if kept is None else kept.restored(kernel)

    def survey(self, for_s: float) -> bool:
        """Look at what runs already, for so long; returns whether that is done."""
        end = time.monotonic() + for_s
        return all(time.monotonic() < end for _ in self._survey)

    def _look_around(self) -> Generator[None, None, None]:
        with contextlib.suppress(OSError):
            pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208
            stats = {}
            for pid in pids[:LOOKED_AT_MAX]:
                stat = maybe_stat(pid)
                if stat is not None:
                    stats[pid] = stat
                yield
            parents = {stat.parent for stat in stats.values()}
            # A kernel thread has no arguments.
            stats = {
                pid: stat for pid, stat in stats.items() if pid in parents and stat.args_size > 0
            }
            for pid, stat in stats.items():
                if len(self._surveyed) >= SURVEYED_MAX:
                    break
                kernel = self._processes.as_kernel_sees(pid, stat)
                facts = self._processes.look_up(kernel, args=True, cgroup=False)
                if facts.args:
                    process = in_words(
                        kernel,
                        facts.args,
                        args_truncated=facts.args_too_long,
                        executable=facts.executable,
                        user=User(0, None),
                    )
                    key = (pid, stat.start_ticks, stat.args_address)
                    self._surveyed[key] = _keep(0, process, kernel)
                yield


def _keep(boottime_ns: int, process: NamedProcess, kernel: KernelProcess) -> _Kept:
    args = None if process.args is None else "\0".join(process.args)
    if args is not None and len(args) > ARGS_KEPT_MAX:
        args = args[:ARGS_KEPT_MAX]
        process = process._replace(args_truncated=True)
    return _Kept(boottime_ns, kernel.comm, process._replace(args=None), args)
