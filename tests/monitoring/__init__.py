"""The dashboard, alerts and shippers of deploy/monitoring, with the programs that read them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
MONITORING = REPOSITORY / "deploy" / "monitoring"
# Set by `make test-monitoring`, which installs what Debian and npm have: there a skip would hide a
# failure. A shipper that is no package of theirs is required by its own name, such as "fluent-bit".
REQUIRED = os.environ.get("IMDS_ANALYZER_REQUIRE", "").split()


def skip_without(*programs: str, required_as: str = "monitoring") -> None:
    """Skip the module that calls this if a program is missing, unless it is required."""
    absent = [each for each in programs if shutil.which(each) is None]
    if absent and required_as not in REQUIRED:
        reason = f"{', '.join(absent)} not installed: see `make test-monitoring`"
        pytest.skip(reason, allow_module_level=True)
