"""One Chromium for all tests; without one they are skipped, or fail where it is required."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.report.formats import FORMATS
from tests.unit import reports

# Set by `make test-browser`, which installs what is needed: there a skip would hide a failure.
REQUIRED = "browser" in os.environ.get("IMDS_ANALYZER_REQUIRE", "").split()

if not REQUIRED:
    for module in ("selenium", "pypdf", "axe_core_python"):
        pytest.importorskip(module, reason=f"{module} is not installed: make test-browser")

from tests.browser.chromium import Browser, missing  # noqa: E402 needs what is probed above


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Start Chromium once: that takes longer than a page."""
    absent = missing()
    if absent is not None:
        reason = f"{absent} not installed: make test-browser installs it"
        if REQUIRED:
            pytest.fail(reason)
        pytest.skip(reason)
    browser = Browser()
    try:
        yield browser
    finally:
        browser.close()


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the pages that the tests look at."""
    directory = tmp_path_factory.mktemp("pages")
    written = {
        "full": reports.full(),
        "safe": reports.safe(),
        "empty": reports.empty(),
        "large": reports.large(groups=10_000, hosts=5_000),
        "hostile": reports.hostile(
            "</script></style><img src=x onerror=\"document.title='owned'\">"
            "<script>document.title='owned'</script>'\"><svg onload=alert(1)>"
            "<link rel=stylesheet href=http://192.0.2.1/a.css>\x1b[2J\u202e\x00\x9b{{7*7}}{% x %}"
        ),
    }
    for name, report in written.items():
        text = FORMATS["html"](report)
        (directory / f"{name}.html").write_text(text, encoding="utf-8")
    return directory
