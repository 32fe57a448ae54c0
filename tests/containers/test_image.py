"""The image runs as it is documented: not as root, read-only, with named capabilities.

``make test-image`` builds it first; IMDS_ANALYZER_IMAGE is the archive.
"""

from __future__ import annotations

import contextlib
import json
import os
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable, NamedTuple

import pytest

from image.contents import INTERPRETER
from tests.containers.callers import IMAGE, PROGRAM, call_and_go
from tests.containers.keeping import Kept
from tests.containers.room import Cgroups, Room
from tests.live.lines import GrowingLogs
from tests.live.watch import ATTACH_DEADLINE_S, Line, eventually, new_marker

ARCHIVE = os.environ.get("IMDS_ANALYZER_IMAGE", "")
MAX_MB = 80
MAX_ATTACHED_S = 10
PODMAN = ("podman", "--runtime", "runc")
CAPABILITIES = ("BPF", "PERFMON", "NET_ADMIN", "DAC_READ_SEARCH", "SYS_PTRACE")
# As docs/containers.md has it; Debian 12's seccomp profile wants CAP_SYS_ADMIN for bpf(2).
FLAGS = (
    *("--pid", "host", "--cgroupns", "host", "--network", "none", "--read-only"),
    *("--cap-drop", "ALL"),
    *(word for name in CAPABILITIES for word in ("--cap-add", name)),
    *("--security-opt", "seccomp=unconfined"),
    *("--volume", "/sys/fs/cgroup:/sys/fs/cgroup:ro"),
    *("--volume", "/sys/kernel/tracing:/sys/kernel/tracing:ro"),
)

# What the recorder, tail and doctor import; the packages that only reports need are not there.
IMPORT_ALL = """
import importlib, pkgutil, sys, sysconfig
import analyzer
names = [each.name for each in pkgutil.walk_packages(analyzer.__path__, "analyzer.")]
wanted = ("analyzer.recorder", "analyzer.tail", "analyzer.doctor", "analyzer.commands")
found = [name for name in names if name.startswith(wanted) and not name.endswith("__main__")]
extensions = pkgutil.iter_modules([sysconfig.get_path("stdlib") + "/lib-dynload"])
found += [each.name for each in extensions]
for name in found:
    importlib.import_module(name)
print(len(found))
"""

Row = Callable[[str, object], None]

pytestmark = pytest.mark.skipif(not ARCHIVE, reason="no image: make test-image")


@pytest.fixture(scope="session")
def cgroups() -> Cgroups:
    """Take the host's own layout."""
    return Cgroups.AS_HOST


@pytest.fixture(scope="session")
def image(room: Room, caller_context: Path) -> str:
    """Return the id of the image for this machine, loaded; the caller's image is there too."""
    build = ["buildah", "bud", "--quiet", "--isolation", "chroot", "--tag", IMAGE]
    room.run([*build, str(caller_context)])
    loaded = room.run([*PODMAN, "pull", "--quiet", f"oci-archive:{Path(ARCHIVE).resolve()}"])
    return loaded.stdout.split()[-1]


class Container(NamedTuple):
    """A running analyzer in a container."""

    name: str
    log: Path
    process: Kept

    def lines(self) -> list[Line]:
        """Return the lines so far; fails for one that fits no schema."""
        return GrowingLogs().lines_of(self.log)

    def requests(self, marker: str) -> list[Line]:
        """Return the requests with the marker in their path."""
        return [line for line in self.lines() if marker in line.get("url", {}).get("path", "")]


@contextlib.contextmanager
def _running(room: Room, image: str, *flags: str) -> Iterator[Container]:
    name = f"analyzer-{time.monotonic_ns()}"
    log = room.directory / f"{name}.log"
    process = room.popen([*PODMAN, "run", "--rm", "--name", name, *flags, image], log)
    container = Container(name, log, process)
    try:
        eventually(
            "the analyzer attached, or ended",
            lambda: b"analyzer_started" in log.read_bytes() or process.poll() is not None,
            ATTACH_DEADLINE_S,
        )
        yield container
    finally:
        room.run([*PODMAN, "stop", "--ignore", "--time", "20", name], check=False)
        process.wait(60)


@pytest.fixture(scope="session")
def analyzer(room: Room, image: str) -> Iterator[Container]:
    """Run the image with the documented flags."""
    with _running(room, image, *FLAGS) as container:
        assert container.process.poll() is None, container.log.read_text()
        yield container


def test_the_image_is_small_and_has_no_shell(room: Room, image: str, record_property: Row) -> None:
    """It holds one program: the interpreter."""
    (facts,) = json.loads(room.run([*PODMAN, "image", "inspect", image]).stdout)
    size_mb = facts["Size"] / 1e6
    record_property("container", f"image: {size_mb:.1f} MB, {facts['Architecture']}")
    assert size_mb < MAX_MB
    assert facts["Config"]["User"] == "65532:65532"
    for program in ("/bin/sh", "/bin/bash", "/usr/bin/apt-get", "/usr/bin/perl"):
        done = room.run([*PODMAN, "run", "--rm", "--entrypoint", program, image], check=False)
        assert done.returncode == 127, (program, done.stderr)


