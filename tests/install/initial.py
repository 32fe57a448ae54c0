"""The initial file system: busybox, and the modules it takes to reach the disk."""

from __future__ import annotations

import lzma
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.install.roots import RootError
from tests.vm.kernels import Kernel

# What the disk hangs on; each brings those it needs.
MODULES = ("virtio_pci", "virtio_blk", "ext4")
# ext4 asks for this one by a name that is resolved at run time.
LATE_MODULES = ("crc32c_generic",)

_INIT = """\
#!/bin/busybox sh
set -e
for applet in mkdir mount insmod switch_root sleep; do /bin/busybox ln -s busybox /bin/$applet; done
mkdir -p /proc /sys /dev /new
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in {modules}; do insmod /$module; done
until [ -b /dev/vda ]; do sleep 0.1; done
mount -t ext4 /dev/vda /new
for each in proc sys dev; do mount -o move /$each /new/$each; done
exec switch_root /new /sbin/init
"""


def make_initial(kernel: Kernel, target: Path) -> None:
    """Write the initial file system that starts /sbin/init on the first disk. Raises RootError."""
    busybox = shutil.which("busybox") or "/bin/busybox"
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch)
        (tree / "bin").mkdir()
        shutil.copy(busybox, tree / "bin" / "busybox")
        names = []
        for path in module_files(kernel):
            name = path.name.removesuffix(".xz")
            data = path.read_bytes()
            (tree / name).write_bytes(lzma.decompress(data) if path.suffix == ".xz" else data)
            names.append(name)
        init = tree / "init"
        init.write_text(_INIT.format(modules=" ".join(names)), encoding="utf-8")
        init.chmod(0o755)
        listed = "".join(f"{path.relative_to(tree)}\n" for path in sorted(tree.rglob("*")))
        archive = subprocess.run(
            ["busybox", "cpio", "-o", "-H", "newc"],
            cwd=tree,
            input=listed.encode(),
            capture_output=True,
            check=True,
        )
    target.write_bytes(archive.stdout)


def module_files(kernel: Kernel) -> list[Path]:
    """Return the modules' files in the order in which they need each other. Raises RootError."""
    files: dict[Path, None] = {}
    for name in (*LATE_MODULES, *MODULES):
        done = subprocess.run(
            ["modprobe", "-d", kernel.root, "-S", kernel.release, "--show-depends", name],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"},
        )
        if done.returncode != 0 and name not in LATE_MODULES:
            raise RootError(f"kernel {kernel.release} has no module {name}: {done.stderr.strip()}")
        for line in done.stdout.splitlines():
            kind, _, path = line.strip().partition(" ")
            if kind == "insmod":
                files[Path(path)] = None
    return list(files)
