"""The machine of another type: what it is started with, and the tree it runs on."""

from __future__ import annotations

import lzma
import subprocess
from pathlib import Path

import pytest

from tests.vmtest.kernels import arm64, trees
from tests.vmtest.kernels.kernels import LINES, Kernel, KernelError, line_named
from tests.vmtest.kernels.machine import Outcome
from tests.vmtest.kernels.packages import Package, parse_simulation
from tests.vmtest.kernels.suite import guest_command, judge

SIMULATION = """\
NOTE: This is only a simulation!
Inst gcc-14-base (14.2.0-19 Debian:13.7/stable [arm64])
Inst libc6 (2.41-12+deb13u4 Debian:13.7/stable, Debian-Security:13/stable-security [arm64]) []
Inst python3-click (8.2.0+0.really.8.1.8-1 Debian:13.7/stable [all])
Conf libc6 (2.41-12+deb13u4 Debian:13.7/stable [arm64])
"""
PASSED = (
    '<testsuites><testsuite><testcase classname="c" name="t[core/kprobe]"/>'
    "</testsuite></testsuites>"
)


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """Return a kernel with the modules that mounting takes, and a tree with busybox."""
    monkeypatch.setenv("IMDS_ANALYZER_CACHE", str(tmp_path))
    programs = arm64.TREE.directory / "usr" / "bin"
    programs.mkdir(parents=True)
    (programs / "busybox").write_bytes(b"a program of the other machine type")
    root = tmp_path / "the, cache"
    modules = root / "usr" / "lib" / "modules" / "6.12.1-arm64" / "kernel" / "fs"
    modules.mkdir(parents=True)
    for name in arm64.MODULES[1:]:
        (modules / f"{name}.ko.xz").write_bytes(lzma.compress(f"module {name}".encode()))
    (modules / f"{arm64.MODULES[0]}.ko").write_bytes(b"module as it is")
    return Kernel("arm64", "arm64", "6.12.1-arm64", "6.12.1-1", root, root / "boot" / "vmlinuz")


def _results(tmp_path: Path) -> Path:
    results = tmp_path / "results"
    results.mkdir()
    return results


def test_a_guest_can_write_to_its_results_only(kernel: Kernel, tmp_path: Path) -> None:
    """Every other directory of the host is read-only; a comma in a path is no separator."""
    results = _results(tmp_path)
    command = arm64.qemu_command(kernel, results / "guest.sh")
    shares = [command[at + 1] for at, word in enumerate(command) if word == "-fsdev"]
    assert len(shares) == 4
    (writable,) = [share for share in shares if share.endswith("readonly=off")]
    assert f",path={results}," in writable
    assert all(share.endswith(("readonly=on", "readonly=off")) for share in shares)
    assert any(f",path={tmp_path}/the,, cache/usr/lib/modules," in share for share in shares)
    assert "-netdev" not in command
    assert "-nodefaults" in command


def test_what_it_starts_with_has_busybox_modules_and_the_script(
    kernel: Kernel, tmp_path: Path
) -> None:
    """Compressed modules are unpacked, as nothing can be relied on to do it in the guest."""
    results = _results(tmp_path)
    arm64.qemu_command(kernel, results / "guest.sh")
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    with (results / "initial.cpio").open("rb") as archive:
        subprocess.run(["busybox", "cpio", "-i", "-d"], cwd=unpacked, stdin=archive, check=True)
    assert (unpacked / "bin" / "busybox").read_bytes() == b"a program of the other machine type"
    assert (unpacked / "netfs.ko").read_bytes() == b"module as it is"
    assert (unpacked / "overlay.ko").read_bytes() == b"module overlay"
    init = unpacked / "init"
    assert init.stat().st_mode & 0o777 == 0o755
    subprocess.run(["busybox", "sh", "-n", init], check=True)


def test_a_kernel_without_a_needed_module_is_an_error(kernel: Kernel, tmp_path: Path) -> None:
    """The message names the module; a machine without it would only hang."""
    for path in kernel.root.rglob("overlay.ko.xz"):
        path.unlink()
    with pytest.raises(KernelError, match="no module overlay"):
        arm64.qemu_command(kernel, _results(tmp_path) / "guest.sh")


@pytest.mark.parametrize("command", ["true", "echo 'a b' \"$HOME\" | cat; exit 3", "{x} $(y"])
def test_any_command_survives_the_way_into_the_guest(command: str) -> None:
    """The script is valid shell, keeps the status and turns the machine off at the end."""
    script = arm64.guest_script(command, Path("/some where/results"), 60)
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    (line,) = [line for line in script.splitlines() if line.startswith("timeout ")]
    words = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {line.removesuffix(' 2>&1')}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    assert words[:-1] == ["timeout", "--kill-after=10", "60", "bash", "-c", command]
    assert script.splitlines()[-1] == "busybox poweroff -f"


def test_another_list_of_packages_is_another_tree() -> None:
    """A tree that was made before the list was changed is not used for it."""
    before = arm64.TREE.directory
    assert arm64.TREE.directory == before
    assert arm64.TREE._replace(packages=(*arm64.TREE.packages, "gdb")).directory != before


def test_a_whole_tree_is_used_without_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that an interrupted run left behind has no marker, and is not."""
    monkeypatch.setenv("IMDS_ANALYZER_CACHE", str(tmp_path))
    tree = arm64.TREE.directory
    tree.mkdir(parents=True)
    monkeypatch.setattr(trees, "machine_mirrors", _no_mirrors)
    with pytest.raises(KernelError, match="asked for a mirror"):
        arm64.TREE.make()
    (tree / trees.MARKER).touch()
    assert arm64.TREE.make() == tree


def _no_mirrors() -> None:
    raise KernelError("asked for a mirror")


def test_a_simulated_installation_names_each_package_once() -> None:
    """With the version that apt chose, from whichever suite."""
    assert parse_simulation(SIMULATION) == [
        Package("gcc-14-base", "14.2.0-19"),
        Package("libc6", "2.41-12+deb13u4"),
        Package("python3-click", "8.2.0+0.really.8.1.8-1"),
    ]


def test_there_is_one_line_of_the_machine_type_and_it_runs_core(tmp_path: Path) -> None:
    """BCC is neither asked for nor missed there; both ways that Graviton has are required."""
    assert [line.name for line in LINES if line.arch == arm64.ARCH] == ["arm64"]
    assert not line_named("arm64").bcc
    command = guest_command("arm64", "wire")
    assert "IMDS_ANALYZER_REQUIRE='core/fentry core/kprobe' " in command
    assert "bcc" not in command
    kernel = Kernel("arm64", "arm64", "6.12.1-arm64", "6.12.1-1", tmp_path, tmp_path / "vmlinuz")
    (tmp_path / "core.xml").write_text(PASSED)
    report = judge(Outcome(kernel, 0, "", 20.0, 300.0, tmp_path))
    assert report.problems == ()
    assert [row.probe for row in report.rows] == ["core/fentry", "core/kprobe"]
