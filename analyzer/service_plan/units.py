"""Decides which drop-ins the unit needs: its capabilities and limits. No I/O."""

from __future__ import annotations

from typing import Callable, NamedTuple

# The first systemd that knows RestartSteps=.
SYSTEMD_BACKOFF = 254
# The first systemd that can name CAP_BPF and CAP_PERFMON.
SYSTEMD_CAP_BPF = 247
# CAP_BPF's number. The kernel is asked, not its version: some vendors have backported it.
CAP_BPF = 39
# Above it, Debian's kernels want CAP_SYS_ADMIN for kprobes and tracepoints.
PARANOID_MAX = 2


class UnitFacts(NamedTuple):
    """The facts that decide about the unit."""

    systemd: int  # 0: unknown
    cap_last_cap: int
    perf_event_paranoid: int
    needs: frozenset[str]  # of the configuration; see Config.needs
    probe: str  # the best that works here; empty: none, or not tried
    with_bcc: bool
    late_mount: str  # why the service cannot start before cloud-init; empty: it can


def _sys_admin(facts: UnitFacts) -> bool:
    if facts.cap_last_cap < CAP_BPF or facts.systemd < SYSTEMD_CAP_BPF:
        return True
    if facts.perf_event_paranoid <= PARANOID_MAX or not facts.probe:
        return False
    return "perf" in facts.needs or facts.probe != "core/fentry"


def _packet(facts: UnitFacts) -> bool:
    is_last_resort = facts.probe.startswith("packet/") and "any" in facts.needs
    return "packet" in facts.needs or is_last_resort


# Drop-in: whether it is needed. Its file says what it is for.
DROP_INS: dict[str, Callable[[UnitFacts], bool]] = {
    "bcc": lambda facts: facts.with_bcc,
    # Before it, the network would wait while BCC compiles.
    "before-cloud-init": lambda facts: not facts.with_bcc and not facts.late_mount,
    "backoff": lambda facts: facts.systemd >= SYSTEMD_BACKOFF,
    "sys-admin": _sys_admin,
    "packet": _packet,
    "prometheus-tcp": lambda facts: "port" in facts.needs,
}


def drop_ins(facts: UnitFacts) -> dict[str, bool]:
    """Return for each drop-in whether this host needs it."""
    return {name: is_needed(facts) for name, is_needed in DROP_INS.items()}
