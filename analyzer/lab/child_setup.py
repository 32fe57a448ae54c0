"""Ties a child process to its parent: if the parent is gone, also by kill -9, so is the child."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Callable

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_CLONE_NEWNET = 0x40000000  # linux/sched.h

# Resolved at import: between fork and exec a child should look nothing up.
_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
_libc.unshare.argtypes = [ctypes.c_int]
_libc.setns.argtypes = [ctypes.c_int, ctypes.c_int]


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when the thread that forked it ends.

    The kernel forgets the wish at fork, so it covers the child itself, not the child's children.
    """
    if _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise _os_error("prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent_pid:  # it ended before the wish was made: nobody would kill us
        os._exit(1)


def tied_to_caller() -> Callable[[], None]:
    """Return a ``preexec_fn`` that ties the new process to the calling one."""
    parent_pid = os.getpid()
    return lambda: die_with_parent(parent_pid)


def unshare_network() -> None:
    """Move the calling process into a new network namespace. Raises OSError."""
    if _libc.unshare(_CLONE_NEWNET) != 0:
        raise _os_error("unshare(CLONE_NEWNET)")


def join_network(namespace_fd: int) -> None:
    """Move the calling thread into the network namespace behind the descriptor. Raises OSError."""
    if _libc.setns(namespace_fd, _CLONE_NEWNET) != 0:
        raise _os_error("setns(CLONE_NEWNET)")


def _os_error(call: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{call}: {os.strerror(number)}")
