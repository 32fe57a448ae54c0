"""Containers are named wherever their runtime was told to keep its files."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import psutil
import pytest

from analyzer.host.procfs import maybe_stat
from analyzer.recorder.attribute.naming import UNNAMED_KEEP_S, Naming, NodeSettings
from analyzer.recorder.attribute.processes import Processes, ProcFacts
from analyzer.recorder.attribute.runtimes.monitors import Monitor, maybe_monitor
from analyzer.recorder.callers import Container
from analyzer.recorder.source_events import KernelProcess
from tests.unit.recorder.attribute.runtimes.node_directory import (
    APP,
    unpack,
    write,
    write_containerd_task,
    write_docker,
    write_moby_bundle,
    write_passwd,
)
from tests.unit.recorder.attribute.test_naming import PODMAN_WEB, container_of, named

OF_USER = (
    "0::/user.slice/user-1001.slice/user@1001.service/user.slice"
    f"/libpod-{PODMAN_WEB}.scope/container"
)
NERDCTL = {"nerdctl/name": "web"}


# --- by the runtimes' own configuration ----------------------------------------------------


@pytest.mark.parametrize("file", ["etc", "usr/share"])
def test_podman_may_keep_its_files_elsewhere(tmp_path: Path, file: str) -> None:
    unpack("podman-4.3.bolt_state.db", tmp_path / "big/storage/libpod/bolt_state.db")
    container = Container(PODMAN_WEB, "podman")
    assert named(tmp_path, container) == (container, None)
    write(
        tmp_path / file / "containers/storage.conf",
        b'[storage]\ndriver = "overlay"\ngraphroot = "/big/storage/"\n',
    )
    assert named(tmp_path, container)[0] == container_of("podman", "web", PODMAN_WEB)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("home/app/.config/containers/storage.conf", b'[storage]\ngraphroot = "/big/1001"\n'),
        ("etc/containers/storage.conf", b'[storage]\nrootless_storage_path = "/big/$UID"\n'),
    ],
)
def test_a_users_podman_may_keep_its_files_elsewhere(
    tmp_path: Path, file: str, text: bytes
) -> None:
    write_passwd(tmp_path, 1001, "/home/app")
    unpack("podman-4.3.bolt_state.db", tmp_path / "big/1001/libpod/bolt_state.db")
    container = Container(PODMAN_WEB, "podman")
    assert named(tmp_path, container, cgroup=OF_USER) == (container, None)
    write(tmp_path / file, text)
    assert named(tmp_path, container, cgroup=OF_USER)[0].name == "web"  # type: ignore[union-attr]
    # Of the system's own, a user's container tells nothing.
    assert named(tmp_path, container) == (container, None)


def test_containerd_may_keep_its_files_elsewhere(tmp_path: Path) -> None:
    config = write_containerd_task(tmp_path, namespace="default", **NERDCTL)
    elsewhere = tmp_path / "big/state/io.containerd.runtime.v2.task/default" / APP
    elsewhere.mkdir(parents=True)
    config.rename(elsewhere / "config.json")
    container = Container(APP, "containerd")
    assert named(tmp_path, container) == (container, None)
    write(tmp_path / "etc/containerd/config.toml", b'version = 2\nstate = "/big/state"\n')
    assert named(tmp_path, container)[0] == container._replace(name="web")


@pytest.mark.parametrize("text", [b"storage = [", b"\xff", b"[storage]\ngraphroot = 1\n", b""])
def test_a_configuration_without_a_place_changes_nothing(tmp_path: Path, text: bytes) -> None:
    for file in ("containers/storage.conf", "containerd/config.toml"):
        write(tmp_path / "etc" / file, text)
    unpack("podman-4.3.bolt_state.db", tmp_path / "var/lib/containers/storage/libpod/bolt_state.db")
    found = named(tmp_path, Container(PODMAN_WEB, "podman"))[0]
    assert found == container_of("podman", "web", PODMAN_WEB)


# --- by the process that watches the container ---------------------------------------------


def _by_monitor(
    node: Path, container: Container, bundle: Path, uid: Optional[int] = None
) -> Container:
    """Return what is named if a process of ours, in our own mounts, shows the bundle."""
    node.mkdir()
    asked: list[tuple[str, Optional[int]]] = []

    def find(identity: str, user: Optional[int]) -> Monitor:
        asked.append((identity, user))
        return Monitor(psutil.Process().pid, str(bundle))

    cgroup = "" if uid is None else f"0::/user.slice/user@{uid}.service/x"
    found = Naming(NodeSettings(root=str(node))).named(container, None, cgroup, 0.0, find)
    assert asked == [(container.id, uid)]
    assert found.container is not None
    return found.container


def test_conmon_shows_the_storage_of_its_podman(tmp_path: Path) -> None:
    """As `podman --root` has it, which no configuration knows."""
    store = tmp_path / "of/root"
    unpack("podman-4.3.bolt_state.db", store / "libpod/bolt_state.db")
    bundle = store / "overlay-containers" / PODMAN_WEB / "userdata"
    found = _by_monitor(tmp_path / "node", Container(PODMAN_WEB, "podman"), bundle)
    assert found == container_of("podman", "web", PODMAN_WEB)


@pytest.mark.parametrize("uid", [None, 1001])
def test_a_shim_shows_the_task(tmp_path: Path, uid: Optional[int]) -> None:
    """Also of a user's containerd, whose tasks are in mounts of their own."""
    config = write_containerd_task(tmp_path / "state", namespace="default", **NERDCTL)
    found = _by_monitor(tmp_path / "node", Container(APP, "containerd"), config.parent, uid)
    assert found == Container(APP, "containerd", "web")


