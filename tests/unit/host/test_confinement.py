"""A seccomp filter is told from a missing capability; labels are read as the kernel writes them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from analyzer.host.confinement import apparmor_profile, selinux_type, status_in

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="the filter is for root's calls")

# Refuses calls by number with EPERM, as runtimes do, and then runs what it is given.
FILTER = """
import ctypes, struct, sys
numbers = [int(word) for word in sys.argv[1].split(",")]
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
program = [(LOAD, 0, 0, 0)]
for index, number in enumerate(numbers):
    program.append((EQUAL, len(numbers) - index, 0, number))
program += [(RETURN, 0, 0, 0x7FFF0000), (RETURN, 0, 0, 0x00050001)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
libc = ctypes.CDLL(None, use_errno=True)
class Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))
wanted = Filter(len(program), ctypes.addressof(code))
assert libc.prctl(38, ctypes.c_ulong(1), 0, 0, 0) == 0
assert libc.prctl(22, ctypes.c_ulong(2), ctypes.byref(wanted)) == 0, ctypes.get_errno()
exec(sys.argv[2])
"""
NUMBERS = {"x86_64": (321, 298, 304), "aarch64": (280, 241, 265)}
CALLS = ("bpf", "perf_event_open", "open_by_handle_at")
ASK = "from analyzer.host.confinement import refused_calls; print(*refused_calls())"


def filtered(calls: tuple[str, ...], program: str, **variables: str) -> str:
    """Return what a program prints with these calls refused."""
    numbers = dict(zip(CALLS, NUMBERS[os.uname().machine]))
    words = ",".join(str(numbers[call]) for call in calls)
    done = subprocess.run(
        [sys.executable, "-c", FILTER, words, program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@as_root
@pytest.mark.parametrize("calls", [("bpf",), ("open_by_handle_at",), CALLS])
def test_what_a_filter_refuses_is_told(calls: tuple[str, ...]) -> None:
    """And what it lets through is not."""
    assert filtered(calls, ASK).split() == list(calls)


@as_root
def test_a_filter_that_refuses_something_else_is_not_blamed() -> None:
    """Such as our own, which refuses what a recorder never calls."""
    harmless = "import ctypes; ctypes.CDLL(None)\n" + ASK
    done = filtered(("bpf",), harmless.replace("print(", "import os; os.setuid(65534); print("))
    assert done.split() == []  # without capabilities nobody can tell who refused


def test_without_a_filter_nothing_is_asked() -> None:
    """The usual case."""
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


@as_root
def test_doctor_does_not_blame_the_ring() -> None:
    """It says that a filter refuses bpf(2), with the line to add in this runtime's words."""
    program = (
        "from analyzer.doctor import privileges, ring\n"
        "print(ring.locked_memory().found)\n"
        "print(*privileges.system_calls()[1:], sep=' | ')\n"
    )
    on_host = filtered(("bpf",), program)
    assert "not tried: a seccomp filter refuses bpf(2)" in on_host
    assert "SystemCallFilter=" in on_host
    pod = filtered(("bpf",), program, KUBERNETES_SERVICE_HOST="10.0.0.1")
    assert "seccompProfile" in pod
    assert "does not fit" not in pod + on_host
    docker = filtered(("bpf",), program, container="docker")
    assert "docker run: --security-opt seccomp=unconfined" in docker


@as_root
def test_run_names_the_filter() -> None:
    """In place of a list of what else it may have been."""
    program = (
        "import analyzer.cli, sys\n"
        "sys.argv[1:] = ['run', '--source', 'core', '--attach', 'tracepoint']\n"
        "try: analyzer.cli.main()\n"
        "except SystemExit: pass\n"
    )
    numbers = str(NUMBERS[os.uname().machine][0])
    done = subprocess.run(
        [sys.executable, "-c", FILTER, numbers, program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ECS_CONTAINER_METADATA_URI_V4": "http://localhost"},
    )
    assert "A seccomp filter refuses bpf. In the task definition:" in done.stderr, done.stderr
    assert "lockdown" not in done.stderr


STATUS = """\
CapEff:\t{effective}
CapBnd:\t000001ffffffffff
NoNewPrivs:\t{nnp}
Seccomp:\t{mode}
Seccomp_filters:\t1
"""


def test_status_is_read_as_proc_writes_it() -> None:
    """Both sets of capabilities, and the two flags."""
    own = status_in(STATUS.format(effective="0000000000000004", nnp=1, mode=2))
    assert own.effective == {"CAP_DAC_READ_SEARCH"}
    assert "CAP_BPF" in own.bounding
    assert own.is_filtered
    assert own.has_no_new_privileges
    free = status_in(STATUS.format(effective="0", nnp=0, mode=0))
    assert not free.is_filtered
    assert not free.has_no_new_privileges
    assert status_in("").bounding == frozenset()


@pytest.mark.parametrize(
    ("label", "profile", "selinux"),
    [
        ("unconfined", "", ""),
        ("docker-default (enforce)", "docker-default", ""),
        ("my profile (complain)", "", ""),
        ("cri-containerd.apparmor.d (enforce)", "cri-containerd.apparmor.d", ""),
        ("system_u:system_r:container_t:s0:c12,c34", "", "container_t"),
        ("system_u:system_r:spc_t:s0", "", ""),
        ("system_u:system_r:super_t:s0", "", ""),
        ("", "", ""),
    ],
)
def test_labels_are_told_apart(label: str, profile: str, selinux: str) -> None:
    """AppArmor's have a mode, SELinux's a type."""
    assert apparmor_profile({"current": label}) == profile
    assert selinux_type({"current": label}) == selinux
