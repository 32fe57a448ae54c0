"""`make test-fast` runs each fast test in exactly one of its shares."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
FOLDERS = ("unit", "contract", "golden", "property", "packaging", "deploy")
FILES = [path for folder in FOLDERS for path in (CHECKOUT / "tests" / folder).rglob("test_*.py")]


@pytest.fixture(scope="module")
def shares() -> list[tuple[set[Path], set[Path]]]:
    """Return what each process of pytest is given, and what of it is left out."""
    listed = ["make", "--dry-run", "--silent", "test-fast"]
    made = subprocess.run(listed, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    commands = [shlex.split(line) for line in made.stdout.splitlines() if "-m pytest" in line]
    ignore = "--ignore="
    return [
        (
            {CHECKOUT / word for word in words if word.startswith("tests/")},
            {CHECKOUT / word[len(ignore) :] for word in words if word.startswith(ignore)},
        )
        for words in commands
    ]


def test_each_file_is_in_one_share(shares: list[tuple[set[Path], set[Path]]]) -> None:
    assert len(shares) > 1
    assert len(FILES) > 100
    odd = {}
    for path in FILES:
        places = {path, *path.parents}
        count = sum(bool(places & given) and not places & ignored for given, ignored in shares)
        if count != 1:
            odd[str(path.relative_to(CHECKOUT))] = count
    assert not odd, "these run so often"


def test_what_is_named_is_there(shares: list[tuple[set[Path], set[Path]]]) -> None:
    """A folder that was renamed or moved keeps its share."""
    named = {path for given, ignored in shares for path in given | ignored}
    assert [str(path) for path in named if not path.exists()] == []
