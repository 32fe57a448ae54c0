"""Refuses system calls that an attached recorder never makes, by a seccomp filter.

The unit's filter has to allow bpf(2) and perf_event_open(2), which loading and attaching need.
This one closes them behind it, and with them what reaches into other processes: CAP_SYS_PTRACE
is kept to read /proc/PID/exe, and would allow all of that.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from typing import NamedTuple, Optional

from analyzer.errors import ServiceError


class _Machine(NamedTuple):
    """The numbers of a machine type: of linux/audit.h, and of the system call seccomp(2)."""

    audit: int
    seccomp: int
    has_x32: bool


_MACHINES = {
    "x86_64": _Machine(0xC000003E, 317, has_x32=True),
    "aarch64": _Machine(0xC00000B7, 277, has_x32=False),
}

# System call: its numbers on x86-64 and arm64. After attaching, losses are read from memory and
# from /proc, and detaching closes descriptors: see sources/counters.py.
REFUSED = {
    "bpf": (321, 280),  # load programs, change maps
    "perf_event_open": (298, 241),  # sample memory, open kprobes
    "ptrace": (101, 117),  # control other processes
    "process_vm_readv": (310, 270),  # read their memory
    "process_vm_writev": (311, 271),  # write it
    "process_madvise": (440, 440),  # discard it (Linux 5.10)
    "pidfd_getfd": (438, 438),  # take their descriptors (Linux 5.6)
    "kcmp": (312, 272),  # compare kernel addresses of theirs
}

# linux/filter.h and linux/seccomp.h
_LOAD, _JUMP_EQUAL, _JUMP_FROM, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _AUDIT_AT = 0, 4  # in struct seccomp_data
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_X32_FROM = 0x40000000  # numbers of x32's calls have this bit
_SET_MODE_FILTER, _FLAG_TSYNC = 1, 1
_PR_SET_NO_NEW_PRIVS = 38

# Errors of a kernel that was built without CONFIG_SECCOMP_FILTER.
_NOT_BUILT = (errno.ENOSYS, errno.EINVAL)


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse_system_calls() -> list[str]:
    """Have the kernel answer the calls in REFUSED with EPERM, for good; return their names.

    It holds for all threads, and for programs that are started. On a kernel without seccomp
    nothing is refused, and none is returned. Raises ServiceError where a filter that is there
    already forbids this one.
    """
    name = platform.machine()
    code = filter_for(name)
    if code is None:
        return []
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero) != 0:
        raise _refused(ctypes.get_errno())
    program = _Program(len(code) // 8, code)
    result = libc.syscall(
        ctypes.c_long(_MACHINES[name].seccomp),
        ctypes.c_long(_SET_MODE_FILTER),
        ctypes.c_ulong(_FLAG_TSYNC),
        ctypes.byref(program),
    )
    if result == 0:
        return list(REFUSED)
    # Above 0 it is the id of a thread that has another filter.
    code_of_error = ctypes.get_errno() if result < 0 else errno.EBUSY
    if code_of_error in _NOT_BUILT:
        return []
    raise _refused(code_of_error)


def filter_for(name: str) -> Optional[bytes]:
    """Return the filter's program for a machine type, None for one that is not known.

    Calls by another machine's numbers, such as a 32-bit program's or x32's, are all refused:
    the analyzer makes none.
    """
    machine = _MACHINES.get(name)
    if machine is None:
        return None
    column = list(_MACHINES).index(name)
    numbers = [each[column] for each in REFUSED.values()]
    # Jumps are relative and go forward: behind the tests stand "allow", then "refuse".
    tests = [(_JUMP_FROM, _X32_FROM)] if machine.has_x32 else []
    tests += [(_JUMP_EQUAL, number) for number in numbers]
    lines = [
        _line(_LOAD, _AUDIT_AT),
        _line(_JUMP_EQUAL, machine.audit, if_false=len(tests) + 2),
        _line(_LOAD, _NUMBER_AT),
        *(_line(kind, value, if_true=len(tests) - at) for at, (kind, value) in enumerate(tests)),
        _line(_RETURN, _ALLOW),
        _line(_RETURN, _ERRNO | errno.EPERM),
    ]
    return b"".join(lines)


def _line(code: int, value: int, *, if_true: int = 0, if_false: int = 0) -> bytes:
    """Return one struct sock_filter."""
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _refused(code: int) -> ServiceError:
    return ServiceError(
        f"cannot install a seccomp filter: {os.strerror(code)}. "
        "Allow the system calls seccomp and prctl where another filter forbids them."
    )
