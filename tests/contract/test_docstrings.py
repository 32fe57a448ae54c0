"""Checks that each module says at once what it does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "analyzer"
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.glob("**/*.py"))
# A verb in the third person; these begin a description, not a statement.
NO_VERBS = {"This", "Whose", "Always", "Thus"}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_docstring_begins_with_a_verb(name: str) -> None:
    docstring = ast.get_docstring(ast.parse((PACKAGE / name).read_text()))
    assert docstring is not None
    first = docstring.split()[0]
    assert re.fullmatch("[A-Z][a-z]+s", first), docstring
    assert first not in NO_VERBS
