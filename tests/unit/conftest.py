"""What several unit tests start from."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.metrics import Bench

# A busy machine must not fail a test: what has to be quick is tested for that elsewhere.
settings.register_profile("imds-analyzer", deadline=None)
settings.load_profile("imds-analyzer")


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Count nothing in tests marked ``no_cover``, in workers too.

    A worker of pytest-xdist has two counters; pytest-cov stops the upper, which starts the lower.
    """
    if item.get_closest_marker("no_cover") is None:
        return (yield)
    counter = sys.gettrace()
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(counter)


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
