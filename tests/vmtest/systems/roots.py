"""Make the systems' disks, once: debootstrap, the kernel's modules, a unit that runs the test.

What apt may install in the guest lies beside the disk as a repository: the guest has no network.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.vmtest.kernels.kernels import Kernel, cache_dir, locked
from tests.vmtest.kernels.mirror import MirrorError, VmError, machine_mirrors
from tests.vmtest.kernels.packages import KEYRINGS, RETRY_WAITS_S, Apt
from tests.vmtest.systems.systems import ARCH, PACKAGES, System, offered

# A program the machines need -> the Debian package that has it.
NEEDED_PROGRAMS = {
    "debootstrap": "debootstrap",
    "mke2fs": "e2fsprogs",
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "modprobe": "kmod",
    "busybox": "busybox-static",
}

DISK = "disk.ext4"
REPOSITORY = "packages"
MARKER = "whole"
BOOTSTRAP_TIMEOUT_S = 1800

# Where the guest finds the directory it shares with the host.
SHARED = "/srv/install-test"
UNIT = "install-test.service"

# Started like any service, so that what it starts is in a service of its own; it waits itself
# until the system is up. What it does is in the shared directory: the disk is the same whatever
# is tested.
_UNIT = f"""\
[Unit]
Description=Test of install.sh

[Service]
ExecStartPre=/sbin/modprobe -a 9p 9pnet_virtio
ExecStartPre=/bin/mkdir -p {SHARED}
ExecStartPre=/bin/mount -t 9p -o trans=virtio,version=9p2000.L,msize=131072 shared {SHARED}
ExecStart=/bin/sh {SHARED}/start
StandardOutput=journal+console
StandardError=journal+console
TimeoutStartSec=infinity

[Install]
WantedBy=multi-user.target
"""
# Files of the system, beside the packages'. The repository is ours; what is in it was verified.
_FILES = {
    "etc/apt/sources.list": f"deb [trusted=yes] file:{SHARED}/{REPOSITORY} ./\n",
    f"etc/systemd/system/{UNIT}": _UNIT,
    "etc/fstab": "/dev/vda / ext4 defaults 0 0\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
}
# Run with the tree and the packages.
_INSTALL = (
    """\
mount -t proc proc "$1/proc"
cd / && export DEBIAN_FRONTEND=noninteractive LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
tree=$1 && shift
chroot "$tree" apt-get -q update
chroot "$tree" apt-get -q install --yes --no-install-recommends "$@"
""",
)
_LINKS = {f"etc/systemd/system/multi-user.target.wants/{UNIT}": f"../{UNIT}"}


class RootError(VmError):
    """A system's disk could not be made."""


