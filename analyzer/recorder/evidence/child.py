"""Runs in the worker: answers jobs until its socket ends. Only :func:`serve` is called.

It is a copy of the recorder, made without exec: a program that is started has no capabilities.
It gives up what it does not need of that copy.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import os
import resource
import signal
import socket
from typing import Callable

from analyzer.recorder.evidence.fields import Fields
from analyzer.recorder.evidence.jobs import Job, decoded
from analyzer.recorder.sinks.encoding import encode

MESSAGE_MAX = 1 << 17
# Memory beyond what the recorder has: one file, and what is made of it.
_MEMORY_MORE = 96 << 20
# Of all its looks together: a worker that lives on has used much less.
_CPU_S_MAX = 300
_PR_SET_PDEATHSIG = 1
# linux/ioprio.h: only when nobody else wants the disk.
_IOPRIO_WHO_PROCESS, _IOPRIO_IDLE = 1, 3 << 13
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
_PAGE = os.sysconf("SC_PAGE_SIZE")


def serve(jobs: socket.socket, parent: int) -> None:
    """Answer each job with one message, until there are no more."""
    _end_with(parent)
    for number in (signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    _close_others(jobs.fileno())
    _yield_to_others()
    _bound()
    gc.freeze()  # what was copied is not looked through, and so not copied in fact
    jobs.setblocking(True)
    while True:
        message = jobs.recv(MESSAGE_MAX)
        if not message:
            return
        jobs.send(_answer(message))


def _answer(message: bytes) -> bytes:
    look = _look()
    try:
        return encode(look(decoded(message)))
    except MemoryError:
        return encode({"lacks": ["it needs too much memory"]})
    except Exception as error:  # noqa: BLE001 (a finder's fault must not end the others' looks)
        return encode({"lacks": [f"{type(error).__name__} while looking"]})


@functools.cache
def _look() -> Callable[[Job], Fields]:
    """Return what looks, with all finders loaded: that is no part of any look's time."""
    from analyzer.recorder.evidence.look import look  # noqa: PLC0415 (in the worker alone)
    from analyzer.software.finders import finders  # noqa: PLC0415

    for _ in finders():
        pass
    return look


def _end_with(parent: int) -> None:
    libc = ctypes.CDLL(None)
    zero = ctypes.c_ulong(0)
    libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), zero, zero, zero)
    if os.getppid() != parent:  # it has ended before that
        os._exit(0)


def _close_others(kept: int) -> None:
    """Close the log, the probe and all sockets: they are to end with the recorder."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 (as procfs)
        fd = int(name)
        if fd > 2 and fd != kept:  # noqa: PLR2004 (standard streams)
            with contextlib.suppress(OSError):
                os.close(fd)


def _yield_to_others() -> None:
    """Run when nobody else does. The unit refuses it (@resources); there, Nice= has to do."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    number = _IOPRIO_SET.get(os.uname().machine)
    if number is not None:
        ctypes.CDLL(None).syscall(number, _IOPRIO_WHO_PROCESS, 0, _IOPRIO_IDLE)


def _bound() -> None:
    """Bound what a look takes in all, whatever a finder does. The kernel ends what goes beyond."""
    with contextlib.suppress(OSError, ValueError):
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 (as procfs)
            size = int(file.read().split()[0]) * _PAGE
        resource.setrlimit(resource.RLIMIT_AS, (size + _MEMORY_MORE,) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S_MAX,) * 2)
