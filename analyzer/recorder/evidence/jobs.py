"""Says of a caller what has to be known to look at its code, and tells callers apart for that."""

from __future__ import annotations

import functools
import json
import os
from typing import NamedTuple, Optional

from analyzer.recorder.callers import NamedProcess
from analyzer.recorder.records import Record
from analyzer.software.process import script_of

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_NS_PER_S = 1_000_000_000
# Ancestors through which a gone process's mount namespace is looked for.
_ANCESTORS_MAX = 16
# Programs whose script is remembered: a job brings the same ancestors with each new process. At
# most 5 KiB each, and mostly a tenth.
SCRIPTS_MAX = 256

# A caller's key, and its file: device, inode, mount namespace. Last the script.
FileIdentity = tuple[str, int, int, int, str]


class Target(NamedTuple):
    """One process as it was at the call. ``start_ticks`` are those of /proc/PID/stat."""

    pid: int
    start_ticks: int
    executable: str
    inode: int
    device: int
    args: tuple[str, ...]
    script: str


class Job(NamedTuple):
    """A request to look at the code of a caller, or of the script that started it.

    ``launcher`` is None if the process runs a script itself, or if no ancestor does.
    ``ways`` are the pids and start times of ancestors: one of them may be in the same mount
    namespace when the process is gone.
    """

    process: Target
    launcher: Optional[Target]
    ways: tuple[tuple[int, int], ...]
    mount_namespace: int
    unit: str
    with_text: bool
    room: int

    def encoded(self) -> bytes:
        """Return it as one message for the worker."""
        return json.dumps(self).encode()


def decoded(message: bytes) -> Job:
    """Return the job of a message."""
    process, launcher, ways, *rest = json.loads(message)
    return Job(
        _target(process),
        None if launcher is None else _target(launcher),
        tuple((pid, ticks) for pid, ticks in ways),
        *rest,
    )


def _target(fields: list[object]) -> Target:
    target = Target(*fields)  # type: ignore[arg-type] # as encoded() has written them
    return target._replace(args=tuple(target.args))


def job_of(record: Record, offset_ns: int, *, with_text: bool, room: int) -> Optional[Job]:
    """Return the job for the caller of a record, None if nobody knows who called.

    ``offset_ns`` is what /proc adds to the kernel's boot clock (host.time_namespace).
    """
    caller = record.caller
    process = caller.process
    if process is None or caller.identity is None:
        return None
    target = _target_of(process, offset_ns)
    ancestors = [_target_of(each, offset_ns) for each in caller.ancestors[:_ANCESTORS_MAX]]
    launcher = None
    if not target.script:
        launcher = next((each for each in ancestors if each.script), None)
    return Job(
        process=target,
        launcher=launcher,
        ways=tuple((each.pid, each.start_ticks) for each in ancestors),
        mount_namespace=process.mount_namespace,
        unit=caller.service or "",
        with_text=with_text,
        room=room,
    )


def identity_of(record: Record, job: Job) -> FileIdentity:
    """Return what tells callers apart: each is looked at once."""
    key = "" if record.caller.identity is None else record.caller.identity.key
    process, launcher = job.process, job.launcher
    script = process.script or ("" if launcher is None else launcher.script)
    return key, process.device, process.inode, job.mount_namespace, script


def _target_of(process: NamedProcess, offset_ns: int) -> Target:
    args = process.args or ()
    executable = process.executable or ""
    return Target(
        pid=process.pid,
        start_ticks=(process.start_boottime_ns + offset_ns) * _TICKS_PER_S // _NS_PER_S,
        executable=executable,
        inode=process.executable_inode,
        device=process.executable_device,
        args=args,
        script=_script(process.name, executable, args),
    )


@functools.lru_cache(maxsize=SCRIPTS_MAX)
def _script(name: str, executable: str, args: tuple[str, ...]) -> str:
    return script_of(name, executable, args)
