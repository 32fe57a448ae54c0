"""A caller is placed in its pod, task and container, alive or gone, by real cgroups.

The cgroups are made in this host's unified hierarchy under the names that container
runtimes give them; the kernel reports their ids as it does any other's.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from analyzer.imds import IMDS_IPV4
from tests.live.watch import DEADLINE_S, Line, Watch, eventually, new_marker

ID = "3f1c" * 16
POD = "8a4ef2b1-65b5-4a52-9f2c-0c1f0a4e6d3b"
TASK = "5a1b9c2d" * 4
SLICE = f"kubepods-burstable-pod{POD.replace('-', '_')}.slice"

# Path of the cgroup -> what the line says of it.
PLACES: dict[str, Line] = {
    f"kubepods.slice/kubepods-burstable.slice/{SLICE}/cri-containerd-{ID}.scope": {
        "container": {"id": ID, "runtime": "containerd"},
        "orchestrator": {"type": "kubernetes", "resource": {"type": "pod", "id": POD}},
        "service": {"name": f"cri-containerd-{ID}.scope"},
    },
    f"kubepods/besteffort/pod{POD}/{ID}": {
        "container": {"id": ID},
        "orchestrator": {"type": "kubernetes", "resource": {"type": "pod", "id": POD}},
    },
    f"ecstasks.slice/ecstasks-{TASK}.slice/docker-{ID}.scope": {
        "container": {"id": ID, "runtime": "docker"},
        "orchestrator": {"type": "ecs", "resource": {"type": "task", "id": TASK}},
        "service": {"name": f"docker-{ID}.scope"},
    },
    f"machine.slice/libpod-{ID}.scope/container": {
        "container": {"id": ID, "runtime": "podman"},
        "service": {"name": f"libpod-{ID}.scope"},
    },
}

# Joins a cgroup, sends, and exits without waiting for the answer, or stays until its input ends.
JOIN_AND_SEND = """
import os, socket, sys
cgroup, address, marker, stays = sys.argv[1:]
with open(cgroup + "/cgroup.procs", "w") as procs:
    procs.write("0")
client = socket.create_connection((address, 80))
client.sendall(f"GET /latest/meta-data/{marker} HTTP/1.1\\r\\n\\r\\n".encode())
if stays == "stays":
    client.recv(4096)
    print("answered", flush=True)
    sys.stdin.read()
os._exit(0)
"""


def _place(line: Line) -> Line:
    return {name: line[name] for name in ("container", "orchestrator", "service") if name in line}


def _start(watch: Watch, cgroup: Path, marker: str, stays: str) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-S", "-E", "-c", JOIN_AND_SEND, str(cgroup), IMDS_IPV4, marker, stays]
    return watch.namespace.popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.partition("/")[0])
def test_a_caller_that_is_gone_is_placed_by_its_cgroups_id(
    watch: Watch, parent: Path, place: str
) -> None:
    """Nothing but the id that the kernel reported leads to its pod, task and container."""
    marker = new_marker()
    cgroup = parent / place
    cgroup.mkdir(parents=True)
    with watch.paused():
        child = _start(watch, cgroup, marker, "goes")
        _, said = child.communicate(timeout=DEADLINE_S)
        assert child.returncode == 0, said
        assert not Path(f"/proc/{child.pid}").exists()
    line = watch.one(marker)
    assert line["process"]["pid"] == child.pid
    assert "unverified" not in line["process"]  # the kernel told of it, nobody else can
    assert _place(line) == PLACES[place]


def test_a_container_that_is_gone_with_its_cgroup_is_placed(watch: Watch, parent: Path) -> None:
    """As systemd does it: a scope is removed as soon as it is empty."""
    if watch.probe.startswith("bcc"):
        pytest.skip("only the compiled probe tells of new cgroups")
    marker = new_marker()
    place = next(iter(PLACES))
    cgroup = parent / place
    with watch.paused():
        cgroup.mkdir(parents=True)
        child = _start(watch, cgroup, marker, "goes")
        _, said = child.communicate(timeout=DEADLINE_S)
        assert child.returncode == 0, said
        cgroup.rmdir()
    assert _place(watch.one(marker)) == PLACES[place]


def test_a_caller_that_lives_is_placed_the_same(watch: Watch, parent: Path) -> None:
    """Whether /proc still shows it makes no difference."""
    marker = new_marker()
    place = next(iter(PLACES))
    cgroup = parent / place
    cgroup.mkdir(parents=True)
    child = _start(watch, cgroup, marker, "stays")
    try:
        (line,) = eventually("its request is written", lambda: watch.requests(marker))
    finally:
        child.communicate(timeout=DEADLINE_S)
    assert line["process"]["pid"] == child.pid
    assert line["process"]["executable"] == str(Path(sys.executable).resolve())
    assert _place(line) == PLACES[place]


def test_a_caller_that_was_moved_since_is_placed_where_it_called(
    watch: Watch, parent: Path
) -> None:
    """A container's process that another cgroup took over meanwhile was the container's."""
    marker = new_marker()
    place = next(iter(PLACES))
    cgroup, elsewhere = parent / place, parent / f"docker-{'90de' * 16}.scope"
    cgroup.mkdir(parents=True)
    elsewhere.mkdir()
    with watch.paused():
        child = _start(watch, cgroup, marker, "stays")
        assert child.stdout is not None
        assert child.stdout.readline() == b"answered\n"
        (elsewhere / "cgroup.procs").write_text(str(child.pid))
    try:
        (line,) = eventually("its request is written", lambda: watch.requests(marker))
    finally:
        child.communicate(timeout=DEADLINE_S)
    assert _place(line) == PLACES[place]