def test_nothing_is_left_out_that_is_imported(room: Room, image: str) -> None:
    """Each extension module finds its libraries, and each module of the recorder is there."""
    python = f"/{INTERPRETER}"
    done = room.run([*PODMAN, "run", "--rm", "--entrypoint", python, image, "-I", "-c", IMPORT_ALL])
    assert int(done.stdout) > 150


def _member(archive: tarfile.TarFile, name: str) -> Line:
    member = archive.extractfile(name)
    assert member is not None
    document: Line = json.load(member)
    return document


def test_it_is_built_for_both_machine_types() -> None:
    """The archive's index names them, and nothing else."""
    with tarfile.open(ARCHIVE) as archive:
        index = _member(archive, "index.json")
        _, _, digest = index["manifests"][0]["digest"].partition(":")
        manifests = _member(archive, f"blobs/sha256/{digest}")["manifests"]
    assert sorted(each["platform"]["architecture"] for each in manifests) == ["amd64", "arm64"]


def test_it_sees_the_call_of_another_container(room: Room, analyzer: Container) -> None:
    """By its full id, though the container is gone when its line is written."""
    marker = new_marker()
    cid = room.directory / f"{marker}.cid"
    room.run([*PODMAN, "run", "--rm", "--cidfile", str(cid), IMAGE, *call_and_go(marker)])
    (line,) = eventually("the call is written", lambda: analyzer.requests(marker))
    assert line["container"]["id"] == cid.read_text().strip()
    assert line["container"]["runtime"] == "podman"
    assert line["imds"]["version"] == "v1"
    assert line["process"]["name"] == "wget"


def test_it_sees_the_call_of_the_host(room: Room, analyzer: Container) -> None:
    """With the executable, which the container has not: the host's processes are in sight."""
    marker = new_marker()
    url = f"http://169.254.169.254/latest/meta-data/{marker}"
    script = f"{PROGRAM} wget -q -O /dev/null {url}; exec sleep 20"
    child = room.popen(["sh", "-c", script], room.directory / "host.log")
    try:
        (line,) = eventually("the call is written", lambda: analyzer.requests(marker))
    finally:
        child.kill()
        child.wait(10)
    assert "container" not in line
    assert line["process"]["executable"].endswith(PROGRAM)


def test_it_runs_as_nobody_in_particular(
    room: Room, analyzer: Container, record_property: Row
) -> None:
    """Neither as root nor, once attached, with what loading needs."""
    inspect = [*PODMAN, "inspect", "--format", "{{.State.Pid}}", analyzer.name]
    pid = int(room.run(inspect).stdout)
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    assert set(status["Uid"].split()) == {"65532"}
    (started,) = [line for line in analyzer.lines() if line["event"] == "analyzer_started"]
    assert started["capabilities"] == ["CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE"]
    assert started["attached"]["since_start_s"] < MAX_ATTACHED_S
    record_property("container", f"start to attached: {started['attached']['since_start_s']} s")
    record_property("container", f"memory: {int(status['VmRSS'].split()[0]) / 1000:.0f} MB")


def test_it_lacks_nothing_as_documented(analyzer: Container) -> None:
    """The start's line says whose container it is."""
    (started,) = [line for line in analyzer.lines() if line["event"] == "analyzer_started"]
    assert started["sandbox"] == {"runtime": "podman", "lacks": []}


def test_it_says_what_it_lacks(room: Room, image: str) -> None:
    """It attaches, and its first line has the words to add."""
    flags = [word for word in FLAGS if word not in ("--pid", "host", "--cgroupns")]
    at = flags.index("/sys/fs/cgroup:/sys/fs/cgroup:ro")
    with _running(room, image, *flags[: at - 1], *flags[at + 1 :]) as container:
        assert container.process.poll() is None, container.log.read_text()
        (started,) = [each for each in container.lines() if each["event"] == "analyzer_started"]
    pids, cgroups = (each["remedy"] for each in started["sandbox"]["lacks"])
    assert pids == "podman run: --pid=host"
    assert cgroups.startswith("podman run: --cgroupns=host --volume /sys/fs/cgroup")


def test_a_seccomp_profile_that_refuses_bpf_is_named(room: Room, image: str) -> None:
    """Neither the ring nor the limit of locked memory is blamed."""
    profile = room.directory / "seccomp.json"
    refused = {"names": ["bpf"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}
    profile.write_text(
        json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [refused]}), encoding="utf-8"
    )
    flags = [word.replace("seccomp=unconfined", f"seccomp={profile}") for word in FLAGS]
    advice = "podman run: --security-opt seccomp=unconfined"
    with _running(room, image, *flags) as container:
        said = container.log.read_text()
    assert f"A seccomp filter refuses bpf. {advice}" in said, said
    done = room.run([*PODMAN, "run", "--rm", *flags, image, "doctor", "--json"], check=False)
    found = {each["name"]: each for each in json.loads(done.stdout)["findings"]}
    assert found["system calls"]["fix"] == advice
    assert "seccomp" in found["locked memory"]["found"]
    assert "podman" in found["container"]["found"]


def test_it_stops_in_order(room: Room, image: str) -> None:
    """SIGTERM of the runtime writes the last line."""
    with _running(room, image, *FLAGS) as container:
        assert container.process.poll() is None, container.log.read_text()
    assert container.process.returncode == 0
    assert container.lines()[-1]["event"] == "analyzer_stopped"
