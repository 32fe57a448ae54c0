"""`make check` runs tests in workers of pytest-xdist, which no share of `make test-fast` does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def test_tests_pass_in_workers() -> None:
    """The process that starts them collects nothing, and imports hypothesis at its end."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
    }
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--numprocesses", "1"]
    done = subprocess.run(
        [sys.executable, *words, "tests/contract/test_shares.py"],
        cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
