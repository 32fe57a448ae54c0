"""Containers from the cgroup paths that each runtime makes."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import pytest

from analyzer.recorder.attribute import NOBODY, Attributor
from analyzer.recorder.attribute.cgroups import (
    DEPTH_MAX,
    UNKNOWN_KEEP_S,
    Cgroup,
    CgroupPaths,
    parse,
)
from analyzer.recorder.attribute.containers import maybe_container
from analyzer.recorder.callers import Container
from analyzer.recorder.source_events import Attribution, KernelProcess, Snapshot
from tests.cgroups import made_cgroup, maybe_hierarchy
from tests.sends import process_of

A = "3f1c" * 16
B = "90de" * 16
POD = "8a4ef2b1_65b5_4a52_9f2c_0c1f0a4e6d3b"
SLEEP = shutil.which("sleep") or "/bin/sleep"
BURSTABLE = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{POD}.slice"

PATHS: tuple[tuple[str, Optional[Container]], ...] = (
    # docker
    (f"/system.slice/docker-{A}.scope", Container(A, "docker")),
    (f"/docker/{A}", Container(A, "docker")),
    (f"/../docker-{A}.scope", Container(A, "docker")),
    (f"/system.slice/docker-{A}.scope/init.scope", Container(A, "docker")),
    (f"/ecstasks.slice/ecstasks-5a1b.slice/docker-{A}.scope", Container(A, "docker")),
    (f"{BURSTABLE}/docker-{A}.scope", Container(A, "docker")),
    (f"/system.slice:docker:{A}", Container(A, "docker")),
    # containerd
    (f"{BURSTABLE}/cri-containerd-{A}.scope", Container(A, "containerd")),
    (
        f"/system.slice/containerd.service/kubepods-burstable-pod{POD}.slice:cri-containerd:{A}",
        Container(A, "containerd"),
    ),
    (f"/system.slice/nerdctl-{A}.scope", Container(A, "containerd")),
    # cri-o
    (f"{BURSTABLE}/crio-{A}.scope", Container(A, "cri-o")),
    (f"{BURSTABLE}/crio-{A}.scope/container", Container(A, "cri-o")),
    (f"/kubepods/besteffort/pod{POD}/crio-{A}", Container(A, "cri-o")),
    (f"{BURSTABLE}/crio-conmon-{A}.scope", None),
    # podman
    (f"/machine.slice/libpod-{A}.scope/container", Container(A, "podman")),
    (
        f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope",
        Container(A, "podman"),
    ),
    (f"/system.slice/web.service/libpod-payload-{A}", Container(A, "podman")),
    (f"/libpod_parent/libpod-{A}", Container(A, "podman")),
    (f"/machine.slice/libpod-conmon-{A}.scope", None),
    # whose, the path does not tell
    (f"/kubepods/burstable/pod{POD}/{A}", Container(A, None)),
    (f"/ecs/5a1b9c2d/{A}", Container(A, None)),
    (f"/builders/{A}", Container(A, None)),
    # lxc
    ("/lxc/web-1", Container("web-1", "lxc")),
    ("/lxc/web-1/system.slice/nginx.service", Container("web-1", "lxc")),
    ("/lxc.payload.web-1", Container("web-1", "lxc")),
    ("/lxc.payload.web-1/init.scope", Container("web-1", "lxc")),
    ("/lxc.payload/web-1", Container("web-1", "lxc")),
    ("/lxc.monitor.web-1", None),
    # systemd-nspawn
    ("/machine.slice/machine-web.scope", Container("web", "systemd-nspawn")),
    (r"/machine.slice/machine-web\x2d1.scope/payload", Container("web-1", "systemd-nspawn")),
    (
        "/machine.slice/systemd-nspawn@debian.service/payload/system.slice/cron.service",
        Container("debian", "systemd-nspawn"),
    ),
    # without systemd-machined: a scope by the machine's name, or a unit of somebody's own
    ("/machine.slice/web.scope/payload", Container("web", "systemd-nspawn")),
    (r"/machine.slice/web\x2d1.scope/payload/init.scope", Container("web-1", "systemd-nspawn")),
    ("/machine.slice/web.service/payload", Container("web", "systemd-nspawn")),
    ("/machine.slice/box@web.service/payload", Container("box@web", "systemd-nspawn")),
    ("/machine.slice/web.scope/supervisor", None),
    ("/machine.slice/web.scope", None),
    ("/system.slice/web.service/payload", None),
    ("/payload", None),
    (f"/machine.slice/libpod-{A}.scope/payload", Container(A, "podman")),
    (f"/machine.slice/libpod-conmon-{A}.scope/payload", None),
    (f"/machine.slice/web.scope/payload/docker/{B}", Container(B, "docker")),
    (r"/machine.slice/machine-qemu\x2d1\x2dvm1.scope", None),
    (r"/machine.slice/machine-qemu\x2d1\x2dvm1.scope/payload", None),
    (r"/machine.slice/machine-lxc\x2d77\x2dvm1.scope", None),
    # one in another: the inner one
    (f"/docker/{A}/kubelet.slice{BURSTABLE}/cri-containerd-{B}.scope", Container(B, "containerd")),
    (f"/lxc.payload.node/docker/{B}", Container(B, "docker")),
    # none
    ("/", None),
    ("/system.slice/docker.service", None),
    ("/system.slice/containerd.service", None),
    ("/user.slice/user-1000.slice/session-3.scope", None),
    (f"/system.slice/docker-{A[:-1]}.scope", None),
    (f"/system.slice/docker-{A}a.scope", None),
    (f"/system.slice/mydocker-{A}.scope", None),
    (f"/docker/{A.upper()}", None),
    ("/process/9a4fc85d9f4813d730e88bf4f57ab816", None),
)


@pytest.mark.parametrize(("path", "container"), PATHS)
def test_a_path_tells_its_container(path: str, container: Optional[Container]) -> None:
    """In the unified hierarchy and in one of version 1 alike."""
    assert maybe_container(f"0::{path}\n") == container
    assert maybe_container(f"0::{path} (deleted)\n") == container
    version_1 = f"9:name=systemd:{path}\n4:cpu,cpuacct:{path}\n2:memory:{path}\n0::/\n"
    assert maybe_container(version_1) == container


def test_any_hierarchy_may_tell_the_container() -> None:
    """On hosts with both versions some hierarchies stay at the root."""
    text = f"3:cpuset:/\n2:memory:/docker/{A}\n1:name=systemd:/\n0::/system.slice/docker.service\n"
    assert maybe_container(text) == Container(A, "docker")


def test_lines_of_another_form_are_left_out() -> None:
    """Nothing that stands in the text raises."""
    assert parse("") == ()
    assert parse("0::\n\nnonsense\n1:cpu\n") == (Cgroup("", ""),)
    assert parse("4:name=a:b:/x:y\n") == (Cgroup("name=a", "b:/x:y"),)
    assert maybe_container("\n:::\n0::" + "/" * 5000) is None


def test_a_deep_tree_is_looked_at_from_its_end() -> None:
    """Cgroups can be nested without an end; only the innermost levels are searched."""
    near = f"/docker/{A}" + "/x" * (DEPTH_MAX - 1)
    far = f"/docker/{A}" + "/x" * DEPTH_MAX
    assert maybe_container(f"0::{near}\n") == Container(A, "docker")
    assert maybe_container(f"0::{far}\n") is None


def test_the_root_and_hosts_without_the_hierarchy_tell_nothing() -> None:
    """Every process of a host with version 1 only has the root's id."""
    for paths in (CgroupPaths.of_this_host(), CgroupPaths(None), CgroupPaths("/proc")):
        assert paths.maybe_path(0, now=1.0) is None
        assert paths.maybe_path(1, now=1.0) is None
        assert paths.maybe_path(2**63, now=1.0) is None


