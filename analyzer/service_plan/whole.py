"""Finishes a release, and tells whether one is whole.

``python -I -m analyzer.service_plan.whole isolate|seal RELEASE``, by the release's own Python.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from analyzer.service_plan.places import NAME

# The sums of all files, as sha256sum reads them. A release without it counts as not whole.
SEAL = ".complete"
# A program of a damaged release may hang.
PROGRAM_S = 60
_PROGRAM = """\
#!{python} -I
from analyzer.__main__ import main

main()
"""


def is_whole(release: str) -> bool:
    """Tell whether nothing is missing or changed in a release, and its program starts."""
    if not Path(release, SEAL).exists():
        return False
    check = ["sha256sum", "--quiet", "--check", SEAL]
    if subprocess.run(check, cwd=release, capture_output=True, check=False).returncode != 0:
        return False
    program = [f"{release}/bin/{NAME}", "--version"]
    try:
        done = subprocess.run(program, capture_output=True, check=False, timeout=PROGRAM_S)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def isolate(release: str) -> None:
    """Replace pip's start script: neither PYTHON* nor the user's packages get into the program."""
    program = Path(release, "bin", NAME)
    new = program.with_name(f"{NAME}.tmp")
    new.write_text(_PROGRAM.format(python=f"{release}/bin/python"), encoding="utf-8")
    new.chmod(0o755)
    new.replace(program)


def seal(release: str) -> None:
    """Write the sums. From then on the release counts as whole, so it must be on the disk."""
    new = Path(release, f"{SEAL}.tmp")
    new.write_text("".join(_sums(Path(release))), encoding="utf-8", errors="surrogateescape")
    subprocess.run(["sync", "-f", release], check=True)
    new.replace(new.with_name(SEAL))


def _sums(release: Path) -> Iterator[str]:
    for directory, _, names in os.walk(release):
        for name in names:
            path = Path(directory, name)
            is_ours = path.suffix != ".pyc" and not name.startswith(SEAL)
            if is_ours and path.is_file() and not path.is_symlink():
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                yield f"{digest}  ./{path.relative_to(release)}\n"


STEPS = {"isolate": isolate, "seal": seal}

if __name__ == "__main__":
    STEPS[sys.argv[1]](sys.argv[2])
