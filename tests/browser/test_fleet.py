"""The page of a fleet in a browser: on a telephone, on paper, and by key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.browser import fleets, skip_without_browser

skip_without_browser()

from selenium.webdriver.common.keys import Keys  # noqa: E402 as the next: may not be installed

from tests.browser.chromium import WIDE, Browser  # noqa: E402

TELEPHONE = (390, 844)
LARGE = (1920, 1080)
PAGES = ("fleet-3", "fleet-40", "fleet-400")
PAGES_MAX = 12
AT_ONCE = 50
# Names whose text is on several lines though there is no separator where it is broken.
BROKEN = r"""
const broken = [];
for (const name of document.querySelectorAll('.name, .id, .tag')) {
  const walker = document.createTreeWalker(name, NodeFilter.SHOW_TEXT);
  let last = null, text = '';
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (let at = 0; at < node.length; at += 1) {
      const character = node.data[at];
      if (/\s/.test(character)) { text += ' '; continue; }
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + 1);
      const box = range.getClientRects()[0];
      if (!box || !box.width) continue;
      if (last !== null && box.top > last + box.height / 2 && !/[\s.\/_:@,;=-]$/.test(text)) {
        broken.push(text + '|' + character);
      }
      last = box.top;
      text += character;
    }
  }
}
return broken;
"""
VISIBLE = (
    "return Array.from(document.querySelectorAll('table.hosts tbody tr'))"
    ".filter((each) => each.offsetParent).map((each) => each.cells[{}].textContent.trim())"
)


def names_and(column: int) -> str:
    """Return the script that returns a column of the rows that are seen."""
    return VISIBLE.replace("{}", str(column))


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("size", [TELEPHONE, WIDE, LARGE])
def test_no_name_is_broken_inside_a_word_and_nothing_is_wider_than_the_window(
    chromium: Browser, pages: Path, name: str, size: tuple[int, int]
) -> None:
    chromium.open(pages / f"{name}.html", size=size)
    chromium.open_all()
    assert chromium.run("return document.documentElement.scrollWidth") <= size[0]
    assert chromium.run("return document.querySelectorAll('.name').length") > 20
    assert chromium.run(BROKEN) == []
    assert chromium.console() == []


def test_a_broken_name_would_be_found(chromium: Browser, pages: Path) -> None:
    """With the rules of a page that breaks anywhere, names are broken."""
    chromium.open(pages / "fleet-40.html", size=TELEPHONE)
    chromium.run(
        "const sheet = document.styleSheets[0];"
        "sheet.insertRule('.name { display: block; width: 3rem }', sheet.cssRules.length);"
        "sheet.insertRule('.name, .name * { white-space: normal !important;"
        " overflow-wrap: anywhere !important }', sheet.cssRules.length)"
    )
    assert chromium.run(BROKEN) != []


def test_hostile_names_of_a_fleet_are_only_text(chromium: Browser, pages: Path) -> None:
    """Groups, owners, instances, decisions, files: none of them is markup or widens the page."""
    file = pages / "fleet-hostile.html"
    chromium.open(file, size=TELEPHONE)
    chromium.open_all()
    assert chromium.requests() == [file.as_uri()]
    assert chromium.console() == []
    assert chromium.run("return document.querySelectorAll('img, iframe, main script').length") == 0
    assert chromium.run("return document.documentElement.scrollWidth") <= TELEPHONE[0]
    text = chromium.run("return document.body.innerText")
    assert text.count("<script>document.title='owned'</script>") > 10
    assert "\x1b[2J\u202e" not in text
    assert "owned" not in chromium.driver.title


def test_hosts_are_not_scrolled_sideways_on_a_telephone(chromium: Browser, pages: Path) -> None:
    """Each row is a card, that says what its numbers are."""
    chromium.open(pages / "fleet-40.html", size=TELEPHONE)
    box = "const box = document.querySelector('table.hosts').parentElement;"
    assert chromium.run(box + "return box.scrollWidth <= box.clientWidth")
    cell = "document.querySelector('table.hosts td[data-label=IMDSv1]')"
    assert "IMDSv1" in chromium.run(f"return getComputedStyle({cell}, '::before').content")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [TELEPHONE, WIDE])
def test_axe_finds_nothing(
    chromium: Browser, pages: Path, scheme: str, size: tuple[int, int]
) -> None:
    """Also with cards instead of rows, and with the buttons that sort."""
    chromium.open(pages / "fleet-40.html", scheme=scheme, size=size)
    chromium.open_all()
    broken, _ = chromium.axe()
    assert broken == {}


@pytest.mark.parametrize("name", ["fleet-400", "fleet-400-not-safe"])
def test_four_hundred_hosts_are_twelve_printed_pages(
    chromium: Browser, pages: Path, name: str
) -> None:
    """Each host is on them, also those that wait behind a button on the screen."""
    chromium.open(pages / f"{name}.html")
    text, number = chromium.printed_pages()
    assert number <= PAGES_MAX
    printed = re.sub(r"\s", "", text)
    assert all(fleets.name(n) in printed for n in range(400))
    assert "Search in the rows" not in text
    assert "Show all" not in text


def test_a_remark_is_said_once(chromium: Browser, pages: Path) -> None:
    """Not in each of four hundred rows; once of the whole, and once of the hosts."""
    chromium.open(pages / "fleet-400.html")
    text = chromium.run("return document.body.textContent")
    for remark in fleets.REMARKS:
        assert text.count(remark.text) == 2
    assert text.count(fleets.GAP.text) == 2


def test_ten_agents_are_told_apart(chromium: Browser, pages: Path) -> None:
    """By unit and program, wherever they are named."""
    chromium.open(pages / "fleet-40.html")
    for selector in ("table.top tbody th", "ol.callers summary .name + .detail"):
        found = f"return Array.from(document.querySelectorAll('{selector}'), "
        names = chromium.run(found + "(each) => each.textContent.trim())")
        assert len(names) == fleets.AGENTS
        assert len(set(names)) == fleets.AGENTS


def test_the_fleet_is_drawn_by_verdict_and_by_group(chromium: Browser, pages: Path) -> None:
    """The drawing says in words what it shows; the tiles have the numbers."""
    chromium.open(pages / "fleet-400.html")
    assert chromium.find("#fleet ul.tiles").text.split("\n") == [
        "58", "NOT SAFE", "57", "NOT ENOUGH EVIDENCE", "285", "SAFE", "3", "without a log",
    ]  # fmt: skip
    labels = chromium.run(
        "return Array.from(document.querySelectorAll('#fleet svg.verdicts'),"
        " (each) => each.getAttribute('aria-label'))"
    )
    assert labels[0] == (
        "Instances by verdict: 58 NOT SAFE, 57 NOT ENOUGH EVIDENCE, 285 SAFE, 3 without a log"
    )
    assert len(labels) == 1 + len(fleets.GROUPS)
    text = chromium.find("#fleet").text
    assert "400 of 403 running instances have a log" in text


def test_what_was_mended_or_accepted_is_shown(chromium: Browser, pages: Path) -> None:
    chromium.open(pages / "fleet-40.html")
    text = chromium.find("#settled").text
    assert "/bin/nightly" in text
    assert "v2 since 2026-11-13" in text
    assert "Jane Doe" in text
    assert "2027-01-31" in text


class TestHosts:
    """The table of hosts."""

    def test_words_and_choices_filter_it(self, chromium: Browser, pages: Path) -> None:
        chromium.open(pages / "fleet-40.html")
        assert len(chromium.run(names_and(0))) == 40
        chromium.run("document.getElementById('host-words').focus()")
        chromium.press("10-0-0-7. NOT")
        (row,) = chromium.run(names_and(0))
        assert row.startswith("ip-10-0-0-7.eu-central-1")
        assert chromium.find("#hosts output").text == "1 of 40 found"
        chromium.press(*[Keys.BACKSPACE] * len("10-0-0-7. NOT"))
        chromium.press(Keys.TAB, "SAFE")
        verdicts = chromium.run(names_and(1))
        assert {each[2:] for each in verdicts} == {"SAFE"}
        assert len(verdicts) == 40 - 6 - 6
        chromium.press(Keys.HOME)
        chromium.press(Keys.TAB, "gaps")
        assert len(chromium.run(names_and(0))) == 6
        chromium.press(Keys.HOME)
        chromium.press(Keys.TAB, "batch")
        assert len(chromium.run(names_and(0))) == 10

    def test_its_heads_sort_it_by_key(self, chromium: Browser, pages: Path) -> None:
        """Numbers from the largest, names as a person counts; again, the other way."""
        chromium.open(pages / "fleet-40.html")
        head = "document.querySelectorAll('table.hosts thead button')"
        place = chromium.run(
            f"return Array.from({head}).findIndex((each) => each.textContent === 'IMDSv1')"
        )
        chromium.run(f"{head}[{place}].focus()")
        for is_reverse in (True, False):
            chromium.press(Keys.ENTER)
            numbers = [int(each.replace(",", "")) for each in chromium.run(names_and(place))]
            assert numbers == sorted(numbers, reverse=is_reverse)
            assert len(set(numbers)) > 6
        assert chromium.run(f"return {head}[{place}].closest('th').ariaSort") == "ascending"
        chromium.run(f"{head}[0].click()")
        names = [each.split(".")[0] for each in chromium.run(names_and(0))]
        assert names == sorted(names, key=lambda each: [int(n) for n in re.findall(r"\d+", each)])
        assert chromium.run("return document.querySelectorAll('th[aria-sort]').length") == 1

    def test_it_is_sorted_without_heads_on_a_telephone(
        self, chromium: Browser, pages: Path
    ) -> None:
        chromium.open(pages / "fleet-40.html", size=TELEPHONE)
        order = "document.getElementById('host-order')"
        chromium.run(f"{order}.focus()")
        chromium.press("IMDSv2")
        value = chromium.run(f"return {order}.selectedOptions[0].textContent")
        assert value == "IMDSv2 ↓"
        first = chromium.run(names_and(0))[0]
        assert first.startswith("ip-10-0-0-39.")
        chromium.press(Keys.HOME)
        assert chromium.run(names_and(0))[0].startswith("ip-10-0-0-0.")

    def test_a_long_table_is_shown_in_part_until_all_is_asked_for(
        self, chromium: Browser, pages: Path
    ) -> None:
        chromium.open(pages / "fleet-400.html")
        assert len(chromium.run(names_and(0))) == AT_ONCE
        button = chromium.find("button.all")
        assert button.text == "Show all 400 hosts"
        chromium.run("document.querySelector('button.all').focus()")
        chromium.press(Keys.ENTER)
        assert len(chromium.run(names_and(0))) == 400
        assert not button.is_displayed()
        focused = "return Array.from(document.activeElement.parentElement.children)"
        assert chromium.run(f"{focused}.indexOf(document.activeElement)") == AT_ONCE

    def test_without_scripts_it_is_a_whole_table(self, chromium: Browser, pages: Path) -> None:
        chromium.open(pages / "fleet-400.html", with_script=False)
        assert len(chromium.run(names_and(0))) == 400
        assert not chromium.find("#hosts .filters").is_displayed()
        assert not chromium.find("button.all").is_displayed()
        assert chromium.run("return document.querySelectorAll('thead button').length") == 0
