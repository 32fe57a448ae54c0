"""Makes the capabilities effective that this process may have, as in the container image.

There the interpreter's file capabilities permit them, without the flag that makes them effective:
with it the kernel would not start a program whose container lacks one (capabilities(7)).
"""

from __future__ import annotations

import ctypes
from pathlib import Path

from analyzer.host.capset import BothSets, this_process


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
    header, sets = this_process(), BothSets()
    if libc.capget(ctypes.byref(header), sets) != 0:
        return False
    for half in sets:
        half.effective = half.permitted
    return bool(libc.capset(ctypes.byref(header), sets) == 0)
