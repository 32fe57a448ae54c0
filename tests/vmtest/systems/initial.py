"""What a machine starts with to reach its disk and the systemd there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.vmtest.kernels.initial import make
from tests.vmtest.kernels.kernels import Kernel
from tests.vmtest.systems.roots import RootError

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
    modules = {path.name.removesuffix(".xz"): path for path in module_files(kernel)}
    make(Path(busybox), modules, _INIT.format(modules=" ".join(modules)), target)


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
