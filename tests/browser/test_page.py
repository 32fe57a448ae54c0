"""The page in a browser: what it loads, how it is used, what a printer gets."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from tests.browser import skip_without_browser

skip_without_browser()

from selenium.webdriver.common.keys import Keys  # noqa: E402 as the next: may not be installed

from tests.browser.chromium import NARROW, WIDE, Browser  # noqa: E402

PAGES = ("full", "safe", "empty", "large", "hostile")


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_loaded_or_complained_of(chromium: Browser, pages: Path, name: str) -> None:
    """The page asks for itself and for nothing else, also with hostile names in every field."""
    file = pages / f"{name}.html"
    chromium.open(file)
    chromium.open_all()
    assert chromium.requests() == [file.as_uri()]
    assert chromium.console() == []


def test_hostile_names_are_only_text(chromium: Browser, pages: Path) -> None:
    """No element, attribute or script of theirs is in the page; what they are is readable."""
    chromium.open(pages / "hostile.html")
    chromium.open_all()
    assert "owned" not in chromium.driver.title
    assert chromium.run("return document.querySelectorAll('img, svg[onload], iframe').length") == 0
    assert chromium.run("return document.querySelectorAll('link').length") == 1
    assert chromium.run("return document.scripts.length") == 1
    text = chromium.run("return document.body.innerText")
    assert r"<script>document.title='owned'</script>" in text
    assert r"\x1b[2J\u202e\x00\x9b{{7*7}}{% x %}" in text
    assert all(each.isprintable() or each in "\n\t" for each in text)
    links = chromium.run("return Array.from(document.links, (each) => each.protocol)")
    assert set(links) <= {"file:", "https:"}


def test_the_policy_stops_what_escaping_would_have_let_through(
    chromium: Browser, pages: Path
) -> None:
    """A script, style or picture that got into the page would not run or load."""
    chromium.open(pages / "full.html")
    chromium.run(
        "document.body.insertAdjacentHTML('beforeend',"
        ' \'<img src="http://192.0.2.1/a.png"><p id=styled style="color: red">a</p>\');'
        "const script = document.createElement('script');"
        "script.textContent = 'document.title = \"owned\"'; document.body.append(script)"
    )
    assert chromium.driver.title != "owned"
    styled = "return getComputedStyle(document.getElementById('styled')).color"
    assert chromium.run(styled) != "rgb(255, 0, 0)"
    assert len([each for each in chromium.console() if "Content Security Policy" in each]) == 3


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("size", [NARROW, WIDE])
def test_no_page_is_wider_than_its_window(
    chromium: Browser, pages: Path, name: str, size: tuple[int, int]
) -> None:
    """Only tables scroll sideways, each in a box of its own, also on a telephone."""
    chromium.open(pages / f"{name}.html", size=size)
    chromium.open_all()
    assert chromium.run("return document.documentElement.scrollWidth") <= size[0]


@pytest.mark.parametrize("name", ["full", "safe", "empty"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(chromium: Browser, pages: Path, name: str, scheme: str) -> None:
    """Contrast, names, landmarks, headings, tables: no rule of axe's is broken."""
    chromium.open(pages / f"{name}.html", scheme=scheme)
    chromium.open_all()
    broken, passes = chromium.axe()
    assert broken == {}
    assert passes > 20


