"""What the tests of this folder install: made once in a run, for all of its processes."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest

from tests.unit.install.host import CHECKOUT

Once = Callable[[str, Callable[[Path], object]], Path]
# The name of the directory with a virtual environment; see ``once``.
ENVIRONMENT = "environment"
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Return what makes a directory of a name, unless another process of this run has made it."""
    run = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        run = run.parent  # of all of them

    def directory(name: str, fill: Callable[[Path], object]) -> Path:
        place = run / name
        with (run / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not place.exists():
                new = run / f"{name}.new"
                fill(new)
                new.rename(place)
        return place

    return directory


@pytest.fixture(scope="session")
def wheel(once: Once) -> Path:
    """Return the checkout's wheel."""

    def build(place: Path) -> None:
        words = ["--retries", "5", "--no-deps", "--wheel-dir", str(place), str(CHECKOUT)]
        subprocess.run([*PIP, "wheel", *words], check=True)

    (found,) = once("wheel", build).glob("*.whl")
    return found


@pytest.fixture(scope="session")
def needed(once: Once) -> Path:
    """Return a directory with the wheels that the checkout's needs."""

    def download(place: Path) -> None:
        words = ["--retries", "5", "--require-hashes", "--no-deps", "--only-binary", ":all:"]
        lock = CHECKOUT / "requirements.lock"
        words += ["--dest", str(place), "--requirement", str(lock)]
        subprocess.run([*PIP, "download", *words], check=True)

    return once("needed", download)


@pytest.fixture(scope="session")
def environment(once: Once) -> Path:
    """Return a virtual environment of the system's Python with nothing but pip.

    It is a copy of what install.sh has made, if it has made one before; see ``ENVIRONMENT``.
    """

    def make(place: Path) -> None:
        subprocess.run(["/usr/bin/python3", "-I", "-m", "venv", str(place)], check=True)

    return once(ENVIRONMENT, make)
