"""One Chromium for all tests, and the pages that it shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from analyzer.report.formats import FORMATS
from tests.browser import fleets
from tests.browser.accounts import account
from tests.unit import reports

if TYPE_CHECKING:
    from tests.browser.chromium import Browser


HOSTILE = (
    "</script></style><img src=x onerror=\"document.title='owned'\">"
    "<script>document.title='owned'</script>'\"><svg onload=alert(1)>"
    "<link rel=stylesheet href=http://192.0.2.1/a.css>\x1b[2J\u202e\x00\x9b{{7*7}}{% x %}"
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Start Chromium once: that takes longer than a page."""
    from tests.browser.chromium import Browser  # noqa: PLC0415 may not be installed

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
        "fleet-3": fleets.fleet(3, with_roster=False),
        "fleet-40": fleets.fleet(40),
        "fleet-400": fleets.fleet(400),
        "fleet-400-not-safe": fleets.fleet(400, all_not_safe=True),
        "large": reports.large(groups=10_000, hosts=5_000),
        "hostile": reports.hostile(HOSTILE),
        "fleet-hostile": fleets.hostile(HOSTILE),
        "account": account(),
        "account-hostile": account(HOSTILE),
    }
    for name, report in written.items():
        text = FORMATS["html"](report)
        (directory / f"{name}.html").write_text(text, encoding="utf-8")
    return directory