def test_of_a_cgroup_that_is_gone_the_kernel_told_the_path() -> None:
    gone = 2**62
    for paths in (CgroupPaths.of_this_host(), CgroupPaths(None)):
        assert paths.maybe_path(gone, now=1.0) is None
        paths.learn(gone, f"/docker/{A}", now=1.0)
        assert paths.maybe_path(gone, now=1.0) == f"/docker/{A}"


@pytest.fixture
def parent() -> Iterator[Path]:
    """Make a cgroup for one test in the host's unified hierarchy."""
    hierarchy = maybe_hierarchy()
    if os.geteuid() != 0 or hierarchy is None:
        pytest.skip("needs root and a mounted unified cgroup hierarchy")
    with made_cgroup(hierarchy) as made:
        yield made


@contextlib.contextmanager
def running_in(cgroup: Path) -> Iterator[KernelProcess]:
    """Run a program in a cgroup; it is gone and reaped when this returns."""
    with subprocess.Popen([SLEEP, "1000"]) as process:
        try:
            (cgroup / "cgroup.procs").write_text(str(process.pid))
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()
            yield KernelProcess(
                int(fields[19]) * 10**9 // os.sysconf("SC_CLK_TCK"), process.pid, 0, b"sleep"
            )
        finally:
            process.kill()


