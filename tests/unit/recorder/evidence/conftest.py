"""A finder of the tests' own: what real ones find is tested by themselves."""

from __future__ import annotations

import sys

import pytest

from analyzer.recorder.evidence import look as look_module
from analyzer.software import finders
from tests.unit.recorder.evidence import finder


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the test's finder alone asked."""
    monkeypatch.setitem(sys.modules, f"analyzer.software.{finder.NAME}", finder)
    monkeypatch.setattr(finders, "NAMES", (finder.NAME,))
    # On a busy machine, what is loaded for the first time takes as much as a look may.
    monkeypatch.setattr(look_module, "CPU_S", 60)
