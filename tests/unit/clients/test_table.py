"""A library or package is looked up by its name, and its version judged by its entry."""

from __future__ import annotations

import functools
from typing import Optional

import pytest

from analyzer.clients.entry import ECOSYSTEMS, Client
from analyzer.clients.table import Clients

TABLE = Clients(
    (
        Client("one", "sdk", library=("pypi:Zope.Interface", "cpan:Net::Thing"), needs="1.2"),
        Client("two", "sdk", library=("pypi:zope-interface", "maven:org.x:y"), package=("one",)),
        Client("three", "program", package=("one", "two"), needs="0"),
    )
)


@pytest.mark.parametrize(
    ("ecosystem", "name", "entry"),
    [
        ("pypi", "zope_interface", "one"),
        ("pypi", "ZOPE-INTERFACE", "one"),
        ("cpan", "Net-Thing", "one"),
        ("maven", "org.x:y", "two"),
        ("maven", "org.x:Y", None),
        ("npm", "y", None),
        ("conda", "y", None),
        ("maven", "", None),
    ],
)
def test_a_library_is_found_by_each_spelling_of_its_name(
    ecosystem: str, name: str, entry: Optional[str]
) -> None:
    """Of two entries the first counts; each ecosystem compares names in its own way."""
    found = TABLE.maybe_library(ecosystem, name)
    assert (found and found.name) == entry


def test_a_package_is_found_by_its_name() -> None:
    """Of two entries the first counts."""
    found = TABLE.maybe_package("one")
    assert found is not None
    assert found.name == "two"
    assert TABLE.maybe_package("four") is None


def test_a_library_with_two_lines_has_an_entry_for_each() -> None:
    """Of each line some version is the first that needs no v1."""
    third, second = (
        Client(name, "sdk", library=("gem:aws",), package=("aws",), needs=needs)
        for name, needs in (("3.x", "3.79.0"), ("2.x", "2.11.401"))
    )
    table = Clients((third, second))
    for find in (functools.partial(table.maybe_library, "gem"), table.maybe_package):
        assert find("aws", "2.11.500") is second
        assert find("aws", "3.10") is third
        assert find("aws", "1.0") is find("aws") is find("aws", "unknown") is third


@pytest.mark.parametrize(
    ("entry", "version", "is_below"),
    [
        (0, "1.1.9", True),
        (0, "1.2", False),
        (0, None, None),
        (0, "unknown", None),
        (1, "99", True),
        (2, "0.0.1", False),
    ],
)
def test_a_version_is_judged_by_its_entry(
    entry: int, version: Optional[str], is_below: Optional[bool]
) -> None:
    """Where no version that needs no v1 is known, each does."""
    assert TABLE.entries[entry].maybe_is_below(version) is is_below


@pytest.mark.parametrize("ecosystem", ECOSYSTEMS)
def test_every_ecosystem_compares_names(ecosystem: str) -> None:
    """The one that is written is found."""
    table = Clients((Client("x", "sdk", library=(f"{ecosystem}:a/B_c",)),))
    assert table.maybe_library(ecosystem, "a/B_c") is table.entries[0]
