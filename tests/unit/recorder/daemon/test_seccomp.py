"""System calls are refused for good; run in a child, because of that."""

from __future__ import annotations

import errno
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from analyzer.recorder.daemon.seccomp import REFUSED, filter_for

# Makes each call with arguments that do nothing, before and after, and prints its errno: in the
# main thread, in one that was there before, in one that came after, and in a program started.
PROGRAM = """
import ctypes, os, platform, subprocess, sys, threading
from analyzer.recorder.daemon.seccomp import REFUSED, refuse_system_calls
libc = ctypes.CDLL(None, use_errno=True)
column = ("x86_64", "aarch64").index(platform.machine())
def tried(number):
    ctypes.set_errno(0)
    # No such command, process, descriptor: nothing happens whatever is allowed.
    libc.syscall(ctypes.c_long(number), *(ctypes.c_long(-1),) * 2, None, None, None)
    return ctypes.get_errno()
def show(when):
    print(when, *(f"{name}={tried(numbers[column])}" for name, numbers in REFUSED.items()))
if sys.argv[1:] == ["child"]:
    show("child")
    sys.exit()
show("before")
go = threading.Event()
early = threading.Thread(target=lambda: (go.wait(), show("early")))
early.start()
print("refused", *refuse_system_calls())
show("after")
go.set()
early.join()
late = threading.Thread(target=show, args=("late",))
late.start()
late.join()
sys.stdout.flush()
subprocess.run([sys.executable, sys.argv[0], "child"], check=True)
"""

# mov eax, edi; xor ecx, ecx; xor edx, edx; mov ebx, -1; int 0x80, with ebx kept: a 32-bit call.
OTHER_ENTRIES = """
import ctypes, mmap
from analyzer.recorder.daemon.seccomp import refuse_system_calls
code = bytes.fromhex("53" "89f8" "bbffffffff" "31c9" "31d2" "cd80" "5b" "c3")
pages = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
pages.write(code)
at = ctypes.addressof(ctypes.c_char.from_buffer(pages))
call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(at)
libc = ctypes.CDLL(None, use_errno=True)
def x32(number):
    ctypes.set_errno(0)
    libc.syscall(ctypes.c_long(0x40000000 | number), *(ctypes.c_long(-1),) * 2, None)
    return ctypes.get_errno()
I386_BPF, I386_PTRACE, I386_GETPID = 357, 26, 20
X32_BPF, X32_PTRACE = 321, 521
def show(when):
    print(when, -call(I386_BPF), -call(I386_PTRACE), x32(X32_BPF), x32(X32_PTRACE))
show("before")
refuse_system_calls()
show("after")
"""
KNOWN = platform.machine() in ("x86_64", "aarch64")


def _said(program: str, directory: Path) -> dict[str, list[str]]:
    script = directory / "program.py"
    script.write_text(program)
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, timeout=60
    )
    lines = (line.split() for line in done.stdout.splitlines())
    return {when: rest for when, *rest in lines}


@pytest.mark.skipif(not KNOWN, reason="no filter is made for this machine type")
def test_every_call_is_refused_in_every_thread_and_child(tmp_path: Path) -> None:
    """With EPERM, and the process lives on."""
    said = _said(PROGRAM, tmp_path)
    assert said["refused"] == list(REFUSED)
    for when in ("after", "early", "late", "child"):
        assert said[when] == [f"{name}={errno.EPERM}" for name in REFUSED], when


@pytest.mark.skipif(not KNOWN, reason="no filter is made for this machine type")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root is not refused before: needs root")
def test_before_it_the_same_calls_are_not_refused(tmp_path: Path) -> None:
    """So that the errors above are the filter's."""
    before = dict(each.split("=") for each in _said(PROGRAM, tmp_path)["before"])
    refused = {name for name, code in before.items() if int(code) == errno.EPERM}
    assert refused == set()
    assert int(before["ptrace"]) in (errno.ESRCH, errno.EIO)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86-64 has other entries")
def test_other_entries_are_closed(tmp_path: Path) -> None:
    """A 64-bit process may make 32-bit calls, and x32's, which have other numbers."""
    said = _said(OTHER_ENTRIES, tmp_path)
    assert said["after"] == [str(errno.EPERM)] * 4
    # A kernel without 32-bit or x32 calls knows none of them.
    assert all(int(each) != errno.EPERM for each in said["before"][1::2])


def test_what_the_analyzer_does_is_not_refused(tmp_path: Path) -> None:
    """Files, memory, threads, sockets, and programs: nothing of these is in the filter."""
    said = _said(
        """
import mmap, os, socket, subprocess, tempfile, threading
from analyzer.recorder.daemon.seccomp import refuse_system_calls
refuse_system_calls()
with tempfile.TemporaryFile() as file:
    file.write(b"x" * 4096)
    file.flush()
    os.fsync(file.fileno())
    os.ftruncate(file.fileno(), 10)
    pages = mmap.mmap(file.fileno(), 10)
left, right = socket.socketpair()
left.send(b"x")
thread = threading.Thread(target=right.recv, args=(1,))
thread.start()
thread.join()
os.readlink("/proc/self/exe")
os.kill(os.getpid(), 0)
subprocess.run(["true"], check=True)
print("fine", "all")
""",
        tmp_path,
    )
    assert said == {"fine": ["all"]}


def test_a_filter_that_forbids_another_is_named(tmp_path: Path) -> None:
    """The error says what to allow."""
    if not KNOWN:
        pytest.skip("no filter is made for this machine type")
    said = _said(
        """
import ctypes, errno, platform
from analyzer.errors import ServiceError
from analyzer.recorder.daemon import seccomp
# A filter that refuses seccomp(2) itself, made by the same means.
machine = platform.machine()
number = seccomp._MACHINES[machine].seccomp
seccomp.REFUSED.update({"seccomp": (number, number)})
seccomp.refuse_system_calls()
try:
    seccomp.refuse_system_calls()
except ServiceError as error:
    print("error", *str(error).split())
""",
        tmp_path,
    )
    assert " ".join(said["error"]).startswith("cannot install a seccomp filter: Operation not")
    assert "Allow the system calls seccomp and prctl" in " ".join(said["error"])


def test_machines_that_are_not_known_have_no_filter() -> None:
    """Numbers of another machine would refuse anything."""
    assert filter_for("riscv64") is None
    assert filter_for("x86_64") != filter_for("aarch64") is not None


def test_the_numbers_are_the_kernels() -> None:
    """As its headers have them, where they are installed."""
    headers = {
        0: Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        1: Path("/usr/include/asm-generic/unistd.h"),
    }
    found = {column: path.read_text() for column, path in headers.items() if path.exists()}
    if not found:
        pytest.skip("the kernel's headers for programs are not installed")
    for column, text in found.items():
        for name, numbers in REFUSED.items():
            assert f"#define __NR_{name} {numbers[column]}\n" in text, name
