"""Which machine the clients are made for: this one, or one of another type that cannot build.

For the other one everything is made here: scripts and class files are the same everywhere, Go
compiles for any machine, and of Python there is only where its packages are looked for.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple


class ForeignPython(NamedTuple):
    """A Python of the other machine: its program there, and its version as in ``lib/python3.x``."""

    program: str
    library: str

    @property
    def version(self) -> str:
        """Return its version in the form that pip takes."""
        return re.sub(r"^[a-z]+", "", self.library)


class Target(NamedTuple):
    """A machine of another type. ``go`` and ``wheels`` are its names there.

    ``old_python`` is one before 3.10.
    """

    name: str
    go: str
    wheels: str
    python: ForeignPython
    old_python: ForeignPython


# Debian 12's, the last with a Python before 3.10.
TARGETS = {
    "arm64": Target(
        "arm64",
        "arm64",
        "manylinux2014_aarch64",
        ForeignPython("/usr/bin/python3", "python3.11"),
        ForeignPython("/usr/bin/pypy3", "pypy3.9"),
    )
}


def lay_out_environment(directory: Path, python: ForeignPython) -> Path:
    """Make a virtual environment for a Python that is not here; returns where packages go."""
    packages = directory / "lib" / python.library / "site-packages"
    packages.mkdir(parents=True)
    (directory / "bin").mkdir()
    (directory / "bin" / "python").symlink_to(python.program)
    home = Path(python.program).parent
    (directory / "pyvenv.cfg").write_text(
        f"home = {home}\ninclude-system-site-packages = false\n", encoding="utf-8"
    )
    return packages
