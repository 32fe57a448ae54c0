"""Gives container runtimes a place of their own: mounts, state, network; nothing is left behind.

Every process of the place is started by its keeper, and ends with it.
"""

from __future__ import annotations

import contextlib
import enum
import ipaddress
import itertools
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Optional

from analyzer.lab.namespace import LabNamespace
from tests.cgroups import maybe_hierarchy
from tests.containers.keeper import Duty
from tests.containers.keeping import Keeping, Kept
from tests.live.watch import SLOWNESS

TIMEOUT_S = 120 * SLOWNESS
# The parents that runtimes make for their containers' cgroups.
OCI_PARENTS = ("libpod_parent", "docker", "k8s.io", "default")
OURS = ("imds-test-runc", "imds-test-crun", "imds-test-nspawn")
PARENTS = (*OCI_PARENTS, *OURS, "lxc.*.caller-*", "lxc.pivot")
# Where runtimes keep images and containers. Each becomes a directory of the room.
STATE = (
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/lxc",
    "/var/lib/cni",
    "/var/cache/lxc",
)
# CNI's bridges and podman's networks are configured here.
SETTINGS = ("/etc/cni/net.d", "/etc/containers/networks")
# Below /run: what systemd and the managers of users are asked by.
OF_SYSTEMD = ("systemd", "dbus", "user")
# Runtimes raise limits, which only CAP_SYS_RESOURCE may. Not every build machine has it.
CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024", "memlock=65536:65536"]
pids_limit = 0
[engine]
cgroup_manager = "{manager}"
events_logger = "file"
"""
STORAGE_CONF = (
    '[storage]\ndriver = "overlay"\nrunroot = "/run/containers/storage"\n'
    'graphroot = "/var/lib/containers/storage"\n'
)


class Cgroups(enum.Enum):
    """How the room shows the cgroups; the kernel has only one way to manage them.

    On a host with version 2 alone, the first has the runtimes ask systemd for cgroups, if it runs,
    and the last has them make cgroups themselves.
    """

    AS_HOST = "as on the host"
    LEGACY = "only version 1"
    UNIFIED = "only version 2"  # where version 1 has the controllers: without any


def host_is_unified() -> bool:
    """Tell whether this host has version 2 alone: then it is the one layout to be had."""
    return str(maybe_hierarchy()) == "/sys/fs/cgroup"


class Room:
    """A mount namespace for runtimes, beside a lab's network, as a context manager."""

    def __init__(self, namespace: LabNamespace, directory: Path, cgroups: Cgroups) -> None:
        """Take an open lab, an empty directory on a disk, and how cgroups are shown."""
        self.namespace = namespace
        self.directory = directory
        self._cgroups = cgroups
        self._keeping = Keeping(Duty(PARENTS, str(directory)), directory / "keeper.log")
        self._holder: Optional[Kept] = None
        self._numbers = itertools.count(1)

    def __enter__(self) -> Room:
        """Start the keeper, and mount; the kernel unmounts when everything in it has ended."""
        for place in STATE:
            (self.directory / place.strip("/").replace("/", "-")).mkdir()
        settings = CONTAINERS_CONF.format(manager="systemd" if self.has_systemd else "cgroupfs")
        (self.directory / "containers.conf").write_text(settings, encoding="utf-8")
        (self.directory / "storage.conf").write_text(STORAGE_CONF, encoding="utf-8")
        self._keeping.__enter__()
        try:
            self._mount()
            # Containers' calls reach lo of the lab by way of a bridge or a pair of interfaces.
            self.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])
        except BaseException:
            self._keeping.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End everything that was started here, and remove the directory."""
        self._keeping.__exit__()

    def _mount(self) -> None:
        said, saying = os.pipe()
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-ec"]
        script = "\n".join([*self._mounts(), "echo ready", "exec sleep infinity"])
        with os.fdopen(said, "rb") as out:
            try:
                self._holder = self._started([*command, script], saying, None, os.environ)
            finally:
                os.close(saying)
            said_first = out.readline()
            if said_first != b"ready\n":
                message = (said_first + out.read()).decode("utf-8", "replace")
                raise RuntimeError(f"the room's file systems cannot be mounted: {message}")

    def _started(
        self,
        argv: Sequence[str],
        stdout: int,
        stderr: Optional[int],
        env: Mapping[str, str],
        cwd: str = "/",
    ) -> Kept:
        with Path(os.devnull).open("rb") as nothing:
            streams = (nothing.fileno(), stdout, stdout if stderr is None else stderr)
            return self._keeping.start(argv, streams, env=env, cwd=cwd)

    def _mounts(self) -> Iterator[str]:
        run = self.directory / "run"
        yield f"mkdir {run} && mount -t tmpfs tmpfs {run} && mkdir {run}/lock {run}/netns"
        for name in OF_SYSTEMD if self.has_systemd else ():
            yield f"mkdir {run}/{name} && mount --rbind /run/{name} {run}/{name}"
        # Its table of mounts would be in what is moved away.
        yield f"mount --no-mtab --move {run} /run"
        for place in STATE:
            yield f"mkdir -p {place}"
            yield f"mount --bind {self.directory / place.strip('/').replace('/', '-')} {place}"
        for place in SETTINGS:
            yield f"mkdir -p {place}"
            yield f"mount -t tmpfs tmpfs {place}"
        yield "mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing"
        if self._cgroups is Cgroups.LEGACY:
            yield "umount /sys/fs/cgroup/unified"
        if self._cgroups is Cgroups.UNIFIED:
            yield "mount -t cgroup2 cgroup2 /sys/fs/cgroup"

    @property
    def has_systemd(self) -> bool:
        """Whether runtimes reach the systemd of this host: it runs, and manages version 2."""
        is_booted = Path("/run/systemd/system").is_dir()  # sd_booted(3)
        return is_booted and host_is_unified() and self._cgroups is Cgroups.AS_HOST

    @property
    def mount_path(self) -> str:
        """The mount namespace's file, for ``nsenter --mount=``."""
        assert self._holder is not None
        return f"/proc/{self._holder.pid}/ns/mnt"

    def command(self, argv: Sequence[str]) -> list[str]:
        """Return a command that runs among the room's mounts, on the lab's network."""
        return self.namespace.command(["nsenter", f"--mount={self.mount_path}", "--", *argv])

    def environment(self) -> dict[str, str]:
        """Return the variables for runtimes: no setting of the machine's user reaches them."""
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.directory),
            "XDG_RUNTIME_DIR": "/run",
            "CONTAINERS_CONF": str(self.directory / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.directory / "storage.conf"),
            "LC_ALL": "C.UTF-8",
        }

    def run(self, argv: Sequence[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command to its end. Raises RuntimeError with what it wrote."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            process = self._started(
                self.command(argv), out.fileno(), errors.fileno(), self.environment()
            )
            try:
                status = process.wait(TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            texts = [_read(stream) for stream in (out, errors)]
        done = subprocess.CompletedProcess(list(argv), status, *texts)
        if check and done.returncode != 0:
            raise RuntimeError(
                f"`{' '.join(argv)[:200]}` ended with {done.returncode}: "
                f"{(done.stderr or done.stdout).strip()[-2000:]}"
            )
        return done

    def popen(self, argv: Sequence[str], log: Path) -> Kept:
        """Start a command that goes on, such as a daemon; it ends with us."""
        with log.open("wb") as out:
            return self._started(self.command(argv), out.fileno(), None, self.environment())

    def watch(self, argv: Sequence[str], log: Path, cwd: Path) -> Kept:
        """Start a command among the room's mounts, on the machine's network, as ours would run."""
        command = ["nsenter", f"--mount={self.mount_path}", f"--wd={cwd}", "--", *argv]
        with log.open("wb") as out:
            return self._started(command, out.fileno(), None, os.environ)

    @contextlib.contextmanager
    def network(self) -> Iterator[str]:
        """Make a network namespace with a pair of interfaces to the lab; return its file.

        Runtimes that make none themselves are given it.
        """
        number = next(self._numbers)
        name = f"call{number}"
        subnet = list(ipaddress.IPv4Network("10.77.0.0/16").subnets(new_prefix=30))[number]
        ours, theirs = list(subnet.hosts())
        inside = ["ip", "-netns", name]
        for words in (
            ["ip", "netns", "add", name],
            [
                "ip",
                "link",
                "add",
                f"v{number}",
                "type",
                "veth",
                "peer",
                "name",
                "eth0",
                "netns",
                name,
            ],
            ["ip", "addr", "add", f"{ours}/30", "dev", f"v{number}"],
            ["ip", "link", "set", f"v{number}", "up"],
            [*inside, "addr", "add", f"{theirs}/30", "dev", "eth0"],
            [*inside, "link", "set", "eth0", "up"],
            [*inside, "link", "set", "lo", "up"],
            [*inside, "route", "add", "default", "via", str(ours)],
        ):
            self.run(words)
        try:
            yield f"/run/netns/{name}"
        finally:
            self.run(["ip", "netns", "delete", name], check=False)


def _read(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "backslashreplace")
