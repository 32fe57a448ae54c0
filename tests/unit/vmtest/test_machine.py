"""What is checked before a machine is started, and what it is told to do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.vmtest.kernels.guest import guest_script
from tests.vmtest.kernels.kernels import Kernel
from tests.vmtest.kernels.machine import MachineError, check_programs, vng_command


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    """Return a kernel in a directory with a space in its name."""
    root = tmp_path / "the cache"
    return Kernel("5.10", "amd64", "5.10.0-1-amd64", "5.10.1-1", root, root / "boot" / "vmlinuz")


def test_a_missing_program_is_named_by_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is a command that can be pasted."""
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MachineError, match=r"apt-get install .*qemu-system-x86"):
        check_programs()


@pytest.mark.parametrize("command", ["true", "echo 'a b' \"$HOME\" | cat; exit 3", "{x} $(y"])
def test_any_command_survives_the_way_into_the_guest(kernel: Kernel, command: str) -> None:
    """The script is valid shell, and its last use of bash gets the very same text."""
    script = guest_script(kernel, command, Path("/some where/results"), 60)
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    (line,) = [line for line in script.splitlines() if line.startswith("timeout ")]
    words = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {line.removesuffix(' 2>&1')}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    assert words[:-1] == ["timeout", "--kill-after=10", "60", "bash", "-c", command]


def test_a_guest_can_write_to_its_results_only(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One directory is given for writing; the file system beside it is read-only."""
    monkeypatch.delenv("IMDS_ANALYZER_KVM", raising=False)
    command = vng_command(kernel, Path("/results/guest.sh"))
    assert "--rw" not in command
    assert [command[i + 1] for i, word in enumerate(command) if word == "--rwdir"] == ["/results"]
    (devices,) = [word for word in command if word.startswith("--qemu-opts=")]
    assert devices.count("-fsdev") == devices.count("readonly=on") == 1


@pytest.mark.parametrize(("asked", "emulated"), [("", True), ("1", False)])
def test_kvm_is_only_used_when_asked_for(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, asked: str, emulated: bool
) -> None:
    """Its presence does not mean that it works."""
    monkeypatch.setenv("IMDS_ANALYZER_KVM", asked)
    assert ("--disable-kvm" in vng_command(kernel, Path("/results/guest.sh"))) is emulated
