"""Checks this process's capabilities, and names the remedy if they do not suffice."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

# Those that matter to us, by their numbers in linux/capability.h.
CAPABILITIES = {
    "CAP_DAC_OVERRIDE": 1,
    "CAP_DAC_READ_SEARCH": 2,
    "CAP_SETPCAP": 8,
    "CAP_NET_ADMIN": 12,
    "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21,
    "CAP_PERFMON": 38,
    "CAP_BPF": 39,
}
# What stands for loading BPF programs and attaching them. The two are there since Linux 5.8.
LOADING = (frozenset({"CAP_SYS_ADMIN"}), frozenset({"CAP_BPF", "CAP_PERFMON"}))

NO_PRIVILEGE = (
    "Run as root, or with CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_DAC_READ_SEARCH and "
    "CAP_SYS_PTRACE "
    "(CAP_SYS_ADMIN before Linux 5.8, and for kprobes and tracepoints on kernels where "
    "kernel.perf_event_paranoid can be above 2 and is); before 5.11 also with more memory that "
    "may be locked (ulimit -l) than the ring takes"
)
ROOT_WITHOUT = (
    "This root has neither CAP_SYS_ADMIN nor CAP_BPF and CAP_PERFMON, as in a container: "
    "run on the host itself, or as root with all capabilities (docker run --privileged)"
)
OUTSIDE = "Run outside of the user namespace: no rootless container, no userns-remap"

# The kernel gives its first namespaces these inode numbers (include/linux/proc_ns.h).
_FIRST_NAMESPACES = {
    "user": "user:[4026531837]",
    "pid": "pid:[4026531836]",
    "cgroup": "cgroup:[4026531835]",
}


def effective() -> frozenset[str]:
    """Return which of CAPABILITIES we have."""
    return decode(Path("/proc/self/status").read_text(encoding="utf-8", errors="replace"))


def decode(status: str) -> frozenset[str]:
    """Return which of CAPABILITIES the text of /proc/PID/status has as effective."""
    masks = [line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")]
    mask = int(masks[0], 16) if masks else 0
    return frozenset(name for name, bit in CAPABILITIES.items() if mask >> bit & 1)


def suffice(capabilities: frozenset[str]) -> bool:
    """Tell whether these capabilities, held on the host, suffice to load and attach."""
    return any(each <= capabilities for each in LOADING)


def maybe_obstacle() -> Optional[str]:
    """Return what to do to be permitted to load BPF programs; None where it is permitted."""
    if not is_first("self", "user"):
        return _in_container() or OUTSIDE
    if suffice(effective()):
        return None
    return _in_container() or (ROOT_WITHOUT if os.geteuid() == 0 else NO_PRIVILEGE)


def _in_container() -> Optional[str]:
    """Return the lines to add for capabilities, in the words of the runtime; None on a host."""
    from analyzer.host.container_lacks import PRIVILEGES, lacking  # noqa: PLC0415 (it imports this module)

    remedies = [each.remedy for each in lacking() if each.lack in PRIVILEGES]
    return "; ".join(remedies) or None


def is_first(process: str, kind: str) -> bool:
    """Tell whether a process is in the kernel's first namespace of a kind."""
    try:
        link = Path("/proc", process, "ns", kind).readlink()
    except PermissionError:
        # Another user's process: ours has to do.
        link = Path("/proc/self/ns", kind).readlink()
    return str(link) == _FIRST_NAMESPACES[kind]
