"""Gives container runtimes a place of their own: mounts, state, network; nothing is left behind."""

from __future__ import annotations

import contextlib
import enum
import ipaddress
import itertools
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Optional

from analyzer.lab.child_setup import tied_to_caller
from analyzer.lab.namespace import LabNamespace
from tests.cgroups import maybe_hierarchy

TIMEOUT_S = 120
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
# Runtimes raise limits, which only CAP_SYS_RESOURCE may. Not every build machine has it.
CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024", "memlock=65536:65536"]
pids_limit = 0
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
STORAGE_CONF = (
    '[storage]\ndriver = "overlay"\nrunroot = "/run/containers/storage"\n'
    'graphroot = "/var/lib/containers/storage"\n'
)


class Cgroups(enum.Enum):
    """How the room shows the cgroups; the kernel has only one way to manage them."""

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
        self._holder: Optional[subprocess.Popen[bytes]] = None
        self._numbers = itertools.count(1)

    def __enter__(self) -> Room:
        """Mount; everything ends with the holder, a child that the kernel ties to us."""
        for place in STATE:
            (self.directory / place.strip("/").replace("/", "-")).mkdir()
        (self.directory / "containers.conf").write_text(CONTAINERS_CONF, encoding="utf-8")
        (self.directory / "storage.conf").write_text(STORAGE_CONF, encoding="utf-8")
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-ec"]
        self._holder = subprocess.Popen(
            [*command, "\n".join([*self._mounts(), "echo ready", "exec cat"])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=tied_to_caller(),  # noqa: PLW1509 (two system calls, no lock)
            start_new_session=True,
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"ready\n":
            raise RuntimeError("the room's file systems cannot be mounted: see the messages above")
        # Containers' calls reach lo of the lab by way of a bridge or a pair of interfaces.
        self.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])
        return self

    def __exit__(self, *_: object) -> None:
        """End the holder; the kernel unmounts."""
        holder, self._holder = self._holder, None
        if holder is not None:
            for stream in (holder.stdin, holder.stdout):
                if stream is not None:
                    stream.close()
            holder.kill()
            holder.wait()

    def _mounts(self) -> Iterator[str]:
        yield "mount -t tmpfs tmpfs /run"
        yield "mkdir /run/lock /run/netns"
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
    def mount_path(self) -> str:
        """The mount namespace's file, for ``nsenter --mount=``."""
        assert self._holder is not None
        return f"/proc/{self._holder.pid}/ns/mnt"

    def mounted(self, argv: Sequence[str]) -> list[str]:
        """Return a command that runs among the room's mounts, on the machine's network."""
        return ["nsenter", f"--mount={self.mount_path}", "--", *argv]

    def command(self, argv: Sequence[str]) -> list[str]:
        """Return a command that runs among the room's mounts, on the lab's network."""
        return self.namespace.command(self.mounted(argv))

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
        done = subprocess.run(
            self.command(argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=TIMEOUT_S,
            check=False,
            env=self.environment(),
            cwd="/",
        )
        if check and done.returncode != 0:
            raise RuntimeError(
                f"`{' '.join(argv)[:200]}` ended with {done.returncode}: "
                f"{(done.stderr or done.stdout).strip()[-2000:]}"
            )
        return done

    def popen(self, argv: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        """Start a command that goes on, such as a daemon; it ends with us."""
        with log.open("wb") as out:
            return subprocess.Popen(
                self.command(argv),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self.environment(),
                cwd="/",
                preexec_fn=tied_to_caller(),  # noqa: PLW1509 (two system calls, no lock)
                start_new_session=True,
            )

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


def remove_cgroups(names: Sequence[str]) -> None:
    """Remove the parents of cgroups that runtimes leave in each hierarchy, if they are empty."""
    for hierarchy in [*Path("/sys/fs/cgroup").glob("*"), Path("/sys/fs/cgroup")]:
        for name in names:
            place = hierarchy / name
            if not place.is_dir():
                continue
            for below in sorted(place.rglob("*/"), reverse=True):
                with contextlib.suppress(OSError):
                    below.rmdir()
            with contextlib.suppress(OSError):
                place.rmdir()