def test_dark_is_dark(chromium: Browser, pages: Path) -> None:
    """The page follows the person's preference."""
    grounds = []
    for scheme in ("light", "dark"):
        chromium.open(pages / "full.html", scheme=scheme)
        grounds.append(chromium.run("return getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(255, 255, 255)", "rgb(17, 22, 27)"]


def test_tab_reaches_all_that_can_be_used_in_the_order_of_the_page(
    chromium: Browser, pages: Path
) -> None:
    """Skip link, sections, filters, every caller; what is closed holds no stop."""
    chromium.open(pages / "full.html")
    stops = chromium.tab_stops(limit=100)
    assert stops[:2] == ["a #main", "a #verdict"]
    wanted = ["input words", "select cause", "select order", "summary caller-1"]
    places = [stops.index(each) for each in wanted]
    assert places == sorted(places)
    assert [each for each in stops if each.startswith("summary caller")] == [
        f"summary caller-{place}" for place in range(1, 7)
    ]


def test_the_skip_link_leads_past_the_sections(chromium: Browser, pages: Path) -> None:
    """It is seen as soon as it has the focus."""
    chromium.open(pages / "full.html")
    chromium.press(Keys.TAB)
    assert chromium.run("return document.activeElement.getBoundingClientRect().left") >= 0
    chromium.press(Keys.ENTER)
    assert chromium.run("return document.activeElement.id") == "main"


def test_the_focus_is_seen(chromium: Browser, pages: Path) -> None:
    """Each stop has an outline."""
    chromium.open(pages / "full.html")
    for _ in range(12):
        chromium.press(Keys.TAB)
        width = chromium.run("return getComputedStyle(document.activeElement).outlineWidth")
        assert width == "3px"


def test_a_caller_opens_by_key(chromium: Browser, pages: Path) -> None:
    """Enter on a caller shows the diagnosis and the process tree; again hides them."""
    chromium.open(pages / "full.html")
    chromium.run("document.querySelector('#caller-5 > summary').focus()")
    chromium.press(Keys.ENTER)
    shown = chromium.find("#caller-5").text
    assert "X-aws-ec2-metadata-token: $TOKEN" in shown
    assert "/bin/bash /opt/deploy/deploy.sh" in shown
    chromium.press(Keys.ENTER)
    assert "$TOKEN" not in chromium.find("#caller-5").text


def test_a_top_caller_leads_to_its_description(chromium: Browser, pages: Path) -> None:
    """Following the link by key opens it and takes the focus there."""
    chromium.open(pages / "full.html")
    chromium.run("document.querySelector('a[href=\"#caller-4\"]').focus()")
    chromium.press(Keys.ENTER)
    chromium.until("return document.querySelector('#caller-4').open")
    assert chromium.run("return document.activeElement.parentElement.id") == "caller-4"


def test_callers_are_filtered_and_sorted_by_key(chromium: Browser, pages: Path) -> None:
    """What is typed must be said of a caller; the number left is said."""
    chromium.open(pages / "full.html")
    visible = (
        "return Array.from(document.querySelectorAll('.callers > li'))"
        ".filter((each) => each.offsetParent).map((each) => each.firstElementChild.id)"
    )
    chromium.run("document.getElementById('words').focus()")
    chromium.press("deploy.sh CURL")
    assert chromium.run(visible) == ["caller-5"]
    assert chromium.find("output").text == "1 of 6 shown"
    chromium.press(*[Keys.BACKSPACE] * len("deploy.sh CURL"))
    assert len(chromium.run(visible)) == 6
    chromium.press(Keys.TAB, "proxy")
    assert chromium.run(visible) == ["caller-2"]
    chromium.press(Keys.HOME)
    chromium.press(Keys.TAB, "last seen")
    assert chromium.run("return document.getElementById('order').value") == "last"
    assert len(chromium.run(visible)) == 6


def test_without_scripts_all_is_there_but_the_filters(chromium: Browser, pages: Path) -> None:
    """The page is whole without its script, and offers nothing that would not work."""
    chromium.open(pages / "full.html", with_script=False)
    assert not chromium.find(".filters").is_displayed()
    chromium.find("#caller-1 > summary").click()
    assert "Upgrade botocore" in chromium.find("#caller-1").text


@pytest.mark.parametrize("with_script", [True, False])
def test_print_shows_what_is_closed_on_screen(
    chromium: Browser, pages: Path, *, with_script: bool
) -> None:
    """Paper cannot be opened: diagnosis, process trees and the numbers are on it."""
    chromium.open(pages / "full.html", with_script=with_script)
    text = chromium.printed()
    assert "NOT SAFE" in text
    assert "pip install --upgrade 'botocore>=1.13.25'" in text
    assert "/usr/sbin/cron -f" in text
    assert "amazon-ssm-agent" in text  # a caller with nothing to do
    assert "2026-11-20 00:00" in text  # of the chart's numbers
    assert "Search in all" not in text
    assert "Skip to the report" not in text


def test_a_chart_has_its_numbers_beside_it(chromium: Browser, pages: Path) -> None:
    """Each drawing is named and described, and the table says the same as the bars."""
    chromium.open(pages / "full.html")
    bars = chromium.run(
        "return Array.from(document.querySelectorAll('#time figure svg'), (each) =>"
        " Array.from(each.querySelectorAll('rect > title'), (title) => title.textContent))"
    )
    rows = chromium.run(
        "return Array.from(document.querySelectorAll('#time tbody tr'), (each) =>"
        " Array.from(each.cells, (cell) => cell.textContent))"
    )
    assert len(bars) == 2
    assert len(rows) == 48
    assert list(itertools.chain(*bars)) == [
        *(f"{start}: {v1}" for start, v1, _ in rows),
        *(f"{start}: {v2}" for start, _, v2 in rows),
    ]
    nameless = chromium.run(
        "return document.querySelectorAll("
        "'svg:not([aria-hidden]):not([role=img]:is([aria-labelledby], [aria-label]))').length"
    )
    assert nameless == 0


def test_a_large_report_is_still_a_page(chromium: Browser, pages: Path) -> None:
    """10,000 callers and 5,000 hosts: quick to load, and what is left out is said."""
    file = pages / "large.html"
    assert file.stat().st_size < 2_000_000
    chromium.open(file)
    timing = json.loads(
        chromium.run("return JSON.stringify(performance.getEntriesByType('navigation')[0])")
    )
    assert timing["domContentLoadedEventEnd"] < 5_000
    text = chromium.run("return document.body.innerText")
    assert "9,400 more callers left out here" in text
    assert "4,500 more hosts left out here" in text
    assert "4,900 more commands left out here" in text
