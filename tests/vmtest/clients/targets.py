"""Which machine the clients are made for: this one, or one of another type that cannot build.

For the other one everything is made here: scripts and class files are the same everywhere, Go
compiles for any machine, and of Python there is only where its packages are looked for.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

# Debian's own come first: what is on a developer's PATH may be anything.
SEARCH_PATH = "/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin"


class ForeignPython(NamedTuple):
    """A Python of the other machine: its program there, and its version as in ``lib/python3.x``.

    ``cache_tag`` is what it calls the code that it has compiled, in ``sys.implementation``.
    """

    program: str
    library: str
    cache_tag: str

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
        ForeignPython("/usr/bin/python3", "python3.11", "cpython-311"),
        ForeignPython("/usr/bin/pypy3", "pypy3.9", "pypy39"),
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


def compile_ahead(directory: Path, python: ForeignPython, root: Path = Path("/")) -> bool:
    """Compile the Python files in a directory of another machine, whose root is ``root`` here.

    There it takes minutes. Returns False where this machine has no Python of that kind; compiled
    code is the same on all types of machines.
    """
    names = (Path(python.program).name, python.library)
    tag = "import sys; print(sys.implementation.cache_tag)"
    for name in names:
        found = shutil.which(name, path=SEARCH_PATH)
        if found is None:
            continue
        asked = subprocess.run([found, "-c", tag], capture_output=True, text=True, check=False)
        if asked.stdout.strip() == python.cache_tag:
            # A few files that only Python 2 understands are among them; these stay as they are.
            compiler = [found, "-m", "compileall", "-q", "-s", str(root), "-p", "/", str(directory)]
            subprocess.run(compiler, capture_output=True, check=False)
            return True
    return False