def check_programs() -> None:
    """Raise RootError naming every package that is missing and how to install it."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = sorted(
        package
        for program, package in NEEDED_PROGRAMS.items()
        if shutil.which(program, path=path) is None
    )
    if missing:
        raise RootError(
            f"virtual machines need {', '.join(missing)}. Run: apt-get install {' '.join(missing)}"
        )


def root_dir(system: System, kernel: Kernel) -> Path:
    """Return where the disk of a system is kept; another recipe is another place."""
    facts = (system, kernel.release, PACKAGES, offered(system), _FILES, _LINKS, system.disk)
    recipe = repr((*facts, *_INSTALL) if system.installed else facts)
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    return cache_dir().parent / "roots" / f"{system.name}-{digest}"


def make_root(system: System, kernel: Kernel, *, refresh: bool = False) -> Path:
    """Return the directory with the system's disk and repository; makes it in about 2 minutes.

    Raises VmError.
    """
    final = root_dir(system, kernel)
    final.parent.mkdir(parents=True, exist_ok=True)
    with locked(final.parent / "lock"):
        if (final / MARKER).exists() and not refresh:
            return final
        print(f"{system.name}: making its disk, once", flush=True)
        # Nothing under the final name is ever incomplete: it appears by a rename.
        scratch = Path(tempfile.mkdtemp(prefix=".partial-", dir=final.parent))
        try:
            done = scratch / "done"
            done.mkdir()
            tree = _bootstrap(system, scratch)
            _make_repository(system, tree, scratch, done / REPOSITORY)
            _add_ours(tree, kernel)
            if system.installed:
                _install(system, tree, done / REPOSITORY)
            _make_disk(tree, done / DISK, system.disk)
            (done / MARKER).touch()
            shutil.rmtree(final, ignore_errors=True)
            done.rename(final)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        for other in final.parent.glob(f"{system.name}-*"):
            if other != final:
                shutil.rmtree(other)
    return final


def _bootstrap(system: System, scratch: Path) -> Path:
    """Install the system into a directory. A mirror that hiccups is asked again."""
    keyring = next((path for path in KEYRINGS if path.exists()), None)
    if keyring is None:
        raise RootError(
            "Debian's archive keys are missing. Run: apt-get install debian-archive-keyring"
        )
    tree = scratch / "tree"
    trouble = ""
    for wait_s in (0, *RETRY_WAITS_S):
        time.sleep(wait_s)
        for uri in machine_mirrors().archive:
            shutil.rmtree(tree, ignore_errors=True)
            log = scratch / "debootstrap.log"
            with log.open("wb") as output:
                done = subprocess.run(
                    [
                        *("debootstrap", "--variant=minbase", f"--arch={ARCH}"),
                        *(f"--keyring={keyring}", f"--include={','.join(PACKAGES)}"),
                        *(system.suite, str(tree), uri),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=BOOTSTRAP_TIMEOUT_S,
                    env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
                    check=False,
                )
            if done.returncode == 0:
                return tree
            trouble = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    raise MirrorError(f"debootstrap of {system.suite} failed again and again:\n{trouble}")


def _make_repository(system: System, tree: Path, scratch: Path, into: Path) -> None:
    """Lay what is offered, and is not installed already, ready for apt in the guest."""
    apt = Apt(scratch / "apt", machine_mirrors(), (system.suite,), ARCH)
    apt.update()
    installed = set(
        _output("dpkg-query", f"--admindir={tree}/var/lib/dpkg", "-W", "-f", "${Package}\n").split()
    )
    wanted = [each for each in apt.closure(offered(system)) if each.name not in installed]
    debs = apt.download(wanted, into)
    (into / "Packages").write_text(packages_index(debs), encoding="utf-8")


def packages_index(debs: Sequence[Path]) -> str:
    """Return the index of a flat repository, as apt reads it."""
    stanzas = []
    for deb in debs:
        data = deb.read_bytes()
        stanzas.append(
            f"{_output('dpkg-deb', '-f', str(deb)).strip()}\n"
            f"Filename: ./{deb.name}\nSize: {len(data)}\n"
            f"SHA256: {hashlib.sha256(data).hexdigest()}\n"
        )
    return "\n".join(stanzas)


def _add_ours(tree: Path, kernel: Kernel) -> None:
    for name, text in _FILES.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name, target in _LINKS.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
    (tree / "etc" / "hostname").write_text("install-test\n", encoding="utf-8")
    # What debootstrap copied from this machine names its servers.
    (tree / "etc" / "resolv.conf").write_text("", encoding="utf-8")
    modules = Path("usr/lib/modules") / kernel.release
    # The links to headers lead outside the tree.
    unwanted = shutil.ignore_patterns("build", "source")
    shutil.copytree(kernel.root / modules, tree / modules, symlinks=True, ignore=unwanted)
    for each in (tree / "var/cache/apt/archives").glob("*.deb"):
        each.unlink()
    shutil.rmtree(tree / "var/lib/apt/lists", ignore_errors=True)
    # A machine of its own, which systemd numbers when it first boots.
    (tree / "etc" / "machine-id").write_text("", encoding="utf-8")


def _install(system: System, tree: Path, repository: Path) -> None:
    """Have the system's own apt install packages, in mounts of its own; the repository goes."""
    inside = tree / SHARED.strip("/") / REPOSITORY
    inside.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(repository, inside)
    # No service starts here (invoke-rc.d(8)).
    policy = tree / "usr" / "sbin" / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
    policy.chmod(0o755)
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", _INSTALL[0]]
    _output(*command, "sh", str(tree), *system.installed)
    policy.unlink()
    shutil.rmtree(inside)
    repository.mkdir()  # which a machine is shown, empty
    for place in ("var/lib/apt/lists", "var/cache/apt/archives"):
        shutil.rmtree(tree / place)


def _make_disk(tree: Path, disk: Path, size: str) -> None:
    _output("mke2fs", "-q", "-t", "ext4", "-d", str(tree), str(disk), size)


def _output(*command: str) -> str:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
    )
    if done.returncode != 0:
        raise RootError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout
