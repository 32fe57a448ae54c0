"""Declares what capget(2) and capset(2) take: the capability sets of a process."""

from __future__ import annotations

import ctypes

_VERSION_3 = 0x20080522  # linux/capability.h: _LINUX_CAPABILITY_VERSION_3
_THIS_PROCESS = 0


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class Sets(ctypes.Structure):
    """struct __user_cap_data_struct: the low 32 of each set, then the high ones."""

    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


# The low and the high half, as version 3 has them.
BothSets = Sets * 2


def this_process() -> ctypes.Structure:
    """Return the header that means this thread; the calls take it by reference."""
    return _Header(_VERSION_3, _THIS_PROCESS)
