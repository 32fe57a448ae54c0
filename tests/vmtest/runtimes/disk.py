"""The system that runs the runtimes' tests, and what its disk has."""

from __future__ import annotations

from tests.containers.runtimes import packages
from tests.vmtest.systems.machine import Size
from tests.vmtest.systems.systems import System

# Debian 13 is the oldest whose own Python packages are as new as pyproject.toml asks for. Its
# runtimes are newer than those of the machine that builds: both are asked.
TESTS = (
    *("python3-click", "python3-psutil", "python3-structlog", "python3-rich"),
    *("python3-pytest", "python3-pytest-timeout", "python3-jsonschema", "libbpf1"),
)
# A user's own systemd, by which rootless runtimes make cgroups.
USERS = ("libpam-systemd", "dbus-user-session", "passt", "fuse-overlayfs")
# netavark makes its rules with it.
NETWORK = ("nftables",)
# Debian 12 has it in docker.io.
DOCKER = ("docker-cli",)

SYSTEM = System(
    "runtimes-debian-13",
    "trixie",
    "6.12",
    "3.13",
    "libbpf1",
    installed=(*packages(), *TESTS, *USERS, *NETWORK, *DOCKER),
    disk="8G",
)

# What packages start at boot: the tests run their own. Devices are there without udev's help.
_NOT_STARTED = (
    *("docker.service", "docker.socket", "containerd.service", "lxc.service", "lxc-net.service"),
    *("podman.service", "podman.socket", "podman-auto-update.service", "podman-restart.service"),
    *("podman-clean-transient.service", "podman-auto-update.timer", "netavark-dhcp-proxy.socket"),
    *("netavark-dhcp-proxy.service", "netavark-firewalld-reload.service", "getty@tty1.service"),
    *("serial-getty@ttyS0.service", "systemd-udev-trigger.service", "apt-daily.timer"),
    *("apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_reap.service"),
)
SIZE = Size(
    cpus=2,
    memory="3G",
    boot_deadline_s=900,
    options=tuple(f"systemd.mask={unit}" for unit in _NOT_STARTED),
)
