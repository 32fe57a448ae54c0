"""A crowd of short-lived callers, as many programs, made by a small one in C."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from analyzer.imds import IMDS_IPV4, IMDS_PORT
from analyzer.lab.namespace import LabNamespace

SOURCE = Path(__file__).with_name("crowd.c")


class Crowd(NamedTuple):
    """What the callers were, by number; the crowd itself is their parent and still there."""

    pid: int
    argv: list[str]
    pids: list[int]

    def args_of(self, number: int) -> list[str]:
        """Return the arguments of one caller."""
        _, address, port, path, _, _, requests, rate = self.argv
        return ["caller", address, port, f"{path}/{number}", requests, rate]


def compile_crowd(directory: Path) -> str:
    """Compile the program into ``directory``; return its path. Raises CalledProcessError."""
    built = directory / "crowd"
    compiler = shutil.which("cc") or shutil.which("clang") or "cc is not installed"
    # Static: a thousand starts without a dynamic linker, which emulated machines feel.
    flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-static"]
    subprocess.run([compiler, *flags, str(SOURCE), "-o", str(built)], check=True)
    return str(built)


@contextlib.contextmanager
def crowd(
    program: str,
    namespace: LabNamespace,
    path: str,
    processes: int,
    *,
    at_once: int,
    requests: int = 1,
    rate: int = 0,
) -> Iterator[Crowd]:
    """Have so many callers call; yield once all of them are gone, and end what is left.

    Raises CalledProcessError when one of them could not call.
    """
    numbers = map(str, (processes, at_once, requests, rate))
    argv = [program, IMDS_IPV4, str(IMDS_PORT), path, *numbers]
    child = namespace.popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    with child.stdin, child.stdout:
        said = []
        for line in child.stdout:
            if line == b"done\n":
                break
            said.append(int(line.split()[1]))
        assert len(said) == processes, "the crowd ended early; its message stands above"
        yield Crowd(child.pid, argv, said)
    if child.wait() != 0:
        raise subprocess.CalledProcessError(child.returncode, argv)
