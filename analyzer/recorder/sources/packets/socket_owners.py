"""Finds the process that holds a socket, and takes a snapshot of it.

It is best effort and guesses nothing. A socket has no owner here if its process is gone, or if
several hold it. The same is true if there was no time to look. It searches /proc/PID/fd.
Processes that had sockets before come first. The newest come next, because callers may be
short-lived.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable, NamedTuple, Optional

from analyzer.host.procfs import Stat, maybe_stat, read
from analyzer.host.time_namespace import offset_ns
from analyzer.lru import Lru
from analyzer.recorder.source_events import Attribution, KernelProcess, Snapshot
from analyzer.recorder.sources.probe import layout

# Processes that open many connections one after the other; a host has some dozens.
KNOWN_MAX = 64
# Numbers of processes that are tried without looking which there are.
NEWEST = 32
# How long one is described as it was.
DESCRIBED_S = 1.0
# Part of the time that may go into all of this, and how much of it can be saved up: on a host
# with thousands of processes, to look through them takes a tenth of a second.
SHARE = 0.25
SAVED_S = 1.0
# Of one process, siblings and descendants that are asked whether they hold its socket, too.
FAMILY_MAX = 64


class _Known(NamedTuple):
    snapshot: Snapshot
    until_s: float


class Owners:
    """Finds the process of a socket; ``clock`` tells seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: Lru[int, _Known] = Lru(KNOWN_MAX)
        self._saved_s = SAVED_S
        self._asked_s = clock()
        self._offset_ns = offset_ns()

    @property
    def has_time(self) -> bool:
        """True if some of its CPU time is left; more is added as time passes."""
        now_s = self._clock()
        self._saved_s = min(SAVED_S, self._saved_s + (now_s - self._asked_s) * SHARE)
        self._asked_s = now_s
        return self._saved_s > 0

    def maybe_snapshot(self, inode: int) -> Optional[Snapshot]:
        """Return the one process that holds the socket with this inode, as it is now."""
        began_s = self._clock()
        try:
            return self._maybe_snapshot(f"socket:[{inode}]", began_s)
        finally:
            self._saved_s -= self._clock() - began_s

    def _maybe_snapshot(self, link: str, now_s: float) -> Optional[Snapshot]:
        found = next(filter(lambda each: _holds(each, link), self._candidates()), None)
        # The number may be that of a thread.
        pid = None if found is None else _maybe_number(found, b"Tgid:", 1)
        if pid is None or _is_shared(pid, link):
            return None
        known = self._known.pop(pid, None)
        if known is None or now_s >= known.until_s or not self._is_same(known.snapshot.process):
            snapshot = self._maybe_described(pid)
            # Whether it was still who held it.
            if snapshot is None or not _holds(pid, link):
                return None
            known = _Known(snapshot, now_s + DESCRIBED_S)
        self._known.put(pid, known)
        return known.snapshot

    def _candidates(self) -> Iterator[int]:
        # A caller that will not live long was just started; it must be met before it is gone.
        newest = _maybe_newest()
        yield from range(newest, max(0, newest - NEWEST), -1)
        for pid in list(reversed(self._known)):
            if Path(f"/proc/{pid}").exists():
                yield pid
            else:
                del self._known[pid]
        yield from _all_newest_first(newest)

    def _is_same(self, process: Optional[KernelProcess]) -> bool:
        stat = None if process is None else maybe_stat(process.pid)
        return (
            process is not None
            and stat is not None
            and stat.comm == process.comm
            and self._start_ns(stat) == process.start_boottime_ns
        )

    def _start_ns(self, stat: Stat) -> int:
        return stat.start_boottime_ns - self._offset_ns

    def _maybe_described(self, pid: int) -> Optional[Snapshot]:
        process = self._maybe_process(pid)
        if process is None:
            return None
        args = read(f"/proc/{pid}/cmdline")
        ancestors: list[KernelProcess] = []
        stat = maybe_stat(pid)
        while stat is not None and stat.parent and len(ancestors) < layout.ANCESTORS_MAX:
            ancestor = self._maybe_process(stat.parent)
            if ancestor is None:
                break
            ancestors.append(ancestor)
            stat = maybe_stat(stat.parent)
        return Snapshot(
            process,
            0,  # /proc tells the cgroup as well as its id
            args[: layout.ARGS_MAX],
            len(args) > layout.ARGS_MAX,
            tuple(ancestors),
            bool(stat is not None and stat.parent and len(ancestors) == layout.ANCESTORS_MAX),
            Attribution.SOCKET,
        )

    def _maybe_process(self, pid: int) -> Optional[KernelProcess]:
        stat = maybe_stat(pid)
        uid = _maybe_number(pid, b"Uid:", 2)  # real, effective
        if stat is None or uid is None:
            return None
        return KernelProcess(self._start_ns(stat), pid, uid, stat.comm)


def _maybe_newest() -> int:
    """Return the number that was given last; 0 where the kernel does not tell."""
    last = read("/proc/sys/kernel/ns_last_pid").strip()
    return int(last) if last.isdigit() else 0


def _all_newest_first(newest: int) -> Iterator[int]:
    names = (each.name for each in Path("/proc").iterdir())
    pids = sorted((int(name) for name in names if name.isdigit()), reverse=True)
    # Numbers begin anew where they are used up.
    yield from (pid for pid in pids if pid <= newest)
    yield from (pid for pid in pids if pid > newest)


def _holds(pid: int, link: str) -> bool:
    fds = f"/proc/{pid}/fd"
    try:
        names = os.listdir(fds)  # noqa: PTH208 -- for each process there is
    except OSError:
        return False
    for name in reversed(names):
        try:
            if os.readlink(f"{fds}/{name}") == link:  # noqa: PTH115 -- as above
                return True
        except OSError:
            continue
    return False


def _is_shared(pid: int, link: str) -> bool:
    """Tell whether a relative holds the socket, too: then nobody knows who sent.

    Sockets are handed on by fork, so the ancestors, the siblings and all their descendants are
    asked. One that was sent to a stranger is not looked for, and who was adopted by init has
    become one.
    """
    ancestors = list(_ancestors(pid))
    if any(_holds(each, link) for each in ancestors):
        return True
    parent = ancestors[0] if ancestors else 0
    family = [*_children(pid), *(_children(parent) if parent > 1 else ())]
    asked = {pid}
    for each in family:
        if each in asked:
            continue
        if len(asked) > FAMILY_MAX:
            return False
        asked.add(each)
        if _holds(each, link):
            return True
        family += _children(each)
    return False


def _ancestors(pid: int) -> Iterator[int]:
    for _ in range(layout.ANCESTORS_MAX):
        stat = maybe_stat(pid)
        if stat is None or not stat.parent:
            return
        pid = stat.parent
        yield pid


def _children(pid: int) -> list[int]:
    children = []
    try:
        tasks = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 -- as above
    except OSError:
        return []
    for task in tasks[:FAMILY_MAX]:
        children += [int(each) for each in read(f"/proc/{pid}/task/{task}/children").split()]
    return children


def _maybe_number(pid: int, name: bytes, at: int) -> Optional[int]:
    """Return a number of a line of /proc/PID/status, counted from the name on."""
    for line in read(f"/proc/{pid}/status").splitlines():
        if line.startswith(name):
            return int(line.split()[at])
    return None
