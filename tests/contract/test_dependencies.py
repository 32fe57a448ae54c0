"""Extras are for users and dependency groups for work on the project: nothing else, none unused."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CHECKOUT = Path(__file__).parents[2]


def pyproject() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))
    return found


def test_the_program_names_each_published_extra_and_no_other() -> None:
    """It does so where it lacks one, with the command that installs it."""
    texts = [path.read_text(encoding="utf-8") for path in (CHECKOUT / "analyzer").rglob("*.py")]
    named = set(re.findall(r"pip install 'imds-analyzer\[([a-z-]+)\]'", "".join(texts)))
    assert named == set(pyproject()["project"]["optional-dependencies"])


def test_make_installs_each_dependency_group_and_no_other() -> None:
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    used = set(re.findall(r"\$\(VENV\)/installed-([a-z-]+)", makefile))
    assert used == set(pyproject()["dependency-groups"])
