"""Finds what confines this process: a seccomp filter, no_new_privs, AppArmor, SELinux."""

from __future__ import annotations

import ctypes
import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from analyzer.host.privileges import CAPABILITIES, decode, suffice

_STATUS = Path("/proc/self/status")
_LABELS = (Path("/proc/self/attr/apparmor/current"), Path("/proc/self/attr/current"))
_FILTERED = "2"  # SECCOMP_MODE_FILTER
_NOT_REACHED = (errno.EPERM, errno.EACCES, errno.ENOSYS)
# A label of SELinux for containers: the policy keeps it from bpf(2) and the host's /proc.
_CONTAINER_TYPE = re.compile(r"^[^:]*:[^:]*:(?P<type>container\w*_t|svirt_lxc_net_t):")
_NOTHING = 0  # a null pointer, no flags


class _Call(NamedTuple):
    """A system call that nothing comes of: the kernel refuses its arguments, not the caller."""

    x86_64: int
    aarch64: int
    arguments: tuple[int, ...]


# With these arguments bpf and perf_event_open give EINVAL or EFAULT; so does open_by_handle_at for
# one with CAP_DAC_READ_SEARCH. Whatever else they give comes from a filter.
_CALLS = {
    "bpf": _Call(321, 280, (-1, _NOTHING, _NOTHING)),
    "perf_event_open": _Call(298, 241, (_NOTHING, 0, -1, -1, _NOTHING)),
    "open_by_handle_at": _Call(304, 265, (-1, _NOTHING, _NOTHING)),
}


class Status(NamedTuple):
    """Facts out of /proc/self/status."""

    effective: frozenset[str]
    bounding: frozenset[str]
    is_filtered: bool
    has_no_new_privileges: bool


def status_in(text: str) -> Status:
    """Read the text of /proc/PID/status."""
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    bounding = fields.get("CapBnd", "0").strip()
    return Status(
        decode(text),
        decode(f"CapEff:\t{bounding}"),
        fields.get("Seccomp", "0").strip() == _FILTERED,
        fields.get("NoNewPrivs", "0").strip() == "1",
    )


def status(path: Path = _STATUS) -> Status:
    """Return the facts about this process. Raises OSError."""
    return status_in(path.read_text(encoding="utf-8", errors="replace"))


def refused_calls() -> tuple[str, ...]:
    """Return which system calls that we need a seccomp filter refuses.

    Only those that our capabilities would allow: without these nobody can tell.
    """
    own = status()
    if not own.is_filtered:
        return ()
    machine = os.uname().machine
    allowed = {
        "bpf": suffice(own.effective) or "CAP_BPF" in own.effective,
        "perf_event_open": suffice(own.effective),
        "open_by_handle_at": "CAP_DAC_READ_SEARCH" in own.effective,
    }
    return tuple(
        name
        for name, call in _CALLS.items()
        if allowed[name] and _is_refused(getattr(call, machine, None), call.arguments)
    )


def _is_refused(number: object, arguments: tuple[int, ...]) -> bool:
    if not isinstance(number, int):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    return result < 0 and ctypes.get_errno() in _NOT_REACHED


def apparmor_profile(labels: Mapping[str, str]) -> str:
    """Return the AppArmor profile that is enforced; "" where none is."""
    for label in labels.values():
        name, _, mode = label.rpartition(" ")
        if mode == "(enforce)":
            return name
    return ""


def selinux_type(labels: Mapping[str, str]) -> str:
    """Return SELinux's type if it is a confined container's; "" otherwise."""
    matches = (_CONTAINER_TYPE.match(label) for label in labels.values())
    return next((match["type"] for match in matches if match), "")


def labels() -> dict[str, str]:
    """Return what security modules call this process, by file."""
    found = {}
    for path in _LABELS:
        try:
            found[str(path)] = path.read_text("utf-8", "replace").strip("\0\n ")
        except OSError:
            continue
    return found


def names(capabilities: frozenset[str]) -> list[str]:
    """Return capabilities in the kernel's order."""
    return [name for name in CAPABILITIES if name in capabilities]
