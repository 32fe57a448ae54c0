"""Write pictures of the report's page, to be looked at: python -m tests.browser DIRECTORY."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from analyzer.report.formats import FORMATS
from analyzer.report.result import Report
from tests.browser.accounts import account
from tests.browser.chromium import LARGE, NARROW, PHONE, WIDE, Browser
from tests.browser.fleets import fleet
from tests.unit import reports

# name of a picture: which page, how wide, in which colours, with what opened
PICTURES = {
    "wide": ("full", WIDE, "light", False),
    "wide-open": ("full", WIDE, "light", True),
    "dark-open": ("full", WIDE, "dark", True),
    "narrow": ("full", NARROW, "light", False),
    "narrow-open": ("full", NARROW, "light", True),
    "safe": ("safe", WIDE, "light", False),
    "empty": ("empty", WIDE, "light", False),
    "fleet": ("fleet", WIDE, "light", False),
    "fleet-dark": ("fleet", WIDE, "dark", False),
    "fleet-narrow": ("fleet", NARROW, "light", False),
    "account": ("account", WIDE, "light", True),
    "account-narrow": ("account", PHONE, "light", True),
    "account-large": ("account", LARGE, "dark", True),
}


MADE: dict[str, Callable[[], Report]] = {"fleet": lambda: fleet(400), "account": account}


def main(directory: Path) -> None:
    """Write each picture and the page that it is of."""
    directory.mkdir(parents=True, exist_ok=True)
    browser = Browser()
    try:
        for name, (page, size, scheme, is_open) in PICTURES.items():
            file = (directory / f"{page}.html").absolute()
            report = MADE[page]() if page in MADE else getattr(reports, page)()
            file.write_text(FORMATS["html"](report), encoding="utf-8")
            browser.open(file, size=size, scheme=scheme)
            if is_open:
                browser.run(
                    "for (const each of document.querySelectorAll('.caller, #account details'))"
                    " each.open = true"
                )
            browser.picture(directory / f"{name}.png")
    finally:
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
