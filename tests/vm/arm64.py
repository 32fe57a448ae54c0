"""Boot an arm64 kernel, emulated, on a Debian of its own; Graviton is that machine.

This machine's programs do not run there, so the guest has its own: a tree unpacked from
Debian's packages. virtme-ng's init for a foreign tree is a long shell script, which takes
longer to emulate than the tests; the few lines here mount what is needed and no more.
"""

from __future__ import annotations

import hashlib
import lzma
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.vm.guest import CHECKOUT, PROGRAMS, run_lines
from tests.vm.kernels import Kernel, KernelError, cache_dir, extract, locked
from tests.vm.mirror import machine_mirrors
from tests.vm.packages import Apt

ARCH = "arm64"
SUITES = ("trixie", "trixie-security")
# The oldest Debian whose own Python packages are as new as pyproject.toml asks for.
PACKAGES = (
    *("base-files", "base-passwd", "libc-bin", "bash", "dash", "coreutils", "util-linux", "mount"),
    *("grep", "sed", "findutils", "iproute2", "procps", "kmod", "busybox-static", "curl", "wget"),
    *("gcc", "libc6-dev", "libbpf1", "python3", "python-is-python3", "python3-click"),
    *("python3-psutil", "python3-rich", "python3-structlog"),
    *("python3-pytest", "python3-pytest-timeout"),
)
# What the packages' own scripts, which cannot run here, would have made: link -> target.
LINKS = {"usr/bin/cc": "gcc", "usr/bin/awk": "mawk"}
ACCOUNTS = ("passwd", "group")
# Nobody reads these in the guest, and they are a third of the files.
UNREAD = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info")
MARKER = "whole"

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
layered checkout /new{checkout}
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


def root_dir() -> Path:
    """Return where the tree for this list of packages is kept."""
    recipe = repr((SUITES, PACKAGES, LINKS, ACCOUNTS, UNREAD))
    name = f"{ARCH}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    return cache_dir().parent / "roots" / name


def make_root(*, refresh: bool = False) -> Path:
    """Return the tree the guest runs on; makes it where there is none, in about a minute.

    No program of the other machine type is run for it. Raises VmError.
    """
    final = root_dir()
    final.parent.mkdir(parents=True, exist_ok=True)
    with locked(final.parent / "lock"):
        if (final / MARKER).exists() and not refresh:
            return final
        # Nothing under the final name is ever incomplete: it appears by a rename.
        scratch = Path(tempfile.mkdtemp(prefix=".partial-", dir=final.parent))
        try:
            apt = Apt(scratch / "apt", machine_mirrors(), SUITES, ARCH)
            apt.update()
            tree = scratch / "tree"
            tree.mkdir()
            for deb in apt.download(apt.closure(PACKAGES), scratch / "debs"):
                extract(deb, tree)
            _finish(tree)
            shutil.rmtree(final, ignore_errors=True)
            tree.rename(final)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        for other in final.parent.glob(f"{ARCH}-*"):
            if other != final:
                shutil.rmtree(other)
    return final


def _finish(tree: Path) -> None:
    for link, target in LINKS.items():
        (tree / link).symlink_to(target)
    for name in ACCOUNTS:
        shutil.copy(tree / "usr" / "share" / "base-passwd" / f"{name}.master", tree / "etc" / name)
    (tree / "etc" / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n", encoding="utf-8")
    (tree / "usr" / "lib" / "modules").mkdir(exist_ok=True)
    for folder in UNREAD:
        shutil.rmtree(tree / folder, ignore_errors=True)
    (tree / MARKER).touch()


def guest_script(command: str, directory: Path, deadline_s: float) -> str:
    """Return the script that the guest's first process runs, to the end of the machine."""
    root = _ROOT.format(results=shlex.quote(str(directory)))
    run = run_lines(command, directory, deadline_s, programs=PROGRAMS, slowness=SLOWNESS)
    return f"export PATH={PROGRAMS}\n{root}{run}{_POWER_OFF}"


def qemu_command(kernel: Kernel, script: Path) -> list[str]:
    """Return the command that boots a kernel and runs a script from its writable directory."""
    root, results = root_dir(), script.parent
    initial = results / "initial.cpio"
    _make_initial(kernel, root, results, initial)
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
        "checkout": (CHECKOUT, "on"),
        "modules": (kernel.root / "usr" / "lib" / "modules", "on"),
        "results": (results, "off"),
    }
    for tag, (path, readonly) in shares.items():
        where = str(path).replace(",", ",,")
        share = f"local,id={tag},path={where},security_model=none,multidevs=remap"
        command += ["-fsdev", f"{share},readonly={readonly}"]
        command += ["-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
    return command


def _make_initial(kernel: Kernel, root: Path, results: Path, target: Path) -> None:
    """Write the initial file system: busybox, the modules that mounting takes, the script."""
    modules = kernel.root / "usr" / "lib" / "modules" / kernel.release
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch)
        (tree / "bin").mkdir()
        shutil.copy(root / "usr" / "bin" / "busybox", tree / "bin" / "busybox")
        for name in MODULES:
            (tree / f"{name}.ko").write_bytes(_module(modules, name))
        init = tree / "init"
        places = {"checkout": shlex.quote(str(CHECKOUT)), "results": shlex.quote(str(results))}
        init.write_text(_INIT.format(modules=" ".join(MODULES), **places), encoding="utf-8")
        init.chmod(0o755)
        names = "".join(f"{path.relative_to(tree)}\n" for path in sorted(tree.rglob("*")))
        archive = subprocess.run(
            ["busybox", "cpio", "-o", "-H", "newc"],
            cwd=tree,
            input=names.encode(),
            capture_output=True,
            check=True,
        )
    target.write_bytes(archive.stdout)


def _module(modules: Path, name: str) -> bytes:
    for path in modules.glob(f"kernel/**/{name}.ko*"):
        data = path.read_bytes()
        return lzma.decompress(data) if path.suffix == ".xz" else data
    raise KernelError(f"the kernel in {modules} has no module {name}")
