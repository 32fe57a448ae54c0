"""Checks how the running kernel was built and what it permits."""

from __future__ import annotations

import functools
import platform
from collections.abc import Iterable
from pathlib import Path

from analyzer.doctor.findings import CheckResult, fine, lacking, note
from analyzer.errors import KernelLacks
from analyzer.host import tracefs
from analyzer.host.kernel_symbols import BTF
from analyzer.host.kprobes import find_kprobes
from analyzer.host.mounts import mount_points
from analyzer.recorder.sources.probe.core import NO_BTF, NO_OBJECT
from analyzer.recorder.sources.probe.objects import bpf_file
from analyzer.recorder.sources.probe.programs import PROGRAMS

MACHINES = ("x86_64", "aarch64")

SYMBOLS = Path("/proc/kallsyms")
LOCKDOWN = Path("/sys/kernel/security/lockdown")

HOOK = "tcp_sendmsg"
RING_SYMBOL = "bpf_ringbuf_reserve"


def kernel() -> CheckResult:
    """Check that the machine type is one the probe is built for."""
    found = f"Linux {platform.release()} on {platform.machine()}"
    if platform.machine() not in MACHINES:
        return lacking(f"{found}: not supported", f"Use a machine of {' or '.join(MACHINES)}")
    return fine(found)


def compiled_probe() -> CheckResult:
    """Check that the CO-RE object for this machine type is there."""
    path = bpf_file(f"build/imds.{platform.machine()}.bpf.o")
    if path is None:
        return lacking(f"the compiled probe for {platform.machine()} is not there", NO_OBJECT)
    return fine(f"{path}, {path.stat().st_size >> 10} KiB")


def btf() -> CheckResult:
    """Check that the kernel carries its type information."""
    if not BTF.exists():
        return lacking(f"{BTF} does not exist: the kernel has no type information", NO_BTF)
    return fine(f"{BTF}, {BTF.stat().st_size >> 10} KiB")


def hook() -> CheckResult:
    """Check that the kernel has the function we attach to."""
    if not SYMBOLS.exists():
        return note(f"{SYMBOLS} does not exist, so that symbols cannot be looked up")
    if HOOK not in symbols():
        return lacking(
            f"{HOOK} is not in {SYMBOLS}", "Use --attach tracepoint, or a kernel with CONFIG_INET"
        )
    return fine(f"in {SYMBOLS}")


@functools.lru_cache(maxsize=1)
def symbols() -> frozenset[str]:
    """Return which of the symbols that matter to us the kernel has; none without kallsyms."""
    if not SYMBOLS.exists():
        return frozenset()
    with SYMBOLS.open(encoding="ascii", errors="replace") as lines:
        return symbols_among(lines, frozenset({HOOK, RING_SYMBOL}))


def symbols_among(lines: Iterable[str], wanted: frozenset[str]) -> frozenset[str]:
    """Return which of ``wanted`` the lines of /proc/kallsyms name as functions."""
    found = set()
    for line in lines:
        fields = line.split()
        if len(fields) > 2 and fields[2] in wanted and fields[1] in "tT":  # noqa: PLR2004 -- address, kind, name
            found.add(fields[2])
    return frozenset(found)


def kprobes() -> CheckResult:
    """Check that kprobes are built in and not switched off."""
    try:
        return fine(find_kprobes())
    except KernelLacks as error:
        return lacking(str(error), error.remedy)


def tracepoints() -> CheckResult:
    """Check that the system calls' tracepoints can be found, mounted tracefs or not."""
    names = [f"syscalls/sys_enter_{each[len('trace_') :]}" for each in PROGRAMS["tracepoint"]]
    mounted = [str(place) for place in tracefs.PLACES if (place / "events").is_dir()]
    try:
        identifiers = tracefs.tracepoint_ids(names)
    except KernelLacks as error:
        return lacking(str(error), error.remedy)
    found = f"{len(identifiers)} system calls' tracepoints"
    if mounted:
        return fine(f"{found} in {mounted[0]}")
    return fine(f"{found}; tracefs is not mounted, we read it in a mount namespace of our own")


def lockdown() -> CheckResult:
    """Check that the kernel is not locked against reading its memory."""
    if not LOCKDOWN.exists():
        if not mount_points("securityfs"):
            return note("cannot be read, as securityfs is not mounted; the trials below tell")
        return fine("not built into this kernel")
    return judge_lockdown(LOCKDOWN.read_text())


def judge_lockdown(text: str) -> CheckResult:
    """Judge the text of the lockdown file: the mode in brackets is the one that holds.

    ``integrity`` (Secure Boot) forbids what writes to the kernel, ``confidentiality`` also
    what reads it: kprobes and BPF programs that trace.
    """
    mode = text.partition("[")[2].partition("]")[0]
    if mode == "confidentiality":
        return lacking(
            "confidentiality: kprobes and reading the kernel's memory are forbidden",
            "Boot with lockdown=integrity (it cannot be loosened while the kernel runs)",
        )
    if mode not in ("none", "integrity"):
        return note(f"unknown mode: {text.strip()}; the trials below tell")
    return fine({"none": "none", "integrity": "integrity, which allows what we do"}[mode])
