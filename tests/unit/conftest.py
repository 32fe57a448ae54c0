"""What several unit tests start from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.metrics import Bench

# A busy machine must not fail a test: what has to be quick is tested for that elsewhere.
settings.register_profile("imds-analyzer", deadline=None)
settings.load_profile("imds-analyzer")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a log is to be; its directory is not there yet."""
    return tmp_path / "log" / "imds.jsonl"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Return metrics that the test starts itself, and their log."""
    bench = Bench(tmp_path / "log")
    try:
        yield bench
    finally:
        bench.close()
