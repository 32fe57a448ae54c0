"""Privileges are gone for good; run in a child, because of that."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from analyzer.recorder.daemon.capabilities import let_go

# Says what it kept, then shows its own status and that of a program it starts.
PROGRAM = """
import ctypes, pathlib, subprocess
from analyzer.recorder.daemon.capabilities import let_go
print(*let_go())
print("dumpable", ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
print(pathlib.Path("/proc/self/status").read_text())
print("child")
print(subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True).stdout)
"""
NAMING = 1 << 2 | 1 << 19
OVERRIDE = 1 << 1


def _sets(status: str) -> dict[str, int]:
    lines = (line.split(":") for line in status.splitlines() if line.startswith("Cap"))
    return {name: int(value, 16) for name, value in lines}


def _let_go(*before: str) -> tuple[list[str], str, str]:
    done = subprocess.run(
        [*before, sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    own, child = done.stdout.split("child\n")
    return own.splitlines()[0].split(), own, child


def test_what_is_not_needed_is_gone_and_does_not_come_back() -> None:
    """Neither in the process nor in a program it starts, be it as root."""
    kept, own, child = _let_go()
    allowed = NAMING | (OVERRIDE if os.geteuid() == 0 else 0)
    for status in (own, child):
        sets = _sets(status)
        assert sets["CapPrm"] & ~allowed == 0
        assert sets["CapEff"] == sets["CapPrm"]
        assert sets["CapInh"] == sets["CapAmb"] == 0
        assert "NoNewPrivs:\t1" in status
    assert "dumpable 0" in own
    assert len(kept) == bin(_sets(own)["CapPrm"]).count("1")


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a child capabilities: needs root")
def test_as_a_service_it_keeps_what_names_callers() -> None:
    """Another user, with the unit's capabilities as ambient ones."""
    capabilities = "+bpf,+perfmon,+dac_read_search,+sys_ptrace"
    kept, own, child = _let_go(
        *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"),
        f"--bounding-set=-all,{capabilities}",
        f"--inh-caps=-all,{capabilities}",
        f"--ambient-caps=-all,{capabilities}",
        "--",
    )
    assert kept == ["CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE"]
    assert _sets(own)["CapEff"] == NAMING
    assert _sets(child)["CapEff"] == 0


def test_threads_that_would_keep_theirs_are_refused() -> None:
    """Capabilities are each thread's own."""
    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="threads"):
            let_go()
    finally:
        go.set()
        thread.join()
