"""What a guest does: give itself a root that is quick and harmless, then run the command."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from tests.vmtest.kernels.kernels import Kernel

CHECKOUT = Path(__file__).resolve().parents[3]

# Emulation is this much slower than the machine; the live suite stretches its deadlines by it.
SLOWNESS = 20
# Where a guest's own programs are.
PROGRAMS = "/usr/sbin:/usr/bin:/sbin:/bin"
# The name under which the machine offers its file system a second time, see below.
ROOT_TAG = "cachedroot"

# virtme-ng mounts the host's files without a cache: under emulation each import of a module
# then costs seconds. The same files once more, read-only but cached, with a writable layer in
# memory on top, become the root; what the guest writes is gone with it, except in $RESULTS.
# The guest ends an endless command itself, so that its output is whole and it powers off in
# order; the host's own deadline is behind that.
_SCRIPT = """\
set -e
mkdir /run/base /run/layer /run/root
mount -t 9p -o ro,trans=virtio,version=9p2000.L,access=any,msize=131072,cache=loose {tag} /run/base
mount -t tmpfs -o mode=0755 layer /run/layer
mkdir /run/layer/upper /run/layer/work
cd /run
mount -t overlay -o lowerdir=base,upperdir=layer/upper,workdir=layer/work root /run/root
for each in proc sys dev; do mount --rbind /$each /run/root/$each; done
mount -t tmpfs -o mode=0755 run /run/root/run
mkdir -p /run/root/run/before /run/root/usr/lib/modules /run/root{results}
mount --bind {results} /run/root{results}
ln -sfn {modules} /run/root/usr/lib/modules/{release}
cd /run/root
pivot_root . run/before
umount -l /run/before
mount -t bpf bpf /sys/fs/bpf
# It tells whether the kernel is preemptible.
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
"""
# The same for every guest. {exports} holds whole lines.
_RUN = """\
{exports}touch {results}/started
cd {checkout}
set +e
timeout --kill-after=10 {deadline_s} bash -c {command} 2>&1
echo $? > {results}/status.part
mv {results}/status.part {results}/status
"""


def guest_script(kernel: Kernel, command: str, directory: Path, deadline_s: float) -> str:
    """Return the script the guest runs: it makes its root, marks its start, keeps the status."""
    root = _SCRIPT.format(
        tag=ROOT_TAG,
        results=shlex.quote(str(directory)),
        release=kernel.release,
        modules=shlex.quote(str(kernel.root / "usr" / "lib" / "modules" / kernel.release)),
    )
    programs = f"{Path(sys.executable).parent}:{PROGRAMS}"
    return root + run_lines(command, directory, deadline_s, programs=programs, slowness=SLOWNESS)


def run_lines(
    command: str, directory: Path, deadline_s: float, *, programs: str, slowness: int
) -> str:
    """Return the part that runs the command, once the guest has its root.

    ``programs`` is the guest's PATH, ``slowness`` what the live suite stretches deadlines by.
    """
    variables = {
        "PATH": programs,
        "HOME": "/root",
        "RESULTS": str(directory),
        "HYPOTHESIS_STORAGE_DIRECTORY": "/tmp/hypothesis",  # noqa: S108 - gone with the guest
        "IMDS_ANALYZER_SLOWNESS": str(slowness),
    }
    return _RUN.format(
        exports="".join(f"export {key}={shlex.quote(value)}\n" for key, value in variables.items()),
        results=shlex.quote(str(directory)),
        checkout=shlex.quote(str(CHECKOUT)),
        deadline_s=int(deadline_s),
        command=shlex.quote(command),
    )
