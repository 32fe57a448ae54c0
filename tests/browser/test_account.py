"""The page of accounts in a browser: sets of instances, on a telephone and on a large screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser import skip_without_browser

skip_without_browser()

from tests.browser.chromium import LARGE, PHONE, WIDE, Browser  # noqa: E402 may not be installed


@pytest.mark.parametrize("name", ["account", "account-hostile"])
@pytest.mark.parametrize("size", [PHONE, WIDE, LARGE])
def test_nothing_is_wider_than_the_window(
    chromium: Browser, pages: Path, name: str, size: tuple[int, int]
) -> None:
    file = pages / f"{name}.html"
    chromium.open(file, size=size)
    chromium.open_all()
    assert chromium.run("return document.documentElement.scrollWidth") <= size[0]
    assert chromium.console() == []
    assert chromium.requests() == [file.as_uri()]
    assert "owned" not in chromium.driver.title


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, WIDE])
def test_axe_finds_nothing(
    chromium: Browser, pages: Path, scheme: str, size: tuple[int, int]
) -> None:
    chromium.open(pages / "account.html", scheme=scheme, size=size)
    chromium.open_all()
    broken, _ = chromium.axe()
    assert broken == {}


def test_each_set_is_a_link_to_its_instances(chromium: Browser, pages: Path) -> None:
    chromium.open(pages / "account.html")
    links = "Array.from(document.querySelectorAll('#account th a'))"
    assert chromium.run(f"return {links}.length") == 9
    missing = f"{links}.filter((each) => !document.querySelector(each.getAttribute('href')))"
    assert chromium.run(f"return {missing}.length") == 0
    rows = "return document.querySelectorAll('#set-v1_unwatched tbody tr').length"
    assert chromium.run(rows) == 12
