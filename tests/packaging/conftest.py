"""The checkout's wheel, for all tests that install or pack it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.install.host import CHECKOUT


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel; the first of the run's processes that asks builds it."""
    run = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        run = run.parent  # of all of them
    place = run / "wheel"
    with (run / "wheel.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            new = place.with_suffix(".tmp")
            pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel"]
            words = ["--retries", "5", "--no-deps", "--wheel-dir", str(new), str(CHECKOUT)]
            subprocess.run([*pip, *words], check=True)
            new.rename(place)
    (found,) = place.glob("*.whl")
    return found
