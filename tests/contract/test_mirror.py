"""tests/unit mirrors analyzer/: who looks for the tests of a folder knows where they are."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
UNIT = REPOSITORY / "tests" / "unit"
ANALYZER = REPOSITORY / "analyzer"
# They test what is no part of the package, and what lies outside it.
OTHERS = {"install": "install.sh", "image": "image", "vmtest": "tests/vmtest"}


def _folders(root: Path) -> list[str]:
    return sorted(str(found.parent.relative_to(root)) for found in root.glob("*/**/__init__.py"))


@pytest.mark.parametrize("folder", _folders(UNIT))
def test_each_folder_of_unit_tests_has_its_folder_in_the_analyzer(folder: str) -> None:
    """A folder that was moved there is moved here, too."""
    first = folder.split("/", maxsplit=1)[0]
    if first in OTHERS:
        assert (REPOSITORY / OTHERS[first]).exists()
    else:
        assert (ANALYZER / folder / "__init__.py").exists()


@pytest.mark.parametrize("module", sorted(UNIT.rglob("test_*.py")), ids=lambda path: path.name)
def test_each_unit_test_is_in_a_package(module: Path) -> None:
    """Without it, two test files of one name could not be imported together."""
    assert (module.parent / "__init__.py").exists()
