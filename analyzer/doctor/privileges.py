"""Checks this process's privileges, and whether it sees the host's processes."""

from __future__ import annotations

from analyzer.doctor.findings import CheckResult, fine, lacking, note, warning
from analyzer.errors import ServiceError
from analyzer.host.confinement import apparmor_profile, labels, refused_calls, selinux_type
from analyzer.host.container import maybe_runtime
from analyzer.host.container_lacks import WORDS, Lack, advice, remedy
from analyzer.host.mounts import CGROUP2, maybe_root_cgroup, mount_points
from analyzer.host.privileges import LOADING, OUTSIDE, effective, is_first, maybe_obstacle, suffice
from analyzer.host.time_namespace import REMEDY, offset_ns

# capability: what of a caller cannot be named without it
NAMING = {
    "CAP_SYS_PTRACE": "executables of other users' processes",
    "CAP_DAC_READ_SEARCH": "containers and services that are older than the analyzer, if their"
    " caller has ended",
}


_BY_HANDLE = "CAP_DAC_READ_SEARCH"
_MOUNT = (
    "Mount it: mkdir -p /sys/fs/cgroup/unified; mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified"
)


def loading() -> CheckResult:
    """Check that we may load BPF programs and attach them."""
    capabilities = effective()
    remedy = maybe_obstacle()
    if remedy is None:
        return fine(f"effective: {_listed(capabilities)}")
    if suffice(capabilities):
        return lacking("held in a user namespace, where they do not count for BPF", remedy)
    return lacking(f"effective: {_listed(capabilities)}", remedy)


def container() -> CheckResult:
    """Tell whose container this is, because what is lacking is added there."""
    runtime = maybe_runtime()
    if runtime is None:
        return fine("none: this is the host")
    confined = {
        Lack.APPARMOR: apparmor_profile(labels()),
        Lack.SELINUX: selinux_type(labels()),
    }
    for lack, name in confined.items():
        if name:
            found = f"of {runtime.value}, confined by {lack.value} ({name}): {WORDS[lack].means}"
            return warning(found, advice(lack, remedy(lack, None)))
    return note(f"of {runtime.value}: fixes below are in its words")


def system_calls() -> CheckResult:
    """Check that no seccomp filter refuses what loading, attaching and naming call."""
    refused = refused_calls()
    fix = advice(Lack.SECCOMP, remedy(Lack.SECCOMP, None))
    if set(refused) & {"bpf", "perf_event_open"}:
        return lacking(f"a seccomp filter refuses {' and '.join(refused)}", fix)
    if refused:
        return warning(
            f"a seccomp filter refuses {refused[0]}: not named are the {NAMING[_BY_HANDLE]}", fix
        )
    return fine("none that it needs is refused by a seccomp filter")


def naming() -> CheckResult:
    """Check that we may read what names a caller."""
    missing = sorted(set(NAMING) - effective())
    if missing:
        return warning(
            f"without {' and '.join(missing)}, not named are the "
            + " and the ".join(NAMING[each] for each in missing),
            advice(Lack.CAPABILITIES, "Run as root, or with these capabilities too"),
        )
    if not is_first("self", "user"):
        return warning(
            "held in a user namespace: the host's processes are not named",
            advice(Lack.USER_NAMESPACE, OUTSIDE),
        )
    return fine(" and ".join(sorted(NAMING)))


def process_ids() -> CheckResult:
    """Check that /proc numbers processes as the kernel does."""
    # Of pid 1, because /proc may belong to another namespace than we do.
    if is_first("1", "pid"):
        return fine("/proc shows the host's own process ids")
    return warning(
        "/proc shows the ids of a pid namespace, not the kernel's: executables and "
        "arguments are not found",
        advice(Lack.HOST_PIDS, "Run in the host's pid namespace"),
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
            f"cgroup2 is not mounted: not named are the {NAMING[_BY_HANDLE]}",
            advice(Lack.CGROUPS, _MOUNT),
        )
    place = places[0]
    # Also within a cgroup namespace: a mount of the host's own may be in it.
    root = maybe_root_cgroup()
    if root is None:
        return warning(
            f"{place} shows a cgroup namespace, not the host: not named are the"
            f" {NAMING[_BY_HANDLE]}",
            advice(Lack.CGROUPS, "Run in the host's cgroup namespace"),
        )
    return fine(f"cgroup2 in {root}")


def _listed(capabilities: frozenset[str]) -> str:
    needed = frozenset(NAMING).union(*LOADING)
    return ", ".join(sorted(capabilities & needed)) or "no capability of those needed"
