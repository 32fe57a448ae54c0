"""Checks this process's privileges, and whether it sees the host's processes."""

from __future__ import annotations

from analyzer.doctor.findings import CheckResult, fine, lacking, note, warning
from analyzer.errors import ServiceError
from analyzer.host.mounts import CGROUP2, mount_points
from analyzer.host.privileges import LOADING, OUTSIDE, effective, is_first, maybe_obstacle, suffice
from analyzer.host.time_namespace import REMEDY, offset_ns

# capability: what of a caller cannot be named without it
NAMING = {
    "CAP_SYS_PTRACE": "executables of other users' processes",
    "CAP_DAC_READ_SEARCH": "containers and services of processes that have ended",
}


def loading() -> CheckResult:
    """Check that we may load BPF programs and attach them."""
    capabilities = effective()
    remedy = maybe_obstacle()
    if remedy is None:
        return fine(f"effective: {_listed(capabilities)}")
    if suffice(capabilities):
        return lacking("held in a user namespace, where they do not count for BPF", remedy)
    return lacking(f"effective: {_listed(capabilities)}", remedy)


def naming() -> CheckResult:
    """Check that we may read what names a caller."""
    missing = sorted(set(NAMING) - effective())
    if missing:
        return warning(
            f"without {' and '.join(missing)}, not named are the "
            + " and the ".join(NAMING[each] for each in missing),
            "Run as root, or with these capabilities too",
        )
    if not is_first("self", "user"):
        return warning("held in a user namespace: the host's processes are not named", OUTSIDE)
    return fine(" and ".join(sorted(NAMING)))


def process_ids() -> CheckResult:
    """Check that /proc numbers processes as the kernel does."""
    # Of pid 1, because /proc may belong to another namespace than we do.
    if is_first("1", "pid"):
        return fine("/proc shows the host's own process ids")
    return warning(
        "/proc shows the ids of a pid namespace, not the kernel's: executables and "
        "arguments are not found",
        "Run in the host's pid namespace: docker run --pid=host, or hostPID: true",
    )


def boot_clock() -> CheckResult:
    """Check that the kernel's times can be told from ours."""
    try:
        offset_s = offset_ns() / 1e9
    except ServiceError as error:
        return lacking(str(error).removesuffix(f". {REMEDY}"), REMEDY)
    if offset_s:
        return note(
            f"a time namespace shifts it by {offset_s:+.0f} s; times in the log are corrected"
        )
    return fine("not shifted by a time namespace")


def cgroups() -> CheckResult:
    """Check that the cgroup of a process that has ended can be found by its id."""
    places = mount_points(CGROUP2)
    if not places:
        return warning(
            "cgroup2 is not mounted: containers and services of processes that have ended "
            "are not named",
            "Mount it: mkdir -p /sys/fs/cgroup/unified; "
            "mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified",
        )
    place = places[0]
    if not is_first("self", "cgroup"):
        return warning(
            f"{place} shows a cgroup namespace, not the host: containers and services of "
            "processes that have ended are not named",
            "Run in the host's: docker run --cgroupns=host",
        )
    return fine(f"cgroup2 in {place}")


def _listed(capabilities: frozenset[str]) -> str:
    needed = frozenset(NAMING).union(*LOADING)
    return ", ".join(sorted(capabilities & needed)) or "no capability of those needed"
