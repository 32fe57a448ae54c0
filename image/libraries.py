"""Installs the wheel and the packages of the lock file into a directory, for any machine type."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from image.contents import INTERPRETER, ONLY_FOR_REPORT, PYTHON, Machine
from image.errors import ImageError
from tests.vmtest.kernels.packages import RETRY_WAITS_S
from tests.vmtest.systems.bundle import requirements_for

PIP_TIMEOUT_S = 600
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet")


def install(machine: Machine, wheel: Path, lock: Path, into: Path, scratch: Path) -> None:
    """Install below ``into``; pip checks each package against the hashes of the lock file.

    Nothing is executed for the other machine type: wheels are only unpacked. Raises ImageError.
    """
    wanted = scratch / "requirements.txt"
    wanted.write_text(_without_report(requirements_for(lock.read_text("utf-8"), PYTHON)), "utf-8")
    target = ["--python-version", PYTHON, "--implementation", "cp", "--only-binary", ":all:"]
    for platform in machine.platforms:
        target += ["--platform", platform]
    wheels = scratch / "wheels"
    locked = ["--no-deps", "--require-hashes", "--requirement", str(wanted)]
    _pip("download", *target, *locked, "--dest", str(wheels))
    # By name from a directory: a package that is installed by path keeps that path.
    own = scratch / "own"
    own.mkdir()
    (own / wheel.name).write_bytes(wheel.read_bytes())
    local = ["--no-index", "--no-deps", "--no-compile", "--target", str(into)]
    _pip("install", *target, *local, "--find-links", str(own), "imds-analyzer")
    _pip("install", *target, *local, "--find-links", str(wheels), "--requirement", str(wanted))


def _without_report(requirements: str) -> str:
    blocks: list[list[str]] = []
    for line in requirements.splitlines(keepends=True):
        if line[:1].strip():
            blocks.append([])
        blocks[-1].append(line)
    wanted = [block for block in blocks if block[0].partition("==")[0] not in ONLY_FOR_REPORT]
    return "".join(line for block in wanted for line in block)


def compile_all(root: Path) -> None:
    """Compile the modules below the root, so that the start need not: the root is read-only.

    The result depends on the source alone, not on times. Raises ImageError where this machine has
    another Python than the image, because byte code is of one version.
    """
    python = f"/{INTERPRETER}"
    if not Path(python).exists():
        raise ImageError(f"{python} compiles the image's modules. Install python{PYTHON}-minimal")
    folders = [str(root / f"usr/lib/python{PYTHON}"), str(root / "usr/lib/python3")]
    flags = ["-q", "-j", "1", "-s", str(root), "-p", "/", "--invalidation-mode", "unchecked-hash"]
    _run([python, "-I", "-m", "compileall", *flags, *folders], "compiling")


def _pip(*words: str) -> None:
    trouble = ""
    for wait_s in (0, *RETRY_WAITS_S):
        time.sleep(wait_s)
        try:
            return _run([*_PIP, *words], f"pip {words[0]}")
        except ImageError as error:
            trouble = str(error)
    raise ImageError(trouble)


def _run(command: Sequence[str], what: str) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PIP_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise ImageError(f"{what} failed: {(done.stderr or done.stdout).strip()[-2000:]}")
