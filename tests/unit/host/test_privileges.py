"""What capabilities are there, and what is said where they are too few."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from analyzer.host import privileges
from analyzer.host.privileges import CAPABILITIES, NO_PRIVILEGE, OUTSIDE, ROOT_WITHOUT

ALL = frozenset(CAPABILITIES)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

WITHOUT = ("setpriv", "--inh-caps=-all", "--bounding-set=-all")


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        pytest.param("000001ffffffffff", ALL, id="root, Linux 6.1"),
        pytest.param(
            "0000003fffffffff", ALL - {"CAP_BPF", "CAP_PERFMON"}, id="root, before Linux 5.8"
        ),
        pytest.param(
            "00000000a80425fb", {"CAP_DAC_OVERRIDE", "CAP_SETPCAP"}, id="root of a Docker container"
        ),
        pytest.param(
            "000000c000080000",
            {"CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE"},
            id="a unit with AmbientCapabilities",
        ),
        pytest.param("0000000000000000", frozenset(), id="an ordinary user"),
    ],
)
def test_effective_capabilities_are_read_from_the_status_text(
    mask: str, expected: frozenset[str]
) -> None:
    """Only CapEff counts, not what stands in the lines around it."""
    status = (
        "Name:\tpython3\nUid:\t0\t0\t0\t0\nCapInh:\t0000000000000000\n"
        f"CapPrm:\t000001ffffffffff\nCapEff:\t{mask}\nCapBnd:\t000001ffffffffff\n"
    )
    assert privileges.decode(status) == expected


def test_a_status_without_capabilities_gives_none() -> None:
    """A kernel that shows no CapEff line gives no privilege."""
    assert privileges.decode("Name:\tx\n") == frozenset()


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"CAP_SYS_ADMIN"}, True),
        ({"CAP_BPF", "CAP_PERFMON"}, True),
        ({"CAP_BPF", "CAP_SYS_PTRACE"}, False),
        ({"CAP_PERFMON", "CAP_DAC_READ_SEARCH"}, False),
        (set(), False),
    ],
)
def test_loading_needs_the_pair_or_the_old_capability(
    capabilities: set[str], expected: bool
) -> None:
    """CAP_BPF without CAP_PERFMON cannot attach, and the other way round cannot load."""
    assert privileges.suffice(frozenset(capabilities)) is expected


def _in_a_child(program: str, *before: str) -> str:
    done = subprocess.run(
        [*before, sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


OBSTACLE = "from analyzer.host.privileges import maybe_obstacle; print(maybe_obstacle())"


@as_root
@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (("env",), "None"),
        (WITHOUT, ROOT_WITHOUT),
        (("unshare", "--user", "--map-root-user"), OUTSIDE),
    ],
)
def test_what_is_in_the_way_is_told_with_what_would_help(
    before: tuple[str, ...], expected: str
) -> None:
    """Root is not told to be root."""
    assert _in_a_child(OBSTACLE, *before) == f"{expected}\n"


@as_root
def test_an_ordinary_user_is_told_to_be_root() -> None:
    """Who changes in mid-program, as the source tree may be closed to others."""
    program = (
        "import os, analyzer.host.privileges as p; os.setuid(65534); print(p.maybe_obstacle())"
    )
    assert _in_a_child(program) == f"{NO_PRIVILEGE}\n"


@as_root
@pytest.mark.parametrize(
    ("before", "remedy"),
    [((), "None"), (WITHOUT, ROOT_WITHOUT)],
)
def test_tracefs_that_cannot_be_mounted_is_not_a_kernel_without_tracing(
    before: tuple[str, ...], remedy: str
) -> None:
    """Where it is not mounted it is read in a mount namespace, which takes CAP_SYS_ADMIN."""
    program = (
        "from analyzer.errors import KernelLacks\n"
        "from analyzer.host.tracefs import tracepoint_ids\n"
        "try: print(len(tracepoint_ids(['syscalls/sys_enter_write'])) == 1 and None)\n"
        "except KernelLacks as error: print(error.remedy)\n"
    )
    unmounted = 'umount --all --types tracefs,debugfs; exec "$@"'
    own = ("unshare", "--mount", "--propagation=private", "sh", "-c", unmounted, "sh")
    assert _in_a_child(program, *own, *before) == f"{remedy}\n"


@as_root
def test_a_tracepoint_there_is_not_is_one_the_kernel_lacks() -> None:
    """Mounted or not."""
    program = (
        "from analyzer.errors import KernelLacks\n"
        "from analyzer.host.tracefs import tracepoint_ids\n"
        "try: tracepoint_ids(['syscalls/sys_enter_nothing'])\n"
        "except KernelLacks as error: print('CONFIG_FTRACE_SYSCALLS' in error.remedy)\n"
    )
    unmounted = 'umount --all --types tracefs,debugfs; exec "$@"'
    own = ("unshare", "--mount", "--propagation=private", "sh", "-c", unmounted, "sh")
    assert _in_a_child(program) == "True\n"
    assert _in_a_child(program, *own) == "True\n"
