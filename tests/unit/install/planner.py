"""Answers for ``python -m analyzer.service_plan`` in one process: install.sh asks eight times."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tests import preloaded

# Where the fakes find it. tests/packaging starts real processes.
VARIABLE = "IMDS_ANALYZER_TEST_PLANNER"
ASK = preloaded.ask(f"${VARIABLE}")
_MODULES = ("config.file", "service_plan.stages", "service_plan.whole")


@contextlib.contextmanager
def planner(place: Path) -> Iterator[None]:
    """Run it in a directory."""
    with preloaded.preloaded(place, *(f"analyzer.{name}" for name in _MODULES)):
        os.environ[VARIABLE] = str(place)
        try:
            yield
        finally:
            del os.environ[VARIABLE]
