"""Runs a report on the oldest DuckDB that pyproject.toml allows, and compares the numbers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fleet.lines import Fleet, write_fleet
from tests.unit.install.host import CHECKOUT

# The time until which the report judges: it makes two reports of one input the same text.
UNTIL = "2026-11-17T00:00:00Z"


@pytest.fixture(scope="module")
def oldest(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Return the version, and a directory with its modules."""
    found = re.search(r'"duckdb>=([0-9]+[.][0-9]+),', (CHECKOUT / "pyproject.toml").read_text())
    assert found is not None
    version, place = f"{found[1]}.0", tmp_path_factory.mktemp("oldest")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    words = ["--retries", "5", "--no-deps", "--only-binary", ":all:", "--target", str(place)]
    subprocess.run([*pip, *words, f"duckdb=={version}"], check=True)
    return version, place


def test_the_oldest_duckdb_gives_the_same_numbers(oldest: tuple[str, Path], tmp_path: Path) -> None:
    version, place = oldest
    write_fleet(tmp_path / "logs", Fleet(requests=500))
    asked = "import duckdb; print(duckdb.__version__)"
    assert _printed(["-c", asked], place) == f"{version}\n"
    report = ["-m", "analyzer", "report", str(tmp_path / "logs"), "--format", "json"]
    own = _printed([*report, "--until", UNTIL], None)
    assert '"requests"' in own
    assert _printed([*report, "--until", UNTIL], place) == own


def _printed(words: list[str], place: Path | None) -> str:
    paths = [str(CHECKOUT)] if place is None else [str(place), str(CHECKOUT)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, check=True
    ).stdout
