"""What runs the analyzer in clusters: the Helm chart and the ECS task definition."""

from __future__ import annotations

import importlib.util
import os

import pytest

# Set by `make test-chart`, which installs what is needed: there a skip would hide a failure.
REQUIRED = "chart" in os.environ.get("IMDS_ANALYZER_REQUIRE", "").split()


def skip_without(*modules: str) -> None:
    """Skip the module that calls this where a module is not installed, unless it is required."""
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    if absent and not REQUIRED:
        reason = f"{', '.join(absent)} not installed: `make test-chart` installs and runs"
        pytest.skip(reason, allow_module_level=True)
