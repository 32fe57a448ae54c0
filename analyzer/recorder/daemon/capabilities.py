"""Drops the capabilities that only loading and attaching need.

An attached analyzer only reads: memory that it mapped, descriptors that it holds, and /proc.
The parser of hostile bytes then runs in a process that cannot load programs into the kernel.
"""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from collections.abc import Collection

from analyzer.errors import ServiceError
from analyzer.host.capset import BothSets, Sets, this_process
from analyzer.host.privileges import CAPABILITIES

# To find a cgroup by its id (open_by_handle_at(2)), which names containers and services of
# processes that have ended; and to read /proc/PID/exe of other users' processes.
NAMING = frozenset({"CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE"})
# Root, started by hand, may have been given a log in somebody else's directory.
NAMING_AS_ROOT = NAMING | {"CAP_DAC_OVERRIDE"}

_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITIES_MAX = 64


def let_go() -> list[str]:
    """Drop every capability but those that naming callers needs; return the names of these.

    After it no program that is started gains a privilege, by whatever bits on its file. No core
    dump is written, because it might hold a token. Capabilities belong to threads: call it before
    a second one is started. Raises ServiceError where the kernel refuses.
    """
    if threading.active_count() > 1:
        raise RuntimeError("capabilities are dropped before threads are started")
    libc = ctypes.CDLL(None, use_errno=True)
    held = _permitted(libc)
    keep = held & _mask(NAMING_AS_ROOT if os.geteuid() == 0 else NAMING)
    _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1)
    _prctl(libc, _PR_SET_DUMPABLE, 0)
    _prctl(libc, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    if held & _mask({"CAP_SETPCAP"}):
        # Without that capability the bounding set stays: it bounds what starting a program
        # can add, and that is nothing already.
        _bound(libc, keep)
    _set(libc, keep)
    return [name for name, number in CAPABILITIES.items() if keep >> number & 1]


def _mask(names: Collection[str]) -> int:
    return sum(1 << CAPABILITIES[each] for each in names)


def _permitted(libc: ctypes.CDLL) -> int:
    sets = BothSets()
    _check(libc.capget(ctypes.byref(this_process()), sets), "capget")
    return int(sets[0].permitted | sets[1].permitted << 32)


def _set(libc: ctypes.CDLL, keep: int) -> None:
    low, high = keep & 0xFFFFFFFF, keep >> 32
    sets = BothSets(Sets(low, low, 0), Sets(high, high, 0))
    _check(libc.capset(ctypes.byref(this_process()), sets), "capset")


def _bound(libc: ctypes.CDLL, keep: int) -> None:
    for number in range(_CAPABILITIES_MAX):
        if keep >> number & 1:
            continue
        if libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(number), 0, 0, 0) != 0:
            if ctypes.get_errno() == errno.EINVAL:
                return  # past the last one that this kernel knows
            raise _refused(f"prctl(PR_CAPBSET_DROP, {number})")


def _prctl(libc: ctypes.CDLL, option: int, argument: int) -> None:
    zero = ctypes.c_ulong(0)
    result = libc.prctl(option, ctypes.c_ulong(argument), zero, zero, zero)
    _check(result, f"prctl({option}, {argument})")


def _check(result: int, what: str) -> None:
    if result != 0:
        raise _refused(what)


def _refused(what: str) -> ServiceError:
    return ServiceError(
        f"cannot drop privileges: {what}: {os.strerror(ctypes.get_errno())}. "
        "Allow the system calls capset and prctl where a seccomp filter forbids them."
    )
