"""The HTML report in a real browser: Debian's Chromium, without a screen."""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest

# Set by `make test-browser`, which installs what is needed: there a skip would hide a failure.
REQUIRED = "browser" in os.environ.get("IMDS_ANALYZER_REQUIRE", "").split()


def skip_without_browser() -> None:
    """Skip the module that calls this where there is no browser, unless it is required."""
    modules = ("selenium", "pypdf", "axe_core_python")
    absent = [each for each in modules if importlib.util.find_spec(each) is None]
    absent += [each for each in ("chromium", "chromedriver") if shutil.which(each) is None]
    if absent and not REQUIRED:
        reason = f"{', '.join(absent)} not installed: `make test-browser` installs and runs"
        pytest.skip(reason, allow_module_level=True)
