"""Pods and tasks from the cgroup paths that kubelets and the ECS agent make."""

from __future__ import annotations

import time
from typing import Optional

import pytest

from analyzer.recorder.attribute.cgroups import DEPTH_MAX, at_the_call
from analyzer.recorder.attribute.containers import maybe_container
from analyzer.recorder.attribute.workloads import maybe_workload
from analyzer.recorder.callers import Container, Workload

A = "3f1c" * 16
B = "90de" * 16
UID = "8a4ef2b1-65b5-4a52-9f2c-0c1f0a4e6d3b"
ESCAPED = UID.replace("-", "_")
DIGEST = "5a1b9c2d" * 4
POD = Workload("kubernetes", "pod", UID)
STATIC_POD = Workload("kubernetes", "pod", DIGEST)
TASK = Workload("ecs", "task", DIGEST)
NOMAD = Workload("nomad", "allocation", UID, name="web")
SLICE = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{ESCAPED}.slice"

PATHS: tuple[tuple[str, Optional[Workload], Optional[Container]], ...] = (
    # systemd as the cgroup manager, each class of service and runtime
    (f"{SLICE}/cri-containerd-{A}.scope", POD, Container(A, "containerd")),
    (f"{SLICE}/crio-{A}.scope", POD, Container(A, "cri-o")),
    (f"{SLICE}/crio-{A}.scope/container", POD, Container(A, "cri-o")),
    (f"{SLICE}/docker-{A}.scope", POD, Container(A, "docker")),
    (
        (
            "/kubepods.slice/kubepods-besteffort.slice"
            f"/kubepods-besteffort-pod{ESCAPED}.slice/cri-containerd-{A}.scope"
        ),
        POD,
        Container(A, "containerd"),
    ),
    (
        f"/kubepods.slice/kubepods-pod{ESCAPED}.slice/cri-containerd-{A}.scope",
        POD,
        Container(A, "containerd"),
    ),
    (
        f"/kubepods.slice/kubepods-pod{DIGEST}.slice/cri-containerd-{A}.scope",
        STATIC_POD,
        Container(A, "containerd"),
    ),
    # cgroupfs
    (f"/kubepods/burstable/pod{UID}/{A}", POD, Container(A, None)),
    (f"/kubepods/besteffort/pod{UID}/{A}", POD, Container(A, None)),
    (f"/kubepods/pod{UID}/{A}", POD, Container(A, None)),
    (f"/kubepods/pod{UID}/crio-{A}", POD, Container(A, "cri-o")),
    (f"/kubepods/burstable/pod{DIGEST}/{A}", STATIC_POD, Container(A, None)),
    # systemd's form, taken as it is
    (
        (
            f"/system.slice/containerd.service/kubepods-burstable-pod{ESCAPED}.slice"
            f":cri-containerd:{A}"
        ),
        POD,
        Container(A, "containerd"),
    ),
    # Nomad's tasks without a container, by the name in the job's specification
    (f"/nomad.slice/share.slice/{UID}.web.scope", NOMAD, None),
    (f"/nomad.slice/reserve.slice/{UID}.web.scope", NOMAD, None),
    (f"/nomad.slice/share.slice/{UID}.a.b.scope", NOMAD._replace(name="a.b"), None),
    (f"/nomad.slice/share.slice/{UID}.a\\x2db.scope", NOMAD._replace(name="a-b"), None),
    (f"/nomad.slice/share.slice/{UID}.scope", None, None),
    (f"/other.slice/{UID}.web.scope", None, None),
    # as it shows from within another container's cgroup namespace
    (f"/../../pod{UID}/{A}", POD, Container(A, None)),
    (
        f"/../../kubepods-besteffort-pod{ESCAPED}.slice/crio-{A}.scope",
        POD,
        Container(A, "cri-o"),
    ),
    # one in another: the inner container; the pod it is in
    (f"{SLICE}/cri-containerd-{A}.scope/docker/{B}", POD, Container(B, "docker")),
    (
        (
            f"/docker/{A}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice"
            f"/kubelet-kubepods-burstable-pod{ESCAPED}.slice/cri-containerd-{B}.scope"
        ),
        POD,
        Container(B, "containerd"),
    ),
    (f"/ecs/{DIGEST}/{A}{SLICE}/crio-{B}.scope", POD, Container(B, "cri-o")),
    # in a pod's cgroup, but in no container's
    (f"{SLICE}/crio-conmon-{A}.scope", POD, None),
    # ECS
    (f"/ecs/{DIGEST}/{A}", TASK, Container(A, None)),
    (f"/ecs/{UID}/{A}", Workload("ecs", "task", UID), Container(A, None)),
    (f"/ecs/my-cluster/{DIGEST}/{A}", TASK, Container(A, None)),
    (
        f"/ecstasks.slice/ecstasks-{DIGEST}.slice/docker-{A}.scope",
        TASK,
        Container(A, "docker"),
    ),
    # none
    ("/", None, None),
    (f"/docker/{A}", None, Container(A, "docker")),
    (f"/libpod_parent/{B}/libpod-{A}", None, Container(A, "podman")),
    (f"/machine.slice/machine-libpod_pod_{B}.slice/libpod-{A}.scope", None, Container(A, "podman")),
    ("/kubepods.slice/kubepods-burstable.slice", None, None),
    ("/system.slice/kubelet.service", None, None),
    (f"/system.slice/mypod{UID}.service", None, None),
    (f"/kubepods/pod{UID}0", None, None),
    (f"/kubepods/pod{UID.upper()}", None, None),
    ("/ecs/agent/x", None, None),
    (f"/builds/{DIGEST}/{A}", None, Container(A, None)),
)


@pytest.mark.parametrize(("path", "workload", "container"), PATHS)
def test_a_path_tells_its_workload(
    path: str, workload: Optional[Workload], container: Optional[Container]
) -> None:
    """In the unified hierarchy and in those of version 1 alike, and the container with it."""
    for text in (
        f"0::{path}\n",
        f"0::{path} (deleted)\n",
        f"9:name=systemd:{path}\n4:cpu,cpuacct:{path}\n2:memory:{path}\n0::/\n",
        f"9:name=systemd:{path}\n3:cpuset:/\n2:memory:{path}\n0::{path}\n",
    ):
        assert maybe_workload(text) == workload
        assert maybe_container(text) == container


@pytest.mark.no_cover  # counting lines takes the time that is measured here
def test_a_deep_tree_is_looked_at_from_its_end() -> None:
    """Only the innermost levels are searched, and hostile names take no time."""
    assert maybe_workload(f"0::/pod{UID}" + "/x" * (DEPTH_MAX - 1)) == POD
    assert maybe_workload(f"0::/pod{UID}" + "/x" * DEPTH_MAX) is None
    began = time.process_time()
    for piece in ("/ecs", "/pod", "-pod", f"/pod{UID}.slice:", "/kubepods-burstable-pod"):
        maybe_workload("0::" + piece * (65536 // len(piece)))
    assert time.process_time() - began < 2


def test_the_kernels_word_on_the_unified_hierarchy_replaces_procs() -> None:
    """A caller that was moved since is placed where it was; version 1 only /proc knows."""
    assert at_the_call("0::/now\n", "/then") == "0::/then"
    assert at_the_call("2:cpu:/a\n0::/now\n", "/then") == "2:cpu:/a\n0::/then"
    assert at_the_call(None, "/then") == "0::/then"
    assert at_the_call("0::/now\n", None) == "0::/now\n"
    assert at_the_call(None, None) is None
