"""Wraps perf_event_open(2), for which neither Python nor the C library has a function."""

from __future__ import annotations

import ctypes
import errno
import os

from analyzer.errors import KernelLacks

_NUMBERS = {"x86_64": 298, "aarch64": 241}

PERF_TYPE_TRACEPOINT = 2
PERF_FLAG_FD_CLOEXEC = 8
ANY_PROCESS = -1
NO_GROUP = -1

_REMEDY = "Needs a kernel with CONFIG_PERF_EVENTS; try --attach fentry"


class _Attributes(ctypes.Structure):
    """struct perf_event_attr up to PERF_ATTR_SIZE_VER0, which every kernel accepts."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("config", ctypes.c_uint64),
        ("rest", ctypes.c_uint8 * 48),
    )


def open_tracepoint(identifier: int) -> int:
    """Return a descriptor for a tracepoint, by its id.

    A BPF program attached to it runs on every CPU, whichever one is named here. Raises
    PermissionError, or KernelLacks for all else.
    """
    machine = os.uname().machine
    number = _NUMBERS.get(machine)
    if number is None:
        raise KernelLacks(f"perf_event_open is not known for {machine}", _REMEDY)
    attributes = _Attributes(PERF_TYPE_TRACEPOINT, ctypes.sizeof(_Attributes), identifier)
    fd: int = ctypes.CDLL(None, use_errno=True).syscall(
        ctypes.c_long(number),
        ctypes.byref(attributes),
        ctypes.c_int(ANY_PROCESS),
        ctypes.c_int(min(os.sched_getaffinity(0))),  # one that is there: CPU 0 may be offline
        ctypes.c_int(NO_GROUP),
        ctypes.c_ulong(PERF_FLAG_FD_CLOEXEC),
    )
    if fd < 0:
        code = ctypes.get_errno()
        said = f"perf_event_open: {os.strerror(code)}"
        if code in (errno.EPERM, errno.EACCES):
            raise PermissionError(code, said)
        raise KernelLacks(said, _REMEDY)
    return fd
