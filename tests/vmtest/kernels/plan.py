"""Say which files of the live suite each kernel is asked, and with which probes.

The shorter run asks each kernel what depends on it. What it leaves out, :func:`left_out` names,
and the closing summary prints. A full run leaves out nothing that the kernel can do.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.vmtest.kernels.arm64 import ARCH as ARM64
from tests.vmtest.kernels.kernels import line_named

# The tracepoint fallback is left to hosts where nothing better attaches, which run the same
# tests natively; BCC's kfunc differs from its kprobe in how it attaches, not in what it sees.
CORE_PROBES = ("core/fentry", "core/kprobe")
BCC_PROBES = ("bcc/kprobe",)

# Every way to send: what the probes attach to, and the structures that they read.
EVERY_PROBE = ("wire",)
# What depends on the kernel and is the same for all probes, as it comes from the answers, from
# the process or from the wire. The oldest kernel is asked with both probes even so.
ONE_PROBE = ("callers", "answers", "paths", "paths_opening")
# The same, never asked of arm64: its small tree has no programs for them.
NOT_ON_ARM64 = ("origins", "containers", "replaced")
# What depends more on the machine's speed than on its kernel: asked of the oldest and the newest.
ENDS = ("evidence", "ancestry")
# What depends on Python, on the ring's size or on packets, which come the same way from every
# kernel; what an older one might lack, the oldest shows.
OLDEST_ONLY = ("run", "pressure", "packet", "packet_filter", "packet_forwarded")
# Fills a socket's buffer while the analyzer is stopped: minutes in a guest, and no kernel's own.
HOST_ONLY = ("tests/live/test_packet.py::test_a_flood_while_it_stands_still_is_counted",)
# What BCC is asked. Its compiling alone takes minutes in a guest.
BCC = ("wire",)

OLDEST = "5.10"
NEWEST = "newest"
# What its tree can be asked in a full run.
ARM64_FULL = (*EVERY_PROBE, *ONE_PROBE, "evidence")
# The machines that take longest start first, so that two lanes end at nearly the same time.
TURNS = ("5.10", "newest", "arm64", "6.1", "6.12")


class Plan(NamedTuple):
    """What one kernel is asked: ``once`` are those of ``files`` that one probe is enough for."""

    files: tuple[str, ...]
    once: tuple[str, ...]
    bcc: bool
    without: tuple[str, ...]


def plan_of(line: str, *, full: bool = False) -> Plan:
    """Return what a kernel line is asked, in the shorter or in the full run."""
    is_arm64 = line_named(line).arch == ARM64
    files: tuple[str, ...] = EVERY_PROBE + ONE_PROBE
    if is_arm64:
        return Plan(ARM64_FULL if full else files, () if full else ONE_PROBE, bcc=False, without=())
    files += NOT_ON_ARM64
    if full or line in {OLDEST, NEWEST}:
        files += ENDS
    if full or line == OLDEST:
        files += OLDEST_ONLY
    return Plan(
        files,
        once=() if full or line == OLDEST else ONE_PROBE + NOT_ON_ARM64,
        bcc=full or line == OLDEST,
        without=HOST_ONLY if not full and line == OLDEST else (),
    )


def left_out(line: str, *, full: bool = False) -> list[str]:
    """Return what a kernel is not asked that a full run would ask, as phrases."""
    now, whole = plan_of(line, full=full), plan_of(line, full=True)
    phrases = []
    missing = [name for name in whole.files if name not in now.files]
    if missing:
        phrases.append(f"tests/live/test_*.py of {', '.join(missing)}")
    if now.once:
        phrases.append(f"{', '.join(now.once)} with {CORE_PROBES[1]}")
    if whole.bcc and not now.bcc:
        phrases.append(BCC_PROBES[0])
    phrases += now.without
    return phrases


def turn(line: str) -> int:
    """Return when a kernel's machine starts among the others."""
    return TURNS.index(line)


def target(name: str) -> str:
    """Return the path of a file of the live suite."""
    return f"tests/live/test_{name}.py"
