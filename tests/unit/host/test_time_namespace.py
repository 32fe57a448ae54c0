"""The boot clock in time namespaces: real ones, each in a child that is made for it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analyzer.host.time_namespace import offset_ns, parse
from analyzer.recorder.clock import BootClock

DAY_NS = 86_400 * 10**9
# Between two readings of a clock on a busy machine.
SLACK_NS = 60 * 10**9
needs_namespaces = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/proc/self/ns/time").exists(),
    reason="makes time namespaces: needs root and Linux 5.6",
)
SHIFTED = ("unshare", "--time", "--boottime", "86400", "--")
NOW = (
    "from analyzer.recorder.clock import BootClock as C; print(C().now_ns(), C().epoch_offset_ns())"
)
# Becomes a process whose children alone are in another namespace, as before exec follows them.
UNSHARED = """
import ctypes, pathlib
assert ctypes.CDLL(None).unshare(0x80) == 0
pathlib.Path("/proc/self/timens_offsets").write_text("boottime 3600 0")
"""
OFFSET = UNSHARED + "from analyzer.host.time_namespace import offset_ns\nprint(offset_ns())"
OPEN = (
    UNSHARED
    + "from analyzer.recorder.sources.selection import open_source as o\no('auto', 'auto', 4096)"
)


def _ran(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_offsets_are_read_from_the_kernels_own_text() -> None:
    """Nanoseconds are counted upwards from the seconds, also from negative ones."""
    assert parse("monotonic           7         1\nboottime         1000   5\n") == 10**12 + 5
    assert parse("boottime -3 999999999\n") == -3 * 10**9 + 999999999
    assert parse("") == 0


@needs_namespaces
@pytest.mark.parametrize("prefix", [(), SHIFTED, (*SHIFTED[:3], "-3", "--")], ids=len)
def test_times_are_the_kernels(prefix: tuple[str, ...]) -> None:
    """Whatever CLOCK_BOOTTIME of the process says."""
    assert offset_ns() == 0
    now_ns, epoch_offset_ns = map(int, _ran(*prefix, sys.executable, "-c", NOW).stdout.split())
    assert abs(now_ns - time.clock_gettime_ns(time.CLOCK_BOOTTIME)) < SLACK_NS
    assert abs(epoch_offset_ns - BootClock().epoch_offset_ns()) < 10**9


@needs_namespaces
def test_without_the_correction_they_would_not_be() -> None:
    """The clock of such a process is really shifted."""
    clock = "import time; print(time.clock_gettime_ns(time.CLOCK_BOOTTIME))"
    shifted_ns = int(_ran(*SHIFTED, sys.executable, "-c", clock).stdout)
    assert abs(shifted_ns - time.clock_gettime_ns(time.CLOCK_BOOTTIME) - DAY_NS) < SLACK_NS


@needs_namespaces
def test_a_namespace_for_children_does_not_count() -> None:
    """The file then has offsets that are not ours."""
    assert _ran(sys.executable, "-c", OFFSET).stdout == "0\n"


@needs_namespaces
@pytest.mark.parametrize("program", [OFFSET, OPEN], ids=["offset", "open"])
def test_what_the_kernel_does_not_tell_is_refused(program: str) -> None:
    """Between two shifted namespaces; nothing is attached, and the error says what to do."""
    done = _ran(*SHIFTED, sys.executable, "-c", program)
    assert done.returncode == 1
    assert "ServiceError: the boot clock is shifted by a time namespace" in done.stderr
    assert "nsenter --time=/proc/1/ns/time" in done.stderr


@needs_namespaces
def test_what_to_do_helps() -> None:
    """The command that the error names leads back; here to this process, not to the first."""
    back = ("nsenter", f"--time=/proc/{os.getpid()}/ns/time")
    done = _ran(*SHIFTED, *back, sys.executable, "-c", OFFSET.replace(UNSHARED, ""))
    assert done.stdout == "0\n", done.stderr
