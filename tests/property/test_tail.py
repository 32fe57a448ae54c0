"""Nothing that a client, or anybody who writes to the log, chooses acts on a terminal."""

from __future__ import annotations

import io
import re

from hypothesis import given
from hypothesis import strategies as st

from analyzer.tail.board import Board, Size
from analyzer.tail.callers import Callers
from analyzer.tail.filters import Filters
from analyzer.tail.layout import symbols
from analyzer.tail.views import Summary
from tests.unit.tail_lines import encoded, golden, screen, shown

# What terminals act on, or show elsewhere than it stands: escape sequences in both forms, C1
# controls, carriage returns, bidirectional overrides, zero-width and line separators.
FRAGMENTS = st.sampled_from(
    ["\x1b[2J", "\x1b]0;x\x07", "\x1b]52;c;eA==\x1b\\", "\x9b31m", "\x90q\x9c", "\r", "\n", "\t",
     "\b", "\x7f", "\0", "\u202e", "\u2066", "\u200b", "\ufeff", "\u2028", "\u0085", "\ud800",
     "\\x1b[2J", "[bold red]", "v2", " ", "備", "e\u0301", "\U0001f4be", "/", "x"]
)  # fmt: skip
TEXTS = st.one_of(st.text(), st.lists(FRAGMENTS, max_size=8).map("".join))
OURS = re.compile(r"\x1b\[[0-9;]*m")
COLUMNS = st.one_of(st.none(), st.integers(1, 250))


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Return a line with such texts wherever a text can stand."""
    fields = golden("from-a-kubernetes-pod")
    fields["event"] = draw(st.one_of(st.just("imds_request"), TEXTS))
    for name in ("version", "operation", "reason", "provider", "outcome"):
        fields["imds"][name] = draw(st.one_of(st.just(fields["imds"][name]), TEXTS))
    fields["imds"]["token_request"] = {"outcome": draw(TEXTS)}
    fields["http"]["request"]["method"] = draw(TEXTS)
    fields["url"] = {"path": draw(TEXTS), "query": draw(TEXTS)}
    fields["user_agent"]["original"] = draw(TEXTS)
    for process in (fields["process"], *fields["process"]["ancestors"]):
        process["name"] = draw(TEXTS)
        process["executable"] = draw(st.sampled_from(["/usr/bin/dash", process["name"]]))
        process["args"] = [draw(st.sampled_from(["sh", "x"])), draw(TEXTS)]
        process["user"] = {"id": draw(TEXTS), "name": draw(TEXTS)}
    fields["container"] = {"id": draw(TEXTS), "runtime": draw(TEXTS)}
    fields["orchestrator"]["resource"] = {"type": draw(TEXTS), "id": draw(TEXTS)}
    fields["service"]["name"] = draw(TEXTS)
    fields.update(reason=draw(TEXTS), since=draw(TEXTS), timestamp=draw(TEXTS))
    return encoded(fields)


@given(st.one_of(lines(), st.binary()), COLUMNS)
def test_a_row_holds_nothing_that_acts(line: bytes, columns: int) -> None:
    """Without colours all of it is printable, with them all but the colours."""
    for is_coloured in (False, True):
        said = shown(line, columns=columns, is_coloured=is_coloured)
        plain = OURS.sub("", said) if is_coloured else said
        assert all(row.isprintable() for row in plain.removesuffix("\n").split("\n"))
        assert plain.count("\n") <= 2  # the day's row, and its own


@given(st.lists(st.one_of(lines(), st.binary()), max_size=3), COLUMNS)
def test_a_table_holds_nothing_that_acts(written: list[bytes], columns: int) -> None:
    """The same of callers."""
    callers = Callers()
    there = screen(columns)
    board = Board(callers, symbols("utf-8"), is_utc=True)
    summary = Summary(there, board, callers, Filters(), follow=False)
    for each in written:
        summary.show(each)
    summary.close()
    assert isinstance(there.out, io.BytesIO)
    said = there.out.getvalue().decode()
    assert all(row.isprintable() for row in said.removesuffix("\n").split("\n"))
    board.draw(0.0, Size(columns or 80, 5))
