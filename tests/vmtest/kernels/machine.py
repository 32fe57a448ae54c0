"""Boot one kernel on a snapshot of this machine's file system and run a command in it."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Optional

from tests.vmtest.kernels import arm64
from tests.vmtest.kernels.guest import CHECKOUT, ROOT_TAG, guest_script
from tests.vmtest.kernels.kernels import Kernel
from tests.vmtest.kernels.mirror import VmError

# A program the machine needs -> the Debian package that has it.
NEEDED_PROGRAMS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-system-aarch64": "qemu-system-arm",
    "modprobe": "kmod",
    "depmod": "kmod",
    "udevadm": "udev",
    "ip": "iproute2",
    "zstd": "zstd",
    "file": "file",
    "busybox": "busybox-static",
}

CPUS = 2
MEMORY = "2G"
# Without five-level page tables and nested virtualization an emulated CPU does less. With "erms"
# kernel and libc copy byte by byte, which an emulator does one by one.
CPU = "max,la57=off,svm=off,erms=off"
# Devices that qemu shows and udev would load drivers for; the runs need none of them.
IDLE_DRIVERS = (
    "acpi_cpufreq,aesni_intel,ahci,button,cdrom,crc32_pclmul,crct10dif_pclmul,cryptd,evdev,"
    "ghash_clmulni_intel,i2c_i801,i6300esb,iTCO_wdt,joydev,kvm,kvm_amd,kvm_intel,libahci,libata,"
    "lpc_ich,pcspkr,powernow_k8,psmouse,serio_raw,sg,sha1_ssse3,sha256_ssse3,sha512_ssse3,sr_mod"
)
# Hardening costs an emulated kernel most of its time (5.10 zeroes a buffer of half a megabyte
# for every file operation) and has no bearing on what is tested. Without tsc=reliable, kernels
# before 6.12 read the time from an emulated device, the HPET.
KERNEL_OPTIONS = (
    *("mitigations=off", "init_on_alloc=0", "tsc=reliable"),
    f"modprobe.blacklist={IDLE_DRIVERS}",
)
# Measured: 20 to 60 s from start to the first command, twice that beside a second machine.
BOOT_DEADLINE_S = 240
# How long a machine that was told to power off may take before it is ended.
POWER_OFF_S = 60
LOOK_AGAIN_S = 0.2


class MachineError(VmError):
    """A program that virtual machines need is not installed."""


@dataclass(frozen=True)
class Outcome:
    """What became of one run. ``status`` is the command's own, None when it did not end."""

    kernel: Kernel
    status: Optional[int]
    trouble: str
    boot_s: float
    total_s: float
    directory: Path

    @property
    def booted(self) -> bool:
        """Tell whether the machine got as far as the command."""
        return self.boot_s > 0

    @property
    def output(self) -> str:
        """Return what the command wrote, standard output and errors as they came."""
        return _read(self.directory / "output.log")


