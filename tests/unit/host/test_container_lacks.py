"""Each thing that a container may lack has a line to add, in the words of each runtime."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from analyzer.host.container import Runtime
from analyzer.host.container_lacks import (
    OF_ECS,
    WANTED,
    WORDS,
    Lack,
    advice,
    lacking,
    missing_capabilities,
    remedy,
)

TASK = Path(__file__).parents[3] / "deploy/ecs/task-definition.json"
KNOWN = [runtime for runtime in Runtime if runtime is not Runtime.OTHER]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes such namespaces")


@pytest.mark.parametrize("lack", Lack)
@pytest.mark.parametrize("runtime", KNOWN)
def test_there_is_a_line_for_each_runtime(lack: Lack, runtime: Runtime) -> None:
    """It is none of the others' words."""
    line = remedy(lack, runtime)
    assert line.endswith(WORDS[lack].lines[runtime])
    if runtime in (Runtime.KUBERNETES, Runtime.ECS):
        assert "--" not in line.replace("leave out", "")
    if runtime is Runtime.KUBERNETES:
        assert "cgroupns" not in line  # a pod cannot say it


@pytest.mark.parametrize("lack", Lack)
def test_outside_of_a_known_runtime_the_words_are_general(lack: Lack) -> None:
    """No word of any runtime's configuration is in them."""
    for runtime in (None, Runtime.OTHER):
        assert remedy(lack, runtime) == WORDS[lack].otherwise


@pytest.mark.parametrize(
    ("held", "missing"),
    [
        (set(), list(WANTED)),
        ({"CAP_SYS_ADMIN"}, ["NET_ADMIN", "DAC_READ_SEARCH", "SYS_PTRACE"]),
        ({f"CAP_{name}" for name in WANTED}, []),
        ({"CAP_BPF"}, ["PERFMON", "NET_ADMIN", "DAC_READ_SEARCH", "SYS_PTRACE"]),
    ],
)
def test_capabilities_that_are_missing(held: set[str], missing: list[str]) -> None:
    """CAP_SYS_ADMIN stands for what older kernels have not."""
    assert missing_capabilities(frozenset(held)) == missing


def test_the_words_for_ecs_are_those_of_the_task_definition() -> None:
    """Which capabilities it has instead of those that ECS cannot grant."""
    (container,) = json.loads(TASK.read_text(encoding="utf-8"))["containerDefinitions"]
    assert sorted(container["linuxParameters"]["capabilities"]["add"]) == sorted(OF_ECS)
    assert missing_capabilities(frozenset(f"CAP_{name}" for name in OF_ECS)) == []
    for lack in (Lack.CAPABILITIES, Lack.SECCOMP):
        line = WORDS[lack].lines[Runtime.ECS]
        added = json.loads("{" + line.partition(" (")[0] + "}")["linuxParameters"]["capabilities"]
        assert added == {"add": list(OF_ECS)}


def test_on_a_host_nothing_is_lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it may do: the doctor has checks for that."""
    for variable in ("KUBERNETES_SERVICE_HOST", "ECS_CONTAINER_METADATA_URI_V4", "container"):
        monkeypatch.delenv(variable, raising=False)
    assert lacking() == []
    assert advice(Lack.CGROUPS, "as a host") == "as a host"


TELL = """
import json
from analyzer.host.container_lacks import lacking
print(json.dumps({each.lack.name: each.remedy for each in lacking()}))
"""


def _lacking(*before: str, **variables: str) -> dict[str, str]:
    done = subprocess.run(
        [*before, sys.executable, "-c", TELL],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **variables},
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}


@as_root
def test_a_pid_namespace_is_told() -> None:
    """As a pod without hostPID has it."""
    found = _lacking("unshare", "--pid", "--fork", "--mount-proc", **POD)
    assert found["HOST_PIDS"] == "In the pod's specification: hostPID: true"
    assert "HOST_PIDS" not in _lacking(**POD)


@as_root
def test_cgroups_out_of_sight_are_told() -> None:
    """With the mount that a pod can have."""
    hidden = 'umount --all --types cgroup2; exec "$@"'
    own = ("unshare", "--mount", "--propagation=private", "sh", "-c", hidden, "sh")
    found = _lacking(*own, **POD)
    assert "hostPath: {path: /sys/fs/cgroup}" in found["CGROUPS"]


@as_root
def test_capabilities_are_told_from_no_new_privs() -> None:
    """A user other than root has none where the kernel does not pass them on."""
    nobody = ("setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=-all")
    assert "--cap-add BPF" in _lacking(*nobody, container="podman")["CAPABILITIES"]
    found = _lacking(*nobody, "--no-new-privs", **POD)
    assert "CAPABILITIES" not in found
    assert "runAsUser: 0" in found["NO_NEW_PRIVILEGES"]


@as_root
def test_a_user_namespace_is_told() -> None:
    """Capabilities in it count for nothing on the host."""
    found = _lacking("unshare", "--user", "--map-root-user", container="docker")
    assert found["USER_NAMESPACE"] == "docker run: --userns=host"
