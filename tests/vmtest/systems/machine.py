"""Boot a system from a private copy of its disk, as often as it takes."""

from __future__ import annotations

import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.vmtest.kernels.kernels import Kernel
from tests.vmtest.kernels.machine import BOOT_DEADLINE_S, CPU, KERNEL_OPTIONS, end, watch
from tests.vmtest.systems.initial import make_initial
from tests.vmtest.systems.roots import DISK as BACKING
from tests.vmtest.systems.roots import REPOSITORY, RootError

# One core: with two the emulator has to make every one see what the other writes, which costs it
# more than the second brings.
CPUS = 1
MEMORY = "1G"
# The private disk, in the directory of the run.
DISK = "disk.qcow2"
# The driver makes it in the shared directory as soon as it runs; {} is the number of the boot.
STARTED = "started-{}"


class Size(NamedTuple):
    """What a machine has, how long it may take to boot, and further options of its kernel."""

    cpus: int = CPUS
    memory: str = MEMORY
    boot_deadline_s: float = BOOT_DEADLINE_S
    options: tuple[str, ...] = ()


USUAL = Size()


@dataclass(frozen=True)
class Guest:
    """A system that can be booted: its disk keeps what each boot wrote.

    ``directory`` holds the disk and the consoles' logs, ``shared`` is seen by the guest, too.
    """

    kernel: Kernel
    directory: Path
    shared: Path
    packages: Path
    size: Size = USUAL


@dataclass(frozen=True)
class Boot:
    """What became of one boot. ``boot_s`` is 0 where the driver was never started."""

    boot_s: float
    total_s: float
    trouble: str


def prepare(kernel: Kernel, root: Path, directory: Path, size: Size = USUAL) -> Guest:
    """Make a private disk on top of the kept one, which stays as it is. Raises RootError."""
    shared = directory / "shared"
    shared.mkdir(parents=True)
    backing = str(root / BACKING)
    done = subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", backing, DISK],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RootError(f"qemu-img made no disk: {done.stderr.strip()}")
    make_initial(kernel, directory / "initial.cpio")
    return Guest(kernel, directory, shared, root / REPOSITORY, size)


def boot(guest: Guest, number: int, deadline_s: float, stop: threading.Event) -> Boot:
    """Boot and wait for the machine's end. Setting ``stop`` ends it.

    A machine that does not get as far as the driver is tried once more; a driver is not.
    """
    done = _attempt(guest, number, deadline_s, stop)
    if not done.boot_s and not stop.is_set():
        done = _attempt(guest, number, deadline_s, stop)
    return done


def _attempt(guest: Guest, number: int, deadline_s: float, stop: threading.Event) -> Boot:
    with (guest.directory / f"console-{number}.log").open("ab") as console:
        machine = subprocess.Popen(
            qemu_command(guest, number),
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            # A session of its own, so that ending it ends nothing else.
            start_new_session=True,
        )
        try:
            started = guest.shared / STARTED.format(number)
            boot_s, total_s, trouble = watch(
                machine, started, deadline_s, stop, guest.size.boot_deadline_s
            )
        finally:
            end(machine)
    if not boot_s and not trouble:
        # A negative one is the signal that ended the emulator, such as the memory killer's 9.
        trouble = f"did not boot (exit code {machine.returncode})"
    return Boot(boot_s, total_s, trouble)


def qemu_command(guest: Guest, number: int) -> list[str]:
    """Return the command of one boot. There is no network device: nothing can leave the guest."""
    options = ["console=ttyS0", "panic=-1", "rdinit=/init", f"install_test.boot={number}"]
    options += [*KERNEL_OPTIONS, *guest.size.options]
    command = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", CPU]
    command += [
        "-smp",
        str(guest.size.cpus),
        "-m",
        guest.size.memory,
        "-nodefaults",
        "-no-user-config",
    ]
    # A reboot ends the emulator: the next boot starts with nothing but the disk.
    command += ["-display", "none", "-no-reboot", "-nic", "none"]
    command += ["-chardev", "file,id=console,path=/proc/self/fd/1,append=on"]
    command += ["-serial", "chardev:console"]
    command += ["-kernel", str(guest.kernel.image), "-append", " ".join(options)]
    command += ["-initrd", str(guest.directory / "initial.cpio")]
    disk = _escaped(guest.directory / DISK)
    # Nobody needs the disk after the host itself lost power.
    command += ["-drive", f"file={disk},format=qcow2,if=virtio,cache=unsafe"]
    command += ["-device", "virtio-rng-pci"]
    for tag, path, readonly in (
        ("shared", guest.shared, "off"),
        ("packages", guest.packages, "on"),
    ):
        share = f"local,id={tag},path={_escaped(path)},security_model=none,multidevs=remap"
        command += ["-fsdev", f"{share},readonly={readonly}"]
        command += ["-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
    return command


def _escaped(path: Path) -> str:
    return str(path).replace(",", ",,")
