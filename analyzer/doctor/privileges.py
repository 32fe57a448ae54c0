"""What we may do, and whether we see the host's processes as the kernel does."""

from __future__ import annotations

from pathlib import Path

from analyzer.attribute.cgroups import maybe_mount_point
from analyzer.doctor.findings import Answer, fine, lacking, warning

# name: its bit in CapEff. Only those that decide something here.
CAPABILITIES = {
    "CAP_DAC_READ_SEARCH": 2,
    "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21,
    "CAP_PERFMON": 38,
    "CAP_BPF": 39,
}
# What stands for loading and attaching. The two are there since Linux 5.8.
LOADING = ({"CAP_SYS_ADMIN"}, {"CAP_BPF", "CAP_PERFMON"})

# capability: what of a caller cannot be named without it
NAMING = {
    "CAP_SYS_PTRACE": "executables of other users' processes",
    "CAP_DAC_READ_SEARCH": "containers and services of processes that have ended",
}

OUTSIDE = "Run outside of the user namespace: no rootless container, no userns-remap"

# The kernel gives its first namespaces these inode numbers (include/linux/proc_ns.h).
FIRST_NAMESPACES = {
    "user": "user:[4026531837]",
    "pid": "pid:[4026531836]",
    "cgroup": "cgroup:[4026531835]",
}


def effective_capabilities() -> frozenset[str]:
    """Return which of CAPABILITIES we have."""
    return decode_capabilities(Path("/proc/self/status").read_text())


def decode_capabilities(status: str) -> frozenset[str]:
    """Return which of CAPABILITIES the text of /proc/PID/status has as effective."""
    masks = [line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")]
    mask = int(masks[0], 16) if masks else 0
    return frozenset(name for name, bit in CAPABILITIES.items() if mask >> bit & 1)


def may_load() -> bool:
    """Tell whether we may load BPF programs and attach them."""
    return suffice(effective_capabilities()) and _is_first("self", "user")


def suffice(capabilities: frozenset[str]) -> bool:
    """Tell whether these capabilities, held on the host, suffice to load and attach."""
    return any(each <= capabilities for each in LOADING)


def loading() -> Answer:
    """Check that we may load BPF programs and attach them."""
    capabilities = effective_capabilities()
    if not suffice(capabilities):
        return lacking(
            f"effective: {_listed(capabilities)}",
            "Run as root, or with CAP_BPF and CAP_PERFMON (CAP_SYS_ADMIN before Linux 5.8)",
        )
    if not _is_first("self", "user"):
        return lacking("held in a user namespace, where they do not count for BPF", OUTSIDE)
    return fine(f"effective: {_listed(capabilities)}")


def naming() -> Answer:
    """Check that we may read what names a caller."""
    missing = sorted(set(NAMING) - effective_capabilities())
    if missing:
        return warning(
            f"without {' and '.join(missing)}, not named are the "
            + " and the ".join(NAMING[each] for each in missing),
            "Run as root, or with these capabilities too",
        )
    if not _is_first("self", "user"):
        return warning("held in a user namespace: the host's processes are not named", OUTSIDE)
    return fine(" and ".join(sorted(NAMING)))


def process_ids() -> Answer:
    """Check that /proc numbers processes as the kernel does."""
    # Of pid 1, because /proc may belong to another namespace than we do.
    if _is_first("1", "pid"):
        return fine("/proc shows the host's own process ids")
    return warning(
        "/proc shows the ids of a pid namespace, not the kernel's: executables and "
        "arguments are not found",
        "Run in the host's pid namespace: docker run --pid=host, or hostPID: true",
    )


def cgroups() -> Answer:
    """Check that the cgroup of a process that has ended can be found by its id."""
    place = maybe_mount_point(Path("/proc/self/mounts").read_text("utf-8", "surrogateescape"))
    if place is None:
        return warning(
            "cgroup2 is not mounted: containers and services of processes that have ended "
            "are not named",
            "Mount it: mkdir -p /sys/fs/cgroup/unified; "
            "mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified",
        )
    if not _is_first("self", "cgroup"):
        return warning(
            f"{place} shows a cgroup namespace, not the host: containers and services of "
            "processes that have ended are not named",
            "Run in the host's: docker run --cgroupns=host",
        )
    return fine(f"cgroup2 in {place}")


def _listed(capabilities: frozenset[str]) -> str:
    return ", ".join(sorted(capabilities)) or "no capability of those needed"


def _is_first(process: str, kind: str) -> bool:
    """Tell whether a process is in the kernel's first namespace of a kind."""
    try:
        link = Path("/proc", process, "ns", kind).readlink()
    except PermissionError:
        # Another user's process: ours has to do.
        link = Path("/proc/self/ns", kind).readlink()
    return str(link) == FIRST_NAMESPACES[kind]
