"""Names the programs of the object, and chooses those for an attach type and this kernel."""

from __future__ import annotations

from analyzer.host.kernel_symbols import typed_functions
from analyzer.recorder.sources.probe import wire

# Attach type: the programs of the object that tell of calls that send, ...
PROGRAMS: dict[str, tuple[str, ...]] = {
    "fentry": ("fentry_tcp_sendmsg",),
    "kprobe": ("kprobe_tcp_sendmsg",),
    "tracepoint": (
        "trace_write",
        "trace_writev",
        "trace_pwritev2",
        "trace_sendto",
        "trace_sendmsg",
        "trace_sendmmsg",
        "trace_prctl",
    ),
}
# ... and of those that receive. What was received the wire tells better.
RECEIVING: dict[str, tuple[str, ...]] = {
    "fentry": ("fentry_tcp_recvmsg",),
    "kprobe": ("kprobe_tcp_recvmsg",),
    "tracepoint": ("trace_read", "trace_readv", "trace_recvfrom", "trace_recvmsg"),
}
# Kernel function: the programs for it, without the wire. Not every kernel has these: tcp_sendpage
# is gone since 6.5, mptcp_sendmsg came with 5.6 and needs CONFIG_MPTCP.
OPTIONAL = {
    "tcp_sendpage": {"fentry": "fentry_tcp_sendpage", "kprobe": "kprobe_tcp_sendpage"},
    "mptcp_sendmsg": {"fentry": "fentry_mptcp_sendmsg", "kprobe": "kprobe_mptcp_sendmsg"},
}
# Kernel function, the first that there is: the programs that note who replaces its executable.
# Tracepoints have prctl(2) itself.
REPLACING = {
    "replace_mm_exe_file": {
        "fentry": "fentry_replace_mm_exe_file",
        "kprobe": "kprobe_replace_mm_exe_file",
    },
    "prctl_set_mm_exe_file": {
        "fentry": "fentry_prctl_set_mm_exe_file",
        "kprobe": "kprobe_prctl_set_mm_exe_file",
    },
}
NOTING = ("trace_prctl", *(name for names in REPLACING.values() for name in names.values()))
# With every attach type: the end of connections; without the wire, that something was received.
STATE = "raw_state_changed"
RECEIVED = "raw_received"
# What the ancestors of callers run. Where they are not run, /proc is asked.
ANCESTRY = ("raw_forked", "raw_executed")
# Which paths new cgroups have. Where it is not run, they are found as long as they are there.
CGROUPS = "raw_cgroup_made"
ALL_PROGRAMS = (
    STATE,
    RECEIVED,
    *ANCESTRY,
    CGROUPS,
    *wire.PROGRAMS,
    *(name for names in PROGRAMS.values() for name in names),
    *(name for names in RECEIVING.values() for name in names),
    *(name for names in OPTIONAL.values() for name in names.values()),
    *NOTING,
)


def programs_for(attach: str, *, has_wire: bool) -> tuple[str, ...]:
    """Return the names of the programs that this kernel can run, for one attach type."""
    # Reading the kernel's types takes a while.
    wanted = set() if attach == "tracepoint" else {*REPLACING, *(() if has_wire else OPTIONAL)}
    present = typed_functions(wanted) if wanted else set()
    replacing = [names[attach] for name, names in REPLACING.items() if name in present]
    always = (*ANCESTRY, CGROUPS, STATE, *PROGRAMS[attach], *replacing[:1])
    if has_wire:
        return (*always, *wire.PROGRAMS)
    found = [*always, RECEIVED, *RECEIVING[attach]]
    found += [names[attach] for name, names in OPTIONAL.items() if name in present]
    return tuple(found)


def is_for_sends(name: str) -> bool:
    """Tell whether a request is missed if the kernel skips this program."""
    return "send" in name or "write" in name
