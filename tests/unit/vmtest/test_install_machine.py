"""How a system is booted: on a disk of its own, and with no way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vmtest.kernels import kernels
from tests.vmtest.kernels.kernels import Kernel
from tests.vmtest.systems.machine import Guest, qemu_command
from tests.vmtest.systems.systems import SYSTEMS, UnknownSystem, system_named


@pytest.fixture
def guest(tmp_path: Path) -> Guest:
    """Return a guest in directories that qemu's own syntax would trip over."""
    root = tmp_path / "the, cache"
    kernel = Kernel("5.10", "amd64", "5.10.0-1-amd64", "5.10.1-1", root, root / "vmlinuz")
    return Guest(kernel, tmp_path / "run, 1", tmp_path / "run, 1" / "shared", root / "packages")


def test_a_guest_has_no_network(guest: Guest) -> None:
    """Calls to the IMDS address must not leave it: qemu would pass them on."""
    command = qemu_command(guest, 1)
    assert command[command.index("-nic") + 1] == "none"
    assert "-nodefaults" in command
    assert not [word for word in command if "netdev" in word or "virtio-net" in word]


def test_a_guest_writes_to_its_own_run_only(guest: Guest) -> None:
    """The repository that all runs share is read-only."""
    shares = [word for word in qemu_command(guest, 1) if word.startswith("local,")]
    writable = [share for share in shares if "readonly=off" in share]
    assert len(shares) == 2
    assert len(writable) == 1
    assert str(guest.shared).replace(",", ",,") in writable[0]


def test_each_boot_is_told_its_number(guest: Guest) -> None:
    """The driver inside decides by it what to do."""
    command = qemu_command(guest, 2)
    assert "install_test.boot=2" in command[command.index("-append") + 1].split()


def test_each_system_boots_a_kernel_of_the_matrix() -> None:
    """No kernel is asked for that the cache does not know how to get."""
    for system in SYSTEMS:
        assert system.suite in kernels.line_named(system.kernel).suites


def test_an_unknown_system_is_answered_with_those_there_are() -> None:
    """As for the kernels."""
    with pytest.raises(UnknownSystem, match="debian-11, debian-12, debian-13"):
        system_named("debian-10")
