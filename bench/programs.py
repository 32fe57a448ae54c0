"""What the kernel itself says about the BPF programs that a process holds."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from analyzer.recorder.sources.probe.libbpf import SONAMES
from bench.figure import CannotMeasureError

NAME_MAX = 15  # BPF_OBJ_NAME_LEN without the NUL
_RUN_TIME = 0  # BPF_STATS_RUN_TIME, linux/bpf.h


class RunTime(NamedTuple):
    """How often a program ran and for how long, since it was loaded and statistics were on."""

    ns: int
    runs: int
    name: str  # at most 15 characters of it


@contextlib.contextmanager
def run_time_statistics() -> Iterator[None]:
    """Have the kernel time BPF programs; it stops by itself when this process is gone."""
    fd = _enable_stats()
    try:
        yield
    finally:
        os.close(fd)


def run_times(pid: int) -> dict[int, RunTime]:
    """Return the figures of all programs a process holds, by their ids."""
    found = {}
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            text = path.read_text(encoding="ascii")
        except OSError:  # closed meanwhile
            continue
        facts = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        # A link also tells its program's id, but not these.
        if "run_time_ns" in facts:
            number = int(facts["prog_id"])
            ran = int(facts["run_time_ns"]), int(facts["run_cnt"])
            found[number] = RunTime(*ran, _name_of(number))
    return found


def busiest_since(before: dict[int, RunTime], after: dict[int, RunTime], name: str = "") -> RunTime:
    """Return what the program that ran most in between has done since.

    With a ``name``, only programs of that name count.
    """
    nothing = RunTime(0, 0, "")
    grown = [
        RunTime(
            now.ns - before.get(each, nothing).ns,
            now.runs - before.get(each, nothing).runs,
            now.name,
        )
        for each, now in after.items()
        if not name or now.name == name[:NAME_MAX]
    ]
    return max(grown, key=lambda each: each.runs, default=nothing)


class _Info(ctypes.Structure):
    """The head of struct bpf_prog_info (uapi linux/bpf.h), up to the name."""

    _fields_ = (("before", ctypes.c_uint8 * 64), ("name", ctypes.c_char * 16))


def _name_of(number: int) -> str:
    """Return the name of a program by its id, "" when it is gone."""
    for soname in SONAMES:
        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL(soname, use_errno=True)
            fd: int = library.bpf_prog_get_fd_by_id(number)
            if fd < 0:
                return ""
            info, size = _Info(), ctypes.c_uint32(ctypes.sizeof(_Info))
            failed = library.bpf_obj_get_info_by_fd(fd, ctypes.byref(info), ctypes.byref(size))
            os.close(fd)
            return "" if failed else bytes(info.name).decode("ascii", "replace")
    return ""


def _enable_stats() -> int:
    for soname in SONAMES:
        with contextlib.suppress(OSError, AttributeError):
            enable = ctypes.CDLL(soname, use_errno=True).bpf_enable_stats
            fd: int = enable(_RUN_TIME)
            if fd >= 0:
                return fd
    raise CannotMeasureError(
        "the kernel does not time BPF programs (BPF_ENABLE_STATS): needs Linux 5.8, libbpf and root"
    )
