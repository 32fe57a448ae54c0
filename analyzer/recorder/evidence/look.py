"""Reads what one caller runs: its process if that is the same still, else its file alone.

Runs in the worker, and only reads.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

from analyzer.host.mounts import devices_in, slow_mounts_in
from analyzer.host.procfs import maybe_stat
from analyzer.recorder.evidence.fields import Fields, to_fields
from analyzer.recorder.evidence.jobs import Job, Target
from analyzer.software.budget import Budget, Spent
from analyzer.software.finders import OF_LIBRARIES, of_process
from analyzer.software.found import Found, Origin, Package, ScriptLine
from analyzer.software.process import subject_of
from analyzer.software.recorded import code_of
from analyzer.software.root import Root
from analyzer.software.subject import Subject

# Of one look; see docs/security.md. The files of an application with its packages are some
# hundreds, whose names alone are read mostly.
CPU_S = 0.05
# What is read is not kept: the directory of a jar of 100,000 entries has 11 MiB, dpkg's lists 8.
BYTES_MAX = 64 << 20
FILES_MAX = 4000
# Of /proc/PID/mountinfo; a node with 200 pods has some 300 KiB.
_MOUNTINFO_MAX = 1 << 20

# Reasons why less was found than there may be.
GONE = "the process has ended, and its files are looked at"
OUT_OF_REACH = "the process has ended, and no other one is in its mount namespace"
REPLACED = "the process has ended, and its executable is another file now"
LIMIT = "limit"
# What a launcher's look is for. Libraries that it loads are not the caller's.
_OF_LAUNCHER = (ScriptLine, Origin, Package)


class _Looked(NamedTuple):
    found: list[Found]
    lacks: list[str]


def look(job: Job) -> Fields:
    """Return the members of ``code`` for a job; never raises for what the host's files hold."""
    budget = Budget(bytes_max=BYTES_MAX, files_max=FILES_MAX, cpu_s=CPU_S)
    found: list[Found] = []
    lacks: list[str] = []
    # The script first: its lines are what has to be changed, and they cost little.
    if job.launcher is not None:
        further, reasons = _at(job.launcher, job, budget, without=OF_LIBRARIES)
        found += [each for each in further if isinstance(each, _OF_LAUNCHER)]
        lacks += [f"{job.launcher.script}: {reason}" for reason in reasons]
    own, reasons = _at(job.process, job, budget)
    found += own
    lacks += reasons
    return to_fields(code_of(dict.fromkeys(found), lacks), job.room, with_text=job.with_text)


def _at(target: Target, job: Job, budget: Budget, without: Sequence[str] = ()) -> _Looked:
    lacks: list[str] = []
    try:
        with _subject(target, job, budget, lacks) as subject:
            if subject is None:
                return _Looked([], lacks)
            found, reasons = of_process(subject, without)
            refused = subject.root.refused
            reasons += [f"{path} is {kind}, which is not read" for path, kind in refused.items()]
    except Spent:
        return _Looked([], [*lacks, LIMIT])
    except OSError as error:
        return _Looked([], [*lacks, error.strerror or "cannot be read"])
    return _Looked(found, lacks + reasons)


@contextlib.contextmanager
def _subject(
    target: Target, job: Job, budget: Budget, lacks: list[str]
) -> Iterator[Optional[Subject]]:
    """Yield the running process, else its files; None if there is no way to them."""
    subject = _maybe_running(target, job, budget)
    if subject is None:
        subject = _maybe_files(target, job, budget, lacks)
    try:
        yield subject
        # It may have been replaced while it was read, and its number be another's.
        if subject is not None and subject.pid is not None and not _is_same(target):
            lacks.append("the process has ended meanwhile")
    finally:
        if subject is not None:
            subject.root.close()


def _maybe_running(target: Target, job: Job, budget: Budget) -> Optional[Subject]:
    """Return the process if it runs what it ran at the call."""
    if not _is_same(target):
        return None
    try:
        subject = subject_of(
            target.pid,
            start_ticks=target.start_ticks,
            unit=job.unit,
            budget=budget,
            avoid=slow_mounts_in(_mountinfo(target.pid)),
        )
    except ProcessLookupError:
        return None
    if _is_same(target):
        return subject
    subject.root.close()
    return None


def _is_same(target: Target) -> bool:
    """Tell whether a process is the one that called, and executes the same file.

    The folder is opened first: whoever gets the number next has another one.
    """
    try:
        folder = os.open(f"/proc/{target.pid}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        stat = maybe_stat(target.pid)
        if stat is None or stat.start_ticks != target.start_ticks:
            return False
        if not target.inode:
            return True
        return os.stat("exe", dir_fd=folder).st_ino == target.inode
    except OSError:
        return False
    finally:
        os.close(folder)


def _maybe_files(target: Target, job: Job, budget: Budget, lacks: list[str]) -> Optional[Subject]:
    """Return the files of a process that has ended, seen from another one's root."""
    pid = _maybe_way(job)
    if pid is None:
        lacks.append(OUT_OF_REACH)
        return None
    mountinfo = _mountinfo(pid)
    root = Root(f"/proc/{pid}/root", budget, slow_mounts_in(mountinfo))
    try:
        file = root.stat(target.executable)
        device = os.major(file.st_dev) << 20 | os.minor(file.st_dev)
        is_same = file.st_ino == target.inode and (
            target.device in {device, *devices_in(mountinfo)}
        )
    except (OSError, ValueError):
        is_same = False
    if not is_same:
        root.close()
        lacks.append(REPLACED)
        return None
    lacks.append(GONE)
    script = target.script if target.script.startswith("/") else ""
    return Subject(root, target.executable, target.args, script=script, unit=job.unit)


def _maybe_way(job: Job) -> Optional[int]:
    """Return a process in the mount namespace of one that has ended."""
    for pid, start_ticks in job.ways:
        stat = maybe_stat(pid)
        is_same = stat is not None and stat.start_ticks == start_ticks
        if is_same and _mount_namespace(pid) == job.mount_namespace:
            return pid
    # The host's own programs are in that of its first process, seldom in ours.
    return next(
        (pid for pid in (1, os.getpid()) if _mount_namespace(pid) == job.mount_namespace), None
    )


def _mount_namespace(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}/ns/mnt").st_ino  # noqa: PTH116 (as attribute)
    except OSError:
        return -1


def _mountinfo(pid: int) -> str:
    """Return the mounts that a process sees. Raises OSError."""
    with open(f"/proc/{pid}/mountinfo", "rb") as file:  # noqa: PTH123 (as procfs)
        return os.fsdecode(file.read(_MOUNTINFO_MAX))
