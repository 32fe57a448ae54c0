"""The systems that install.sh is proven on, and what is on their disks before it runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.vmtest.kernels.mirror import VmError

ARCH = "amd64"


class UnknownSystem(VmError):
    """There is no such system."""


# What a cloud image of Debian has, as far as anything here needs it. What install.sh itself
# has to bring is left out on purpose.
PACKAGES = (
    *("systemd-sysv", "udev", "dbus", "kmod", "procps", "iproute2", "python3", "curl"),
    *("ca-certificates", "logrotate"),
)


@dataclass(frozen=True)
class System:
    """One distribution: Debian's code name, its kernel's line in ``tests.vmtest.kernels.kernels``.

    ``python`` is the version of its own Python, for which wheels are laid ready.
    ``libbpf`` is the package install.sh has to choose there. ``installed`` are packages that its
    disk has beyond PACKAGES; then apt has nothing to install inside. ``disk`` is the disk's size.
    """

    name: str
    suite: str
    kernel: str
    python: str
    libbpf: str
    # Not in the name of a disk that has none of these, which is kept from earlier versions.
    installed: tuple[str, ...] = field(default=(), repr=False)
    disk: str = field(default="4G", repr=False)


SYSTEMS = (
    System("debian-11", "bullseye", "5.10", "3.9", "libbpf0"),
    System("debian-12", "bookworm", "6.1", "3.11", "libbpf1"),
    System("debian-13", "trixie", "6.12", "3.13", "libbpf1"),
)


def offered(system: System) -> tuple[str, ...]:
    """Return what apt can install inside, without a network: what install.sh may ask for."""
    return system.installed or ("python3-venv", "python3-bpfcc", system.libbpf)


def system_named(name: str) -> System:
    """Look a system up by its name. Raises UnknownSystem."""
    for system in SYSTEMS:
        if system.name == name:
            return system
    known = ", ".join(each.name for each in SYSTEMS)
    raise UnknownSystem(f"no system {name!r}; there are: {known}")
