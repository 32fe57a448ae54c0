"""Checks that each docstring says at once what the module does, or what the thing is."""

from __future__ import annotations

import ast
import gc
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Union

import pytest

PACKAGE = Path(__file__).parents[2] / "analyzer"
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.glob("**/*.py"))
# A verb in the third person; these begin a description, not a statement.
NO_VERBS = {"This", "Whose", "Always", "Thus"}
# They begin a clause that paraphrases a thing and does not name it.
PARAPHRASES = {"What", "How", "Whether", "Who", "Whose", "Where", "When", "Why"} | {
    *("That", "Those", "Of", "By", "On", "We", "Something", "Somebody")
}
# A function's docstring is an order: "Return the ...". A property's names the value: "The ...".
NO_ORDERS = {"The", "A", "An", "It", "Its", "This", "There", "Never", "Always"}

Documented = Union[ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef]


def _is_function(node: Documented) -> bool:
    """Return whether it is called; a property is read, as an attribute is."""
    decorators = (ast.unparse(found) for found in node.decorator_list)
    return not isinstance(node, ast.ClassDef) and not any("property" in name for name in decorators)


def _documented(tree: ast.AST) -> Iterator[Documented]:
    """Yield all classes and functions; expressions, which are most of a tree, have none."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node
        if not isinstance(node, ast.expr):
            yield from _documented(node)


def _wrong(tree: ast.Module) -> Iterator[str]:
    """Yield the docstrings that begin with none of the words that they should begin with."""
    for node in _documented(tree):
        docstring = ast.get_docstring(node)
        if docstring is None:
            continue
        first = docstring.split()[0].rstrip(",")
        if first in PARAPHRASES or (_is_function(node) and first in NO_ORDERS):
            yield f"{node.name}, line {node.lineno}: {docstring.splitlines()[0]}"


@pytest.fixture(autouse=True)
def _no_collections() -> Iterator[None]:
    """Collect no garbage meanwhile: a tree has no cycles, and all of this process is looked at."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("name", MODULES)
def test_docstrings_begin_with_a_verb_or_name_the_thing(name: str) -> None:
    """The module's says what it does; others name the thing, or order the act."""
    tree = ast.parse((PACKAGE / name).read_text(encoding="utf-8"))
    docstring = ast.get_docstring(tree)
    assert docstring is not None
    first = docstring.split()[0]
    assert re.fullmatch("[A-Z][a-z]+s", first), docstring
    assert first not in NO_VERBS
    assert list(_wrong(tree)) == []


@pytest.mark.parametrize(
    "source",
    [
        "class Host:\n    'What one host says.'",
        "class _Hidden:\n    'Whether it is there.'",
        "def call():\n    'The number of calls.'",
        "def call():\n    'Whether it is called.'",
        "async def call():\n    'There is nothing to do.'",
        "class Host:\n    @property\n    def name(self):\n        'How it is called.'",
        "class Host:\n    def name(self):\n        'The name.'",
    ],
)
def test_a_docstring_that_does_neither_is_found(source: str) -> None:
    assert len(list(_wrong(ast.parse(source)))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "class Host:\n    'The lines of one host.'",
        "def call():\n    'Return the number of calls.'",
        "class Host:\n    @functools.cached_property\n    def name(self):\n        'The name.'",
        "def call():\n    return 'What it says.'",
    ],
)
def test_a_docstring_that_does_is_not_found(source: str) -> None:
    assert list(_wrong(ast.parse(source))) == []
