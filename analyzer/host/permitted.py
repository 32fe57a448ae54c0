"""Makes the capabilities effective that this process may have, as in the container image.

There the interpreter's file capabilities permit them, without the flag that makes them effective:
with it the kernel would not start a program whose container lacks one (capabilities(7)).
"""

from __future__ import annotations

import ctypes
from pathlib import Path

_VERSION_3 = 0x20080522  # linux/capability.h: _LINUX_CAPABILITY_VERSION_3
_THIS_PROCESS = 0


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    """struct __user_cap_data_struct: the low 32 of each set, then the high ones."""

    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def use_permitted(status: Path = Path("/proc/self/status")) -> bool:
    """Make all permitted capabilities effective; return whether any was not.

    Where the kernel refuses, nothing changes: what is missing is reported by who needs it.
    """
    try:
        text = status.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    masks = dict(line.split(":\t", 1) for line in text.splitlines() if line.startswith("Cap"))
    if masks.get("CapPrm") == masks.get("CapEff"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = _Header(_VERSION_3, _THIS_PROCESS), (_Sets * 2)()
    if libc.capget(ctypes.byref(header), sets) != 0:
        return False
    for half in sets:
        half.effective = half.permitted
    return bool(libc.capset(ctypes.byref(header), sets) == 0)