def check_programs() -> None:
    """Raise MachineError naming every package that is missing and how to install it."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = {
        package
        for program, package in NEEDED_PROGRAMS.items()
        if shutil.which(program, path=path) is None
    }
    if missing:
        raise MachineError(
            f"virtual machines need {', '.join(sorted(missing))}. "
            f"Run: apt-get install {' '.join(sorted(missing))}"
        )
    if not _vng().exists():
        raise MachineError(
            f"virtme-ng is not installed beside {sys.executable}. Run: make setup-vm"
        )


def _vng() -> Path:
    return Path(sys.executable).parent / "vng"


def run(
    kernel: Kernel,
    command: str,
    directory: Path,
    *,
    deadline_s: float,
    stop: threading.Event,
    userland: arm64.Userland = arm64.LIVE_SUITE,
) -> Outcome:
    """Run a shell command under a kernel; ``directory`` is all the guest can write to on the host.

    It holds ``output.log`` and ``console.log`` afterwards, and what the command put there
    (``$RESULTS`` in the guest). A machine that does not get as far as the command is tried
    once more; a command that fails is not. Setting ``stop`` ends the machine. ``userland`` is for
    a kernel of another machine type; the others run on this machine's own file system.
    """
    if kernel.arch == arm64.ARCH:
        script = arm64.guest_script(command, directory, deadline_s)
    else:
        script = guest_script(kernel, command, directory, deadline_s)
    outcome = _attempt(kernel, script, userland, directory, deadline_s, stop)
    if not outcome.booted and not stop.is_set():
        first = (directory / "console.log").read_bytes()
        outcome = _attempt(kernel, script, userland, directory, deadline_s, stop)
        (directory / "console-of-first-boot.log").write_bytes(first)
    return outcome


def _attempt(
    kernel: Kernel,
    script: str,
    userland: arm64.Userland,
    directory: Path,
    deadline_s: float,
    stop: threading.Event,
) -> Outcome:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / "guest.sh").write_text(script, encoding="utf-8")
    path = f"{_vng().parent}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    with open_log(directory, "output") as output, open_log(directory, "console") as console:
        machine = subprocess.Popen(
            _command(kernel, directory / "guest.sh", userland),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=console,
            cwd=CHECKOUT,
            env={**os.environ, "PATH": path},
            # A session of its own, so that ending it ends qemu too, and nothing else.
            start_new_session=True,
        )
        try:
            boot_s, total_s, trouble = watch(machine, directory / "started", deadline_s, stop)
        finally:
            end(machine)
    status = _read(directory / "status").strip()
    if not status and not trouble:
        trouble = "the machine stopped while the command ran" if boot_s else "did not boot"
        # A negative one is the signal that ended the emulator, such as the memory killer's 9.
        trouble += f" (exit code {machine.returncode})"
    if status == "124":
        trouble = f"the command was ended after {deadline_s:.0f} s"
    return Outcome(kernel, int(status) if status else None, trouble, boot_s, total_s, directory)


def watch(
    machine: subprocess.Popen[bytes],
    started: Path,
    deadline_s: float,
    stop: threading.Event,
    boot_deadline_s: float = BOOT_DEADLINE_S,
) -> tuple[float, float, str]:
    """Wait for a machine's end; returns seconds to its start and its end, and what went wrong."""
    began = time.monotonic()
    boot_s = 0.0
    while True:
        # Not reaped before `end`, so that the number of its session stays its own.
        ended = os.waitid(os.P_PID, machine.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        total_s = time.monotonic() - began
        if not boot_s and started.exists():
            boot_s = total_s
        if ended:
            return boot_s, total_s, ""
        if not boot_s and total_s > boot_deadline_s:
            return boot_s, total_s, f"did not boot within {boot_deadline_s:.0f} s"
        if boot_s and total_s - boot_s > deadline_s + POWER_OFF_S:
            return boot_s, total_s, f"no end within {deadline_s:.0f} s"
        if stop.wait(LOOK_AGAIN_S):
            return boot_s, total_s, "interrupted"


def open_log(directory: Path, name: str) -> BinaryIO:
    """Open a log for the machine to write to."""
    return (directory / f"{name}.log").open("wb")


def _command(kernel: Kernel, script: Path, userland: arm64.Userland) -> list[str]:
    if kernel.arch == arm64.ARCH:
        return arm64.qemu_command(kernel, script, userland)
    return vng_command(kernel, script)


def vng_command(kernel: Kernel, script: Path) -> list[str]:
    """Return the command that boots a kernel and runs a script from its writable directory."""
    command = [str(_vng()), "--verbose", "--run", str(kernel.image)]
    # KVM is there but useless on some hosts (a nested guest hangs), and a trial boot costs
    # more than it tells: emulation unless asked for.
    if os.environ.get("IMDS_ANALYZER_KVM") != "1":
        command.append("--disable-kvm")
    command += ["--cpus", str(CPUS), "--memory", MEMORY, "--user", "root"]
    for option in KERNEL_OPTIONS:
        command += ["--append", option]
    devices = (
        f"-cpu {CPU} "
        f"-fsdev local,id={ROOT_TAG},path=/,security_model=none,readonly=on,multidevs=remap "
        f"-device virtio-9p-pci,fsdev={ROOT_TAG},mount_tag={ROOT_TAG}"
    )
    command += [f"--qemu-opts={devices}", "--rwdir", str(script.parent)]
    return [*command, "--", f"bash {shlex.quote(str(script))}"]


def end(machine: subprocess.Popen[bytes]) -> None:
    """End the machine's own session; the processes in it are all ours."""
    # A machine that has powered off has left nobody to end.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(machine.pid, signal.SIGKILL)
    machine.wait()


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
