"""Every library that the table of clients names is one that the finders report."""

from __future__ import annotations

import pytest

from analyzer.clients.entry import library_key
from analyzer.clients.reading import BUILT_IN, read_entries
from analyzer.software import interesting, wanted

LIBRARIES = sorted({name for entry in read_entries(BUILT_IN)[0] for name in entry.library})
REPORTED = {
    "maven": interesting.MAVEN,
    "go": interesting.GOLANG,
    "cargo": interesting.CARGO,
    "nuget": interesting.NUGET,
    "pypi": tuple(wanted.PYPI),
    "npm": tuple(wanted.NPM),
    "gem": tuple(wanted.GEM),
    "composer": tuple(wanted.COMPOSER),
    "cpan": tuple(wanted.CPAN),
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_known_library_is_reported(library: str) -> None:
    """Else its entry would never be used."""
    ecosystem, name = library.split(":", 1)
    assert library_key(ecosystem, name) is not None
    assert interesting.maybe_rank(name, REPORTED[ecosystem]) is not None