def test_a_shim_shows_where_docker_keeps_its_data(tmp_path: Path) -> None:
    """As `dockerd --data-root` has it."""
    data = tmp_path / "big"
    write_docker(data, APP, "web", {})
    bundle = tmp_path / "run/docker/io.containerd.runtime.v2.task/moby" / APP
    write_moby_bundle(bundle, str(data / "var/lib/docker"), APP)
    found = _by_monitor(tmp_path / "node", Container(APP, "docker"), bundle)
    assert found == container_of("docker", "web")


def test_nobody_is_asked_for_the_monitor_of_a_container_that_is_found(tmp_path: Path) -> None:
    write_docker(tmp_path, APP, "web", {})

    def find(_identity: str, _uid: Optional[int]) -> Optional[Monitor]:
        raise AssertionError

    naming = Naming(NodeSettings(root=str(tmp_path)))
    found = naming.named(Container(APP, "docker"), None, "", 0.0, find)
    assert found.container == container_of("docker", "web")


# --- which process that is -----------------------------------------------------------------


@contextlib.contextmanager
def _process(comm: str, bundle: Path, *args: str) -> Iterator[KernelProcess]:
    """Run a shell under another name in a directory, and return it as the kernel shows it."""
    bundle.mkdir(parents=True, exist_ok=True)
    program = bundle.parent / comm
    program.symlink_to("/bin/sh")
    command = [str(program), "-c", "echo; read nothing", *args]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=bundle)
    try:
        # Popen returns within execve(2), before the kernel shows the new arguments.
        assert child.stdout is not None
        assert child.stdout.readline() == b"\n"
        stat = maybe_stat(child.pid)
        assert stat is not None
        assert stat.comm == comm.encode()[:15]
        yield Processes().as_kernel_sees(child.pid, stat)._replace(uid=os.geteuid())
    finally:
        child.kill()
        child.communicate()


SELF = os.geteuid() or None
OTHER = 4242 if SELF is None else None


def test_conmon_is_found_by_its_arguments(tmp_path: Path) -> None:
    userdata = f"/big/overlay-containers/{APP}/userdata"
    with _process("conmon", tmp_path / "x", "-b", userdata) as conmon:
        found = maybe_monitor(Processes(), [conmon], APP, SELF)
        assert found == Monitor(conmon.pid, userdata)
        # Neither another container's, nor that of another one's runtime.
        assert maybe_monitor(Processes(), [conmon], "9" * 64, SELF) is None
        assert maybe_monitor(Processes(), [conmon], APP, OTHER) is None
        gone = conmon._replace(start_boottime_ns=conmon.start_boottime_ns - 10**9)
        assert maybe_monitor(Processes(), [gone], APP, SELF) is None


def test_a_shim_is_found_by_the_directory_it_runs_in(tmp_path: Path) -> None:
    bundle = tmp_path / "io.containerd.runtime.v2.task/default" / APP
    with _process("containerd-shim-runc-v2", bundle) as shim, _process("app", bundle) as app:
        found = maybe_monitor(Processes(), [app, shim], APP, SELF)
        assert found == Monitor(shim.pid, str(bundle))
        assert maybe_monitor(Processes(), [app], APP, SELF) is None


def test_a_process_in_a_container_is_no_monitor(tmp_path: Path) -> None:
    """It may be called conmon, and show whatever it likes."""

    class InContainer(Processes):
        def look_up(self, kernel: KernelProcess, *, args: bool, cgroup: bool) -> ProcFacts:
            facts = super().look_up(kernel, args=args, cgroup=cgroup)
            return facts._replace(cgroup=f"0::/docker/{APP}")

    with _process("conmon", tmp_path / "x", "--bundle", f"/a/{APP}/userdata") as conmon:
        assert maybe_monitor(Processes(), [conmon], APP, SELF) is not None
        assert maybe_monitor(InContainer(), [conmon], APP, SELF) is None


# --- names that somebody chose ----------------------------------------------------------------


def test_containers_of_ctr_have_the_name_that_was_chosen(tmp_path: Path) -> None:
    write_containerd_task(tmp_path, "cache-1", "default", note="x")
    found = Naming(NodeSettings(root=str(tmp_path))).named(None, None, "0::/default/cache-1", 0.0)
    assert found.container == Container("cache-1", "containerd", "cache-1")


@pytest.mark.parametrize(
    "cgroup", ["0::/default/other", "0::/system.slice/cache-1", "0::/a/default/cache-1", "0::/", ""]
)
def test_other_cgroups_are_no_containers_of_ctr(tmp_path: Path, cgroup: str) -> None:
    write_containerd_task(tmp_path, "cache-1", "default", note="x")
    write_containerd_task(tmp_path, "cache-1", "system.slice", note="x")
    naming = Naming(NodeSettings(root=str(tmp_path)))
    assert naming.named(None, None, cgroup, 0.0) == (None, None)
    # Of version 1, each hierarchy has it.
    legacy = "12:pids:/default/cache-1\n1:name=systemd:/default/cache-1\n0::/"
    assert naming.named(None, None, legacy, 0.0).container is not None


def test_a_task_that_starts_is_a_container_then(tmp_path: Path) -> None:
    naming = Naming(NodeSettings(root=str(tmp_path)))
    assert naming.named(None, None, "0::/default/cache-1", 0.0).container is None
    write_containerd_task(tmp_path, "cache-1", "default", note="x")
    assert naming.named(None, None, "0::/default/cache-1", 1.0).container is None
    found = naming.named(None, None, "0::/default/cache-1", UNNAMED_KEEP_S + 0.1).container
    assert found is not None


def test_an_unavailable_root_names_nothing(tmp_path: Path) -> None:
    naming = Naming(NodeSettings(root=str(tmp_path / "gone")))
    assert naming.named(None, None, "0::/default/cache-1", 0.0) == (None, None)