def test_a_cgroup_is_found_by_its_id_while_it_exists(parent: Path) -> None:
    """Its id is the inode number of its directory; what was not there is asked again later."""
    made = parent / "a b.service"
    made.mkdir()
    cgroup_id = made.stat().st_ino
    mount_point = str(parent.parent)
    paths = CgroupPaths(mount_point)
    assert paths.maybe_path(cgroup_id, now=1.0) == f"/{parent.name}/a b.service"
    made.rmdir()
    assert paths.maybe_path(cgroup_id, now=2.0) == f"/{parent.name}/a b.service"  # remembered
    assert CgroupPaths(mount_point).maybe_path(cgroup_id, now=1.0) is None


def test_an_unknown_id_is_not_asked_for_each_event(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That there is none is remembered for a few seconds."""
    paths = CgroupPaths(str(parent.parent))
    opened: list[str] = []
    real_open = os.open

    def counting_open(path: str, flags: int) -> int:
        opened.append(path)
        return real_open(path, flags)

    monkeypatch.setattr(os, "open", counting_open)
    for now in (1.0, 1.5, 1.0 + UNKNOWN_KEEP_S, 1.1 + UNKNOWN_KEEP_S):
        assert paths.maybe_path(2**40, now=now) is None
    assert len(opened) == 2


def test_a_caller_is_placed_in_its_container_alive_and_gone(parent: Path) -> None:
    """While it lives /proc tells its cgroup, afterwards the id that the kernel reported does."""
    cgroup = parent / f"docker-{A}.scope"
    cgroup.mkdir()
    with running_in(cgroup) as kernel:
        snapshot = Snapshot(kernel, cgroup.stat().st_ino, b"sleep\0", False, (), False)
        alive = Attributor().attribute(snapshot._replace(cgroup_id=1))
    gone = Attributor().attribute(snapshot)
    for caller in (alive, gone):
        assert caller.container == Container(A, "docker")
        assert caller.service == f"docker-{A}.scope"
    assert process_of(alive).executable is not None
    assert process_of(gone).executable is None


def test_a_socket_of_nobody_known_is_placed_in_its_container(parent: Path) -> None:
    """Of one whose control group is not known either nothing is said."""
    cgroup = parent / f"docker-{A}.scope"
    cgroup.mkdir()
    of_socket = Snapshot(
        None, cgroup.stat().st_ino, b"", False, (), False, attribution=Attribution.WIRE
    )
    attributor = Attributor()
    caller = attributor.attribute(of_socket)
    assert caller.process is None
    assert (caller.container, caller.service) == (Container(A, "docker"), f"docker-{A}.scope")
    assert caller.attribution is Attribution.WIRE
    assert attributor.attribute(of_socket) is caller
    assert attributor.attribute(of_socket._replace(cgroup_id=2**40))[:5] == NOBODY[:5]


def test_a_caller_that_was_moved_since_is_placed_where_it_called(parent: Path) -> None:
    """The id that the kernel reported with the call outweighs what /proc tells later."""
    then, now = parent / f"docker-{A}.scope", parent / f"docker-{B}.scope"
    then.mkdir()
    now.mkdir()
    with running_in(now) as kernel:
        snapshot = Snapshot(kernel, then.stat().st_ino, b"sleep\0", False, (), False)
        caller = Attributor().attribute(snapshot)
    assert caller.container == Container(A, "docker")
    assert caller.service == f"docker-{A}.scope"


def test_the_cgroup_of_a_number_that_is_anothers_by_now_is_not_the_callers(parent: Path) -> None:
    """A later process with the caller's pid may be in any container."""
    cgroup = parent / f"docker-{A}.scope"
    cgroup.mkdir()
    with running_in(cgroup) as kernel:
        former = kernel._replace(start_boottime_ns=1)
        caller = Attributor().attribute(Snapshot(former, 1, b"sleep\0", False, (), False))
    assert caller.container is None
    assert caller.service is None
