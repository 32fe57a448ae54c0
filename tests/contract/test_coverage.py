"""`make test-fast` counts in each module that pyproject.toml names, also if no test imports it.

Coverage reports only what was imported: a module that nothing imports is missing there, and the
rest is still "100 %". Therefore this test imports all of them, within the run that counts.
"""

from __future__ import annotations

import importlib
import re
import subprocess
from pathlib import Path

import pytest
from coverage import Coverage

CHECKOUT = Path(__file__).parents[2]
COUNTED = Coverage(config_file=str(CHECKOUT / "pyproject.toml")).get_option("run:include")
assert isinstance(COUNTED, list)


def _modules(patterns: list[str]) -> list[str]:
    """Return the modules that these patterns name, relative to the checkout."""
    found = {path for pattern in patterns for path in CHECKOUT.glob(pattern)}
    return sorted(str(path.relative_to(CHECKOUT)) for path in found if path.suffix == ".py")


@pytest.mark.parametrize("pattern", COUNTED)
def test_a_pattern_names_a_module(pattern: str) -> None:
    """A module that was renamed or moved is counted under its new name."""
    assert _modules([pattern])


@pytest.mark.parametrize("path", _modules(COUNTED))
def test_a_counted_module_is_imported(path: str) -> None:
    name = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    assert importlib.import_module(name).__file__ == str(CHECKOUT / path)


def test_these_imports_are_part_of_the_run_that_counts() -> None:
    listed = ["make", "--dry-run", "--silent", "test-fast"]
    commands = subprocess.run(listed, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    counting = re.findall(r"^.* -m pytest .*--cov .*$", commands.stdout, re.MULTILINE)
    assert len(counting) == 1
    assert str(Path(__file__).relative_to(CHECKOUT)) in counting[0].split()
