"""Containers that end once they have called are named, each by what its runtime left on the node.

The cgroups are real ones, under the names of a kubelet's. The files are those that containerd's CRI
plugin writes, below a directory that stands for the node's root. Both go when the process ends:
once its line is written, because how soon that is depends on what else the machine does.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from analyzer.imds import IMDS_IPV4
from tests.live.conftest import REQUIRED
from tests.live.watch import DEADLINE_S, SLOWNESS, Watch, eventually, new_marker

CONTAINERS, AT_ONCE = 501, 51

# Starts containers as a runtime does: files, cgroup, process; and removes all at its end.
RUNTIME = """
import json, os, shutil, socket, sys, time
node, parent, address, marker, count, at_once, log, deadline_s = sys.argv[1:]
tasks = node + "/run/containerd/io.containerd.runtime.v2.task/k8s.io/"
running = {}

def start(number):
    identity, uid = f"{number + 1:064x}", f"8a4ef2b1-65b5-4a52-9f2c-{number:012x}"
    pod = f"{parent}/kubepods-besteffort-pod{uid.replace('-', '_')}.slice"
    cgroup = f"{pod}/cri-containerd-{identity}.scope"
    os.makedirs(tasks + identity)
    notes = {
        "io.kubernetes.cri.container-name": "app",
        "io.kubernetes.cri.image-name": "registry.example/jobs/once:1",
        "io.kubernetes.cri.sandbox-name": f"once-{number}",
        "io.kubernetes.cri.sandbox-namespace": "jobs",
        "io.kubernetes.cri.sandbox-uid": uid,
    }
    with open(f"{tasks}{identity}/config.json", "w") as file:
        json.dump({"ociVersion": "1.0.2", "annotations": notes}, file)
    os.makedirs(cgroup)
    pid = os.fork()
    if pid == 0:
        try:
            with open(cgroup + "/cgroup.procs", "w") as procs:
                procs.write("0")
            lines = open(log)
            lines.seek(0, os.SEEK_END)
            client = socket.create_connection((address, 80))
            path = f"/latest/meta-data/{marker}/{number}"
            client.sendall(f"GET {path} HTTP/1.1\\r\\n\\r\\n".encode())
            client.recv(4096)
            until, seen = time.monotonic() + float(deadline_s), ""
            while f'"{path}"' not in seen and time.monotonic() < until:
                time.sleep(0.02)
                seen += lines.read()
        finally:
            os._exit(0)
    running[pid] = identity, cgroup, pod

def reap():
    pid, status = os.wait()
    identity, cgroup, pod = running.pop(pid)
    shutil.rmtree(tasks + identity)
    for directory in (cgroup, pod):
        os.rmdir(directory)

for number in range(int(count)):
    if len(running) == int(at_once):
        reap()
    start(number)
while running:
    reap()
"""


def test_names_are_read_when_a_container_is_made(
    fresh: Watch, parent: Path, tmp_path: Path
) -> None:
    """Its runtime has removed its files before it calls."""
    if fresh.probe.startswith("bcc"):
        pytest.skip("only the compiled probe tells of new cgroups")
    identity, marker = "3f1c" * 16, new_marker()
    task = tmp_path / f"node/run/containerd/io.containerd.runtime.v2.task/k8s.io/{identity}"
    task.mkdir(parents=True)
    notes = {
        "io.kubernetes.cri.container-name": "app",
        "io.kubernetes.cri.image-name": "registry.example/jobs/once:1",
        "io.kubernetes.cri.sandbox-name": "once-0",
        "io.kubernetes.cri.sandbox-namespace": "jobs",
    }
    (task / "config.json").write_text(json.dumps({"ociVersion": "1.0.2", "annotations": notes}))
    config = tmp_path / "config.toml"
    config.write_text(f'[kubernetes]\nroot = "{tmp_path / "node"}"\n[evidence]\nenabled = false\n')
    with fresh.running("--config", str(config), required=fresh.probe in REQUIRED):
        cgroup = parent / f"cri-containerd-{identity}.scope"
        cgroup.mkdir()
        fresh.settled(marker)  # what the kernel told before is handled
        shutil.rmtree(task)
        url = f"http://{IMDS_IPV4}/latest/meta-data/{marker}"
        join = 'echo 0 > "$1/cgroup.procs"; shift; exec "$@"'
        call = ["curl", "--silent", "--output", "/dev/null", url]
        fresh.namespace.run(["sh", "-ec", join, "sh", str(cgroup), *call])
        cgroup.rmdir()
        line = fresh.one(marker)
    assert line["container"] == {
        "id": identity,
        "runtime": "containerd",
        "name": "app",
        "image": {"name": "registry.example/jobs/once", "tag": "1"},
    }


def test_cgroups_without_an_end_leave_room_for_calls(
    fresh: Watch, parent: Path, tmp_path: Path
) -> None:
    """Whoever was delegated a cgroup may make them: more than the ring has room for."""
    config, marker = tmp_path / "config.toml", new_marker()
    config.write_text("[capture]\nring_mib = 4\n")
    with fresh.running("--config", str(config), required=fresh.probe in REQUIRED):
        with fresh.paused():
            for number in range(6000):
                (parent / str(number)).mkdir()
                (parent / str(number)).rmdir()
            with fresh.connect() as client:
                client.sendall(f"GET /latest/meta-data/{marker} HTTP/1.1\r\n\r\n".encode())
                client.recv(4096)
        assert fresh.one(marker)["imds"]["version"] == "v1"
        assert fresh.lines("events_lost") == []


def test_every_one_of_500_containers_is_named(fresh: Watch, parent: Path, tmp_path: Path) -> None:
    node, program, marker = tmp_path / "node", tmp_path / "runtime.py", new_marker()
    node.mkdir()
    program.write_text(RUNTIME)
    config = tmp_path / "config.toml"
    config.write_text(f'[kubernetes]\nroot = "{node}"\n[evidence]\nenabled = false\n')
    with fresh.running("--config", str(config), required=fresh.probe in REQUIRED):
        words = (node, parent, IMDS_IPV4, marker, CONTAINERS, AT_ONCE, fresh.log, DEADLINE_S)
        argv = [sys.executable, "-S", "-E", str(program), *map(str, words)]
        child = fresh.namespace.popen(argv, stderr=subprocess.PIPE)
        _, said = child.communicate(timeout=60 * SLOWNESS)
        assert child.returncode == 0, said
        eventually("all are written", lambda: len(fresh.requests(marker)) >= CONTAINERS, DEADLINE_S)
        found = fresh.settled(marker)
    assert len(found) == CONTAINERS
    unnamed = [line["url"]["path"] for line in found if "name" not in line.get("container", {})]
    assert unnamed == []
    for line in found:
        number = int(line["url"]["path"].rpartition("/")[2])
        assert line["container"]["id"] == f"{number + 1:064x}"
        assert line["container"]["image"] == {"name": "registry.example/jobs/once", "tag": "1"}
        assert line["orchestrator"]["resource"]["name"] == f"once-{number}"
    # Copies of one job are one caller.
    assert len({line["imds"]["caller"]["key"] for line in found}) == 1
