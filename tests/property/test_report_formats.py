"""Whatever text a log holds, each format shows it as text and nothing else."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from html.parser import HTMLParser
from typing import Optional

from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from analyzer.report.formats import FORMATS
from analyzer.report.formats.csv import (
    COLUMNS,
    FORMULA_STARTS,
    OF_THE_ACCOUNT,
    OF_THE_CODE,
    OF_THE_CONTAINERS,
    OF_THE_FIX,
    OF_THE_VERDICT,
    REMARKS,
)
from analyzer.report.formats.markdown_text import BOUNDS
from analyzer.report.formats.selection import cut
from analyzer.text import visible
from tests.unit import report_samples as samples
from tests.unit import reports

# What the formats, their readers and terminals give a meaning to is far likelier to get through
# than random text.
FRAGMENTS = st.sampled_from(
    ["<", ">", "&", '"', "'", "</script>", "<script>", "</style>", "<!--", "-->", "]]>", "<b>",
     "<img src=x>", "javascript:", "&lt;", "&#x3c;", "{{", "}}", "{%", "%}", "{#", "#}", "|", "||",
     "\\", "\\|", "`", "``", "```", "~~~", "*", "**", "_", "__init__", "[a](b)", "![a](b)", "[",
     "]", "# ", "- ", "+", "1. ", "1)", "> ", "---", "===", "\n", "\n\n", "\r\n", "\t", "    ",
     " ", ":", ":smile:", "@user", "#1", "!2", "http://192.0.2.1/", "www.example.com", "a@b.c",
     "=1+1", "+1", "-1", "@A1", ",", ";", "\x00", "\x07", "\x08", "\x1b[2J", "\x1b]0;t\x07",
     "\x7f", "\x9b31m", "\u202e", "\u2066", "\u200b", "\u2028", "\u2029", "\ufeff", "\ud800",
     "\U000e0001", "\u0301", "\u0085", "💾", "界", "=", "a"]
)  # fmt: skip
# An empty text is absent, and not shown at all.
TEXTS = st.one_of(st.text(min_size=1), st.lists(FRAGMENTS, min_size=1, max_size=8).map("".join))
# A report takes some hundredths of a second.
FEWER = settings(max_examples=60)


# What the page itself puts around parts of a name, so that no browser breaks them.
PIECES = ([("class", "kept")], [("class", "long")])


class Skeleton(HTMLParser):
    """The elements of a page, with the names of their attributes, its links, and its text.

    Where a name may be broken depends on its text, and is left out.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, ...]] = []
        self.links: list[str] = []
        self.text: list[str] = []
        self._spans: list[bool] = []  # of each open one, whether it is of a piece of a name
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Optional[str]]]) -> None:
        if tag == "span":
            self._spans.append(attrs in PIECES)
        if tag == "wbr" or (tag == "span" and self._spans[-1]):
            return
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        self.elements.append((tag, *(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag == "span" and self._spans.pop():
            return
        self.elements.append((f"/{tag}",))

    def handle_comment(self, data: str) -> None:
        self.elements.append(("comment", data))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


PLAIN_PAGE = Skeleton(FORMATS["html"](reports.hostile("a")))


@FEWER
@given(TEXTS)
def test_a_page_has_the_same_elements_whatever_its_texts_are(text: str) -> None:
    """No text adds, closes or changes an element or attribute; nothing unseen is in the page."""
    page = FORMATS["html"](reports.hostile(text))
    skeleton = Skeleton(page)
    assert skeleton.elements == PLAIN_PAGE.elements
    assert all(each.startswith(("#", "https://", "data:,")) for each in skeleton.links)
    assert page.replace("\n", "").isprintable()
    assert visible(text) in "".join(skeleton.text)


@FEWER
@given(TEXTS)
def test_a_terminal_gets_nothing_but_printable_text(text: str) -> None:
    """No control character, and nothing that turns the direction."""
    shown = FORMATS["table"](reports.hostile(text))
    assert shown.replace("\n", "").isprintable()


@FEWER
@given(TEXTS)
def test_a_csv_reader_gets_the_texts_back_and_a_spreadsheet_no_formula(text: str) -> None:
    """A cell is the visible text, with an apostrophe before what would be a formula."""
    raw = FORMATS["csv"](reports.hostile(text))
    header, *rows = csv.reader(io.StringIO(raw, newline=""))
    columns = [
        *COLUMNS,
        *OF_THE_VERDICT,
        *OF_THE_CODE,
        *OF_THE_CONTAINERS,
        *OF_THE_ACCOUNT,
        REMARKS,
        *OF_THE_FIX,
    ]
    assert header == columns
    assert len(rows) == 2
    assert raw.count("\n") == 3
    for row in rows:
        assert len(row) == len(header)
        assert not any(each.startswith(FORMULA_STARTS) for each in row)
        for column in ("program", "user_agent"):
            assert row[header.index(column)] in (visible(text), f"'{visible(text)}")


@FEWER
@given(TEXTS)
def test_json_gives_every_text_back_and_is_ascii(text: str) -> None:
    """Also control characters and lone surrogates."""
    raw = FORMATS["json"](reports.hostile(text))
    assert raw.isascii()
    assert raw.replace("\n", "").isprintable()
    document = json.loads(raw)
    caller = document["callers"][0]
    expected = json.loads(json.dumps(text))  # two halves of a surrogate pair become one
    for key in ("program", "launcher", "unit", "place", "user_agent"):
        assert caller[key] == expected
    assert caller["diagnosis"]["client"] == expected
    assert caller["example"]["process"]["args"] == [expected, expected]
    assert document["hosts"][0]["name"] == expected
    assert document["steps"][0]["commands"] == [expected, expected]


PARSER = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")
OURS = {"<code>", "</code>", "<br>"}


def texts_that_are_live(inline: Token) -> list[str]:
    """Return the texts in which a forge looks for addresses, mentions and references."""
    live: list[str] = []
    is_code = False
    for each in inline.children or ():
        if each.type == "html_inline":
            is_code = each.content == "<code>" or (is_code and each.content != "</code>")
        elif each.type in ("text", "text_special") and not is_code:
            live.append(each.content)
    return live


def shown(inline: Token) -> str:
    """Return what a reader sees of a cell."""
    kinds = ("text", "text_special", "code_inline")
    return "".join(each.content for each in inline.children or () if each.type in kinds)


PLAIN_BLOCKS = [each.type for each in PARSER.parse(FORMATS["markdown"](reports.hostile("a")))]


@FEWER
@given(TEXTS.filter(str.strip))
@example("a|b")
@example("a\\|b`")
@example("a\n```\n<b>")
@example("@user")
def test_a_ticket_has_the_same_blocks_whatever_its_texts_are(text: str) -> None:
    """No text becomes markup, a link, a mention, or one more column."""
    raw = FORMATS["markdown"](reports.hostile(text))
    assert all(each.isprintable() or each == "\n" for each in raw)
    tokens = PARSER.parse(raw)
    assert [each.type for each in tokens] == PLAIN_BLOCKS
    for inline in (each for each in tokens if each.type == "inline"):
        kinds = {each.type for each in inline.children or ()}
        assert kinds <= {"text", "text_special", "code_inline", "html_inline",
                         "strong_open", "strong_close"}  # fmt: skip
        for each in inline.children or ():
            assert each.type != "html_inline" or each.content in OURS
        for live in texts_that_are_live(inline):
            assert not any(part in live for part in ("@user", "#1", "!2", "://", "www."))
    cells = [each for each in tokens if each.type == "inline"]
    labels = [shown(each) for each in cells]
    agent = shown(cells[labels.index("User agent") + 1])
    assert agent == cut(visible(text), BOUNDS.text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
PROCESSES = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("pid", "name", "executable", "args", "user"), JSON)
)
LINES = st.fixed_dictionaries(
    {"process": JSON | st.fixed_dictionaries({"ancestors": JSON | st.lists(JSON | PROCESSES)})}
)


@FEWER
@given(LINES)
def test_an_example_of_any_shape_is_shown(line: dict[str, object]) -> None:
    """A line that somebody else wrote has what it likes where processes should be."""
    group = samples.old_botocore(line=line)
    entry = dataclasses.replace(reports.everything()[0], group=group)
    report = reports.report(entries=(entry,))
    for form in FORMATS:
        FORMATS[form](report)
