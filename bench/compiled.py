"""The C programs beside this file, compiled when they are needed."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

from bench.figure import CannotMeasureError

HERE = Path(__file__).parent


def compile_program(name: str, directory: Path) -> str:
    """Compile ``name``.c for this machine; return the program's path."""
    compiler = shutil.which("cc") or shutil.which("clang")
    if compiler is None:
        raise CannotMeasureError(
            "there is neither cc nor clang. Install one: apt-get install clang"
        )
    built = directory / name
    _compile([compiler, "-O2", "-Wall", "-Werror", str(HERE / f"{name}.c"), "-o", str(built)])
    return str(built)


def compile_bpf(name: str, directory: Path) -> Path:
    """Compile ``name``.bpf.c; return the object's path."""
    if shutil.which("clang") is None:
        raise CannotMeasureError("clang is not installed. Run: apt-get install clang")
    built = directory / f"{name}.bpf.o"
    headers = f"-I/usr/include/{platform.machine()}-linux-gnu"
    flags = ["-g", "-O2", "-target", "bpf", "-Wall", "-Werror", headers]
    _compile(["clang", *flags, "-c", str(HERE / f"{name}.bpf.c"), "-o", str(built)])
    return built


def _compile(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotMeasureError(f"{command[0]} failed: {done.stderr.strip()}")
