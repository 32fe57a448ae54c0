"""Lists the checks and runs them in order."""

from __future__ import annotations

import subprocess
from typing import Callable, NamedTuple

from analyzer.doctor import kernel, network, privileges, ring, software
from analyzer.doctor.findings import (
    EVERY_PROBE,
    CheckResult,
    Examination,
    Finding,
    Level,
    note,
    weigh,
)
from analyzer.doctor.trials import maybe_chosen, try_probes, wire


class Check(NamedTuple):
    """One check, and patterns of the probes that need what it looks for."""

    ask: Callable[[], CheckResult]
    needed_for: tuple[str, ...]


# The answers that can be `lacking` name the probes that need it; for the others it is ().
CHECKS: dict[str, Check] = {
    "kernel": Check(kernel.kernel, (EVERY_PROBE,)),
    "compiled probe": Check(kernel.compiled_probe, ("core/*",)),
    "BTF": Check(kernel.btf, ("core/*", "bcc/fentry")),
    "ring buffer": Check(ring.ring_buffer, (EVERY_PROBE,)),
    "locked memory": Check(ring.locked_memory, (EVERY_PROBE,)),
    kernel.HOOK: Check(kernel.hook, ("*/fentry", "*/kprobe")),
    "kprobes": Check(kernel.kprobes, ("*/kprobe",)),
    "tracepoints": Check(kernel.tracepoints, ("core/tracepoint",)),
    "lockdown": Check(kernel.lockdown, (EVERY_PROBE,)),
    "libbpf": Check(software.libbpf, ("core/*",)),
    "BCC": Check(software.bcc, ("bcc/*",)),
    "kernel headers": Check(software.headers, ("bcc/*",)),
    "container": Check(privileges.container, ()),
    "system calls": Check(privileges.system_calls, (EVERY_PROBE,)),
    "may load": Check(privileges.loading, (EVERY_PROBE,)),
    "may name": Check(privileges.naming, ()),
    "process ids": Check(privileges.process_ids, ()),
    "boot clock": Check(privileges.boot_clock, (EVERY_PROBE,)),
    "cgroups": Check(privileges.cgroups, ()),
    "IPv4 route": Check(network.ipv4_route, ()),
    "IPv6 route": Check(network.ipv6_route, ()),
    "redirects": Check(network.redirects, ()),
}


def examine(*, with_bcc: bool) -> Examination:
    """Make all checks and trials. Nothing is sent, and nothing stays attached."""
    answers = {name: _ask(check) for name, check in CHECKS.items()}
    trials = try_probes(with_bcc=with_bcc)
    chosen = maybe_chosen(trials)
    order = [each.probe for each in trials]
    blocked = any(
        answer.level is Level.FAIL and EVERY_PROBE in CHECKS[name].needed_for
        for name, answer in answers.items()
    )
    weighed = {
        name: weigh(answer, CHECKS[name].needed_for, order, chosen, others_block=blocked)
        for name, answer in answers.items()
    }
    for each in trials:
        weighed[each.probe] = weigh(each.answer, (each.probe,), order, chosen, others_block=False)
    weighed["wire"] = wire(trials)
    return Examination(tuple(Finding(name, *answer) for name, answer in weighed.items()), chosen)


def _ask(check: Check) -> CheckResult:
    try:
        return check.ask()
    except (OSError, subprocess.SubprocessError) as error:
        # Such as a file of /proc that a sandbox hides: the other checks are still worth it.
        return note(f"could not be checked: {error}")
