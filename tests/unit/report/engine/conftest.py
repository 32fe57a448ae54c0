"""Asks DuckDB anew for each question: it is what is tested here."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _reports_share_findings() -> None:
    """Take the place of the fixture that keeps findings."""
