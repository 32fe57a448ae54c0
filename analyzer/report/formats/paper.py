"""Lays out lines for a terminal, and fits blocks of them to a number of rows.

No text in a line can act on the terminal.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

from analyzer.report.formats import selection
from analyzer.text import visible

# More items than a page has rows are not laid out.
ITEMS_MAX = 60
COLUMNS_MAX = 110  # longer lines are hard to read
INDENT = 2
LABEL_COLUMNS = 14
_GAP = 2
# A column that gives way still shows this much of a name.
_FLEXIBLE_MIN = 12
# More of a paragraph than this is no sentence; a list of hosts is, and is asked for whole.
_CHARACTERS_MAX = 1_000
# The lines of an item where the page is too long: tried in this order.
_SHORTER = (3, 2, 1)

Lines = list[Text]


@dataclass(frozen=True)
class Column:
    """A column of a grid. The flexible ones share what the others leave."""

    heading: str
    is_number: bool = False
    is_flexible: bool = False
    gives_way: int = 0  # the highest is left out first where the width is too small; 0 never


@dataclass
class Block:
    """A titled part of a page. ``items`` have one or more lines each.

    Where there are too few rows for all, items are cut to one line, then left out from the end;
    ``where`` says where they are. It has ``least`` rows, or what it needs, unless the
    page is too short for that of all blocks.
    """

    title: Lines = field(default_factory=list)
    items: list[Lines] = field(default_factory=list)
    least: int = 0
    noun: str = "line"
    where: str = ""
    left_out: int = 0  # items that were left out before


class Paper:
    """Makes lines for one console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._columns = console.width  # rich looks each time: a third of a page's time
        self.width = min(self._columns, COLUMNS_MAX)
        self.arrow = "←" if console.encoding.lower().startswith("utf") else "<-"
        self._ellipsis = "…" if self.arrow == "←" else "..."

    def text(self, text: str, style: str = "") -> Text:
        """Return one line that a terminal shows and never acts on."""
        encoding = self._console.encoding
        shown = visible(text).encode(encoding, "backslashreplace").decode(encoding)
        return Text(shown, style, overflow="fold")

    def cell(self, text: str, style: str = "") -> Text:
        """Return the beginning of a text, as far as it may fit one line."""
        return self.text(selection.cut(text, self.width), style)

    def paragraph(
        self,
        text: str,
        style: str = "",
        *,
        mark: str = "",
        indent: int = 0,
        is_hanging: bool = True,
        is_whole: bool = False,
    ) -> Lines:
        """Return a paragraph; lines after the first start below the text, or below its mark."""
        shown = self.text(text if is_whole else selection.cut(text, _CHARACTERS_MAX), style)
        first = self.text(selection.cut(mark, _CHARACTERS_MAX), "" if is_hanging else "bold")
        below = indent + (first.cell_len if is_hanging else 0)
        if not is_hanging:
            shown, first = first.append_text(shown), Text("")
        wrapped = shown.wrap(self._console, max(LABEL_COLUMNS, self.width - below))
        if is_hanging:  # all in one style: nothing else is to be kept of the pieces
            marked = " " * indent + first.plain
            return [
                Text((" " * below if number else marked) + line.plain.rstrip(), style)
                for number, line in enumerate(wrapped)
            ] or [Text("")]
        lines: Lines = []
        for line in wrapped:
            line.rstrip()
            before = Text(" " * below) if lines else Text(" " * indent).append_text(first)
            lines.append(Text("", style).append_text(before).append_text(line))
        return lines or [Text("")]

    def title(self, title: str) -> Lines:
        """Return an empty line and the title."""
        return [Text(""), *self.cut(self.paragraph(title, "bold underline"), 1)]

    def pair(self, left: Text, right: Text) -> Lines:
        """Return two texts at the two edges; below each other where they do not fit."""
        rest = self.width - left.cell_len - right.cell_len
        if rest >= INDENT:
            return [left.append(" " * rest).append_text(right)]
        return [
            *left.wrap(self._console, self.width),
            Text(" " * INDENT).append_text(right),
        ]

    def commands(self, commands: Sequence[str], bounds: selection.Bounds) -> Lines:
        """Return commands to copy: neither wrapped nor cut, but perhaps not all of them."""
        shown = selection.commands(commands, bounds)
        lines = [
            Text(" " * 2 * INDENT).append_text(self.text(line, "cyan"))
            for command in shown.items
            for line in command.split("\n")
        ]
        return lines + self.left_out(shown.left_out, "more command", "--format json")

    def left_out(self, number: int, noun: str, where: str) -> Lines:
        """Say how many were left out, if any."""
        if not number:
            return []
        many = f"{number:,} {noun}{'' if number == 1 else 's'}"
        return self.paragraph(f"{many} left out here; {where} has all.", "dim")

    def grid(self, columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> Lines:
        """Return a row of headings and a line for each row; what is too wide is cut."""
        cells = [[Text(each.heading, "dim") for each in columns], *rows]
        kept = self._kept(columns, cells)
        widths = self._widths(columns, cells, kept)
        return [self._line(columns, row, kept, widths) for row in cells]

    def cut(self, lines: Lines, rows: int) -> Lines:
        """Return the first lines, with an ellipsis where there were more."""
        if len(lines) <= rows:
            return lines
        last = lines[rows - 1].copy()
        last.truncate(max(1, self.width - len(self._ellipsis)), overflow="crop")
        return [*lines[: rows - 1], last.append(self._ellipsis)]

    def rows(self, lines: Sequence[Text]) -> int:
        """Return how many rows of the terminal lines take."""
        return sum(max(1, -(-line.cell_len // self._columns)) for line in lines)

    def fit(self, block: Block, rows: int) -> Lines:
        """Return a block in at most so many rows."""
        whole = self.whole(block)
        if self.rows(whole) <= rows:
            return whole
        for lines_max in _SHORTER:
            short = self.whole(self._short(block, lines_max))
            if self.rows(short) <= rows:
                return short
        room = rows - self.rows(block.title) - 1
        if room < 0:
            return []
        items = [self.cut(item, 1)[0] for item in block.items[:room]]
        number = len(block.items) - len(items) + block.left_out
        more = self.left_out(number, f"more {block.noun}", block.where)
        return [*block.title, *items, *self.cut(more, 1)]

    def whole(self, block: Block) -> Lines:
        """Return all of a block."""
        if not block.items:
            return []
        lines = [line for item in block.items for line in item]
        more = self.left_out(block.left_out, f"more {block.noun}", block.where)
        return [*block.title, *lines, *more]

    def fit_all(self, blocks: Sequence[Block], order: Sequence[Block], rows: int) -> list[Lines]:
        """Return the blocks in at most so many rows; the first of ``order`` gives way first."""
        sizes = {id(each): self.rows(self.whole(each)) for each in blocks}
        over = sum(sizes.values()) - rows
        # First long items become shorter, everywhere; only then are whole items left out, and whole
        # blocks last: together, the least of all is more than a page.
        for lines_max in (*_SHORTER, 0, None):
            for each in order:
                least = 0 if lines_max is None else self._least(each, lines_max)
                gives = max(0, min(over, sizes[id(each)] - least))
                sizes[id(each)] -= gives
                over -= gives
        return [self.fit(each, sizes[id(each)]) for each in blocks]

    def _least(self, block: Block, lines_max: int) -> int:
        if not lines_max:
            return block.least
        return max(block.least, self.rows(self.whole(self._short(block, lines_max))))

    def _short(self, block: Block, lines_max: int) -> Block:
        items = [self.cut(each, lines_max) for each in block.items]
        return dataclasses.replace(block, items=items)

    def _kept(self, columns: Sequence[Column], cells: Sequence[Sequence[Text]]) -> list[int]:
        kept = list(range(len(columns)))
        for place in sorted(kept, key=lambda each: -columns[each].gives_way):
            if columns[place].gives_way and self._rest(columns, cells, kept) < _FLEXIBLE_MIN:
                kept.remove(place)
        return kept

    def _rest(
        self, columns: Sequence[Column], cells: Sequence[Sequence[Text]], kept: Sequence[int]
    ) -> int:
        """Return how much is left for the flexible columns."""
        fixed = [
            max(row[place].cell_len for row in cells)
            for place in kept
            if not columns[place].is_flexible
        ]
        return self.width - sum(fixed) - _GAP * (len(kept) - 1)

    def _widths(
        self, columns: Sequence[Column], cells: Sequence[Sequence[Text]], kept: Sequence[int]
    ) -> dict[int, int]:
        widths = {place: max(row[place].cell_len for row in cells) for place in kept}
        rest = self._rest(columns, cells, kept)
        flexible = [place for place in kept if columns[place].is_flexible]
        # The narrowest takes what it needs, the others share what is left.
        for number, place in enumerate(sorted(flexible, key=widths.__getitem__)):
            widths[place] = max(1, min(widths[place], rest // (len(flexible) - number)))
            rest -= widths[place]
        return widths

    def _line(
        self,
        columns: Sequence[Column],
        row: Sequence[Text],
        kept: Sequence[int],
        widths: dict[int, int],
    ) -> Text:
        line = Text()
        for place in kept:
            cell = row[place].copy()
            if cell.cell_len > widths[place]:
                cell.truncate(max(0, widths[place] - len(self._ellipsis)), overflow="crop")
                cell.append(self._ellipsis)
            rest = " " * (widths[place] - cell.cell_len)
            if columns[place].is_number:
                line.append(rest).append_text(cell)
            else:
                line.append_text(cell).append(rest)
            line.append(" " * _GAP)
        line.rstrip()
        line.truncate(self.width, overflow="crop")
        return line
