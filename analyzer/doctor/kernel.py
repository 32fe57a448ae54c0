"""What the running kernel was built with, and what it lets us do."""

from __future__ import annotations

import functools
import gzip
import platform
from collections.abc import Iterable
from pathlib import Path

from analyzer.doctor.findings import Answer, fine, lacking, note
from analyzer.sources import tracefs
from analyzer.sources.core import PROGRAMS
from analyzer.sources.files import bpf_file
from analyzer.sources.symbols import BTF

MACHINES = ("x86_64", "aarch64")

KPROBE_SOURCE = Path("/sys/bus/event_source/devices/kprobe")
KPROBE_SWITCH = Path("/sys/kernel/debug/kprobes/enabled")
SYMBOLS = Path("/proc/kallsyms")
LOCKDOWN = Path("/sys/kernel/security/lockdown")

HOOK = "tcp_sendmsg"
RING_SYMBOL = "bpf_ringbuf_reserve"


def kernel() -> Answer:
    """Check that the machine type is one the probe is built for."""
    found = f"Linux {platform.release()} on {platform.machine()}"
    if platform.machine() not in MACHINES:
        return lacking(f"{found}: not supported", f"Use a machine of {' or '.join(MACHINES)}")
    return fine(found)


def compiled_probe() -> Answer:
    """Check that the CO-RE object for this machine type is there."""
    path = bpf_file(f"build/imds.{platform.machine()}.bpf.o")
    if path is None:
        return lacking(
            f"the compiled probe for {platform.machine()} is not there",
            "In a source tree, run `make setup`; else reinstall imds-analyzer for this machine",
        )
    return fine(f"{path}, {path.stat().st_size >> 10} KiB")


def btf() -> Answer:
    """Check that the kernel carries its type information."""
    if not BTF.exists():
        return lacking(
            f"{BTF} does not exist: the kernel has no type information",
            "Use --source bcc, or a kernel built with CONFIG_DEBUG_INFO_BTF",
        )
    return fine(f"{BTF}, {BTF.stat().st_size >> 10} KiB")


def hook() -> Answer:
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


def kprobes() -> Answer:
    """Check that kprobes are built in and not switched off."""
    if not KPROBE_SOURCE.exists():
        place, options = configuration()
        missing = [
            name for name in ("CONFIG_KPROBES", "CONFIG_KPROBE_EVENTS") if options.get(name) != "y"
        ]
        found = f"{KPROBE_SOURCE} does not exist"
        if options and missing:
            found = f"the kernel was built without {' and '.join(missing)} ({place})"
        return lacking(
            found, "Use a kernel built with CONFIG_KPROBE_EVENTS, or another way to attach"
        )
    if KPROBE_SWITCH.exists() and KPROBE_SWITCH.read_text().strip() == "0":
        return lacking(
            f"switched off in {KPROBE_SWITCH}", f"Switch them on: echo 1 > {KPROBE_SWITCH}"
        )
    return fine(str(KPROBE_SOURCE))


@functools.lru_cache(maxsize=1)
def configuration() -> tuple[str, dict[str, str]]:
    """Return where the kernel's configuration stands, and it; both empty where it does not."""
    release = platform.release()
    built_in = Path("/proc/config.gz")
    if built_in.exists():
        text = gzip.decompress(built_in.read_bytes()).decode("utf-8", "replace")
        return str(built_in), parse_configuration(text)
    for place in (f"/boot/config-{release}", f"/lib/modules/{release}/config"):
        if Path(place).is_file():
            return place, parse_configuration(Path(place).read_text("utf-8", "replace"))
    return "", {}


def parse_configuration(text: str) -> dict[str, str]:
    """Return the options that are set, of a kernel's .config."""
    options = (line.partition("=") for line in text.splitlines() if line.startswith("CONFIG_"))
    return {name: value for name, _, value in options}


def tracepoints() -> Answer:
    """Check that the system calls' tracepoints can be found, mounted tracefs or not."""
    names = [f"syscalls/sys_enter_{each[len('trace_') :]}" for each in PROGRAMS["tracepoint"]]
    mounted = [str(place) for place in tracefs.PLACES if (place / "events").is_dir()]
    try:
        identifiers = tracefs.tracepoint_ids(names)
    except OSError as error:
        return lacking(
            str(error).strip(),
            "Use a kernel built with CONFIG_FTRACE_SYSCALLS; where only the mount failed: "
            f"mount -t tracefs tracefs {tracefs.MOUNT_POINT}",
        )
    found = f"{len(identifiers)} system calls' tracepoints"
    if mounted:
        return fine(f"{found} in {mounted[0]}")
    return fine(f"{found}; tracefs is not mounted, we read it in a mount namespace of our own")


def lockdown() -> Answer:
    """Check that the kernel is not locked against reading its memory."""
    if not LOCKDOWN.exists():
        mounts = Path("/proc/self/mounts").read_text("utf-8", "surrogateescape")
        if not is_mounted("securityfs", mounts):
            return note("cannot be read, as securityfs is not mounted; the trials below tell")
        return fine("not built into this kernel")
    return judge_lockdown(LOCKDOWN.read_text())


def judge_lockdown(text: str) -> Answer:
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


def is_mounted(kind: str, mounts: str) -> bool:
    """Tell whether /proc/self/mounts has a file system of this kind."""
    fields = (line.split(" ") for line in mounts.splitlines())
    return any(len(each) > 2 and each[2] == kind for each in fields)  # noqa: PLR2004 -- device, place, type
