"""Boot an arm64 kernel, emulated, on a Debian of its own; Graviton is that machine.

This machine's programs do not run there, so the guest has its own: a tree unpacked from
Debian's packages. virtme-ng's init for a foreign tree is a long shell script, which takes
longer to emulate than the tests; the few lines here mount what is needed and no more.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.vmtest.kernels.guest import CHECKOUT, PROGRAMS, run_lines
from tests.vmtest.kernels.initial import make as make_initial
from tests.vmtest.kernels.kernels import Kernel, KernelError
from tests.vmtest.kernels.trees import Recipe

ARCH = "arm64"
# Debian 13 is the oldest whose own Python packages are as new as pyproject.toml asks for.
TREE = Recipe(
    ARCH,
    ARCH,
    ("trixie", "trixie-security"),
    (
        *("base-files", "base-passwd", "libc-bin", "bash", "dash", "coreutils", "util-linux"),
        *("mount", "grep", "sed", "findutils", "iproute2", "procps", "kmod", "busybox-static"),
        *(
            "curl",
            "wget",
            "gcc",
            "libc6-dev",
            "libbpf1",
            "nftables",
            "python3",
            "python-is-python3",
        ),
        *("python3-click", "python3-psutil", "python3-rich", "python3-structlog"),
        *("python3-pytest", "python3-pytest-timeout", "python3-jsonschema"),
    ),
    (("usr/bin/cc", "gcc"), ("usr/bin/awk", "mawk")),
)


class Userland(NamedTuple):
    """What a guest has besides its kernel: its tree, and directories that are this machine's.

    The guest sees these under their names here, and what it writes there is gone with it.
    """

    tree: Recipe
    shared: tuple[Path, ...]


LIVE_SUITE = Userland(TREE, (CHECKOUT,))

# Graviton2's core. Newer ones sign pointers, which costs an emulator half of its speed.
CPU = "neoverse-n1"
SLOWNESS = 30
# In the order in which they need each other.
MODULES = ("netfs", "9pnet", "9pnet_virtio", "9p", "overlay")

# The files of the host are read-only underneath, with a layer in memory on top for what the
# guest writes; only {results} is the host's own.
_INIT = """\
#!/bin/busybox sh
set -e
for applet in mkdir mount insmod switch_root ln; do /bin/busybox ln -s busybox /bin/$applet; done
mkdir -p /proc /sys /dev /base /layer /new
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in {modules}; do insmod /$module.ko; done
mount -t tmpfs -o mode=0755 layer /layer
share() {{
  mkdir -p "$2"
  mount -t 9p -o "trans=virtio,version=9p2000.L,access=any,msize=131072,$3" "$1" "$2"
}}
layered() {{
  share "$1" /base/"$1" ro,cache=loose
  mkdir -p /layer/"$1"/upper /layer/"$1"/work "$2"
  mount -t overlay -o lowerdir=/base/"$1",upperdir=/layer/"$1"/upper,workdir=/layer/"$1"/work \\
    "$1" "$2"
}}
layered root /new
{layers}
share modules /new/usr/lib/modules ro,cache=loose
share results /new{results} rw
for each in proc sys dev; do mount -o move /$each /new/$each; done
exec switch_root /new /bin/bash {results}/guest.sh
"""
_ROOT = """\
exec < /dev/null >> {results}/output.log 2>&1
set -e
mount -t tmpfs -o mode=0755 run /run
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
ln -s /proc/self/fd /dev/fd
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing
ip link set lo up
"""
_POWER_OFF = "busybox poweroff -f\n"


def guest_script(command: str, directory: Path, deadline_s: float) -> str:
    """Return the script that the guest's first process runs, to the end of the machine."""
    root = _ROOT.format(results=shlex.quote(str(directory)))
    run = run_lines(command, directory, deadline_s, programs=PROGRAMS, slowness=SLOWNESS)
    return f"export PATH={PROGRAMS}\n{root}{run}{_POWER_OFF}"


def qemu_command(kernel: Kernel, script: Path, userland: Userland = LIVE_SUITE) -> list[str]:
    """Return the command that boots a kernel and runs a script from its writable directory."""
    root, results = userland.tree.directory, script.parent
    layers = {f"layer{number}": path for number, path in enumerate(userland.shared)}
    initial = results / "initial.cpio"
    busybox = root / "usr" / "bin" / "busybox"
    make_initial(busybox, _modules(kernel), _init(layers, results), initial)
    command = ["qemu-system-aarch64", "-machine", "virt", "-cpu", CPU, "-smp", "2", "-m", "2G"]
    command += ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    # The console goes where the machine's errors go.
    command += ["-chardev", "file,id=console,path=/proc/self/fd/2,append=on"]
    command += ["-serial", "chardev:console"]
    command += ["-kernel", str(kernel.image), "-initrd", str(initial)]
    options = "console=ttyAMA0 panic=-1 init_on_alloc=0 mitigations=off rdinit=/init"
    command += ["-append", options]
    shares = {
        "root": (root, "on"),
        **{tag: (path, "on") for tag, path in layers.items()},
        "modules": (kernel.root / "usr" / "lib" / "modules", "on"),
        "results": (results, "off"),
    }
    for tag, (path, readonly) in shares.items():
        where = str(path).replace(",", ",,")
        share = f"local,id={tag},path={where},security_model=none,multidevs=remap"
        command += ["-fsdev", f"{share},readonly={readonly}"]
        command += ["-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
    return command


def _init(layers: Mapping[str, Path], results: Path) -> str:
    return _INIT.format(
        modules=" ".join(MODULES),
        layers="\n".join(f"layered {tag} /new{shlex.quote(str(layers[tag]))}" for tag in layers),
        results=shlex.quote(str(results)),
    )


def _modules(kernel: Kernel) -> dict[str, Path]:
    """Return what mounting takes: name in the initial file system, and file."""
    folder = kernel.root / "usr" / "lib" / "modules" / kernel.release
    return {f"{name}.ko": _module(folder, name) for name in MODULES}


def _module(modules: Path, name: str) -> Path:
    for path in modules.glob(f"kernel/**/{name}.ko*"):
        return path
    raise KernelError(f"the kernel in {modules} has no module {name}")
