"""One running Helm for all tests: a start takes longer than rendering."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.helm import Helm


@pytest.fixture(scope="session")
def helm() -> Iterator[Helm]:
    with Helm() as started:
        yield started
