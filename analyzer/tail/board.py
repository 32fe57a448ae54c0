"""The callers as a table: who, since when, how often by version, and whether it grows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple, Optional

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from analyzer.tail.callers import TREND_MINUTES, Caller, Callers, Key
from analyzer.tail.phrase import Symbols, fitted, phrase
from analyzer.tail.who import Who
from analyzer.text import visible

_GAP = 2
_WHO_COLUMNS_MIN = 16
_COUNT_COLUMNS_MIN = 3
_VERSIONS = (("v1", "bold red"), ("unknown", "yellow"), ("v2", "green"))
_HEAD_ROWS = 2  # the headings, and the line below the table
_BARS = "▁▂▃▄▅▆▇█"
_PLAIN_BARS = ".:-=+*#@"


class Size(NamedTuple):
    """A terminal's size, in characters."""

    columns: int
    rows: Optional[int]  # None where all callers are shown


class Board:
    """Draws callers. Without a size nothing is cut off."""

    def __init__(self, callers: Callers, symbols: Symbols, *, is_utc: bool) -> None:
        self._callers = callers
        self._symbols = symbols
        self._is_utc = is_utc
        self._bars = _BARS if symbols.ellipsis == "…" else _PLAIN_BARS

    def draw(self, now_s: float, size: Optional[Size]) -> RenderableType:
        """Return the table, with what there is to say below it."""
        ranked = self._callers.ranked()
        times = [self._times(caller, now_s) for _, caller in ranked]
        headings = ["first", "last", *(name for name, _ in _VERSIONS), f"last {TREND_MINUTES} min"]
        room = None if size is None else self._room(size, headings, ranked, times)
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
        table.add_column("caller", no_wrap=True)
        for heading in headings:
            is_count = heading in dict(_VERSIONS)
            table.add_column(heading, no_wrap=True, justify="right" if is_count else "left")
        shown = rows = 0
        for (key, caller), (first, last) in zip(ranked, times):
            cell = self._who(key, room)
            height = cell.plain.count("\n") + 1
            if size is not None and size.rows is not None:
                if rows + height > size.rows - _HEAD_ROWS - 1:
                    break
                rows += height
            table.add_row(cell, first, last, *_counts(caller), self._trend(caller, now_s))
            shown += 1
        return Group(table, self._below(len(ranked) - shown))

    def _room(
        self,
        size: Size,
        headings: Sequence[str],
        ranked: Sequence[tuple[Key, Caller]],
        times: Sequence[tuple[str, str]],
    ) -> int:
        """Return the columns left for who it is."""
        widths = [len(each) for each in headings]
        for (_, caller), moments in zip(ranked, times):
            cells = [*moments, *(str(caller.counts[name]) for name, _ in _VERSIONS)]
            widths[: len(cells)] = [max(at, len(cell)) for at, cell in zip(widths, cells)]
        return max(_WHO_COLUMNS_MIN, size.columns - sum(widths) - _GAP * len(widths) - _GAP)

    def _who(self, key: Key, room: Optional[int]) -> Text:
        """Return the caller; on a terminal with its place on a second row."""
        caller = Who(key.actors, key.unit, key.container, "", "")
        mark = f" ({visible(key.provider)})" if key.provider else ""
        style = "dim" if mark else ""
        if room is None:
            return Text(phrase(caller, self._symbols) + mark, style)
        alone = caller._replace(unit="", container="")
        cell = Text(fitted(alone, self._symbols, max(room - len(mark), 1)) + mark, style)
        place = f"unit {key.unit}" if key.unit and not key.container else key.container
        if place:
            place = fitted(Who((place,), "", "", "", ""), self._symbols, room - 2)
            cell.append(f"\n  {place}", "dim")
        return cell

    def _times(self, caller: Caller, now_s: float) -> tuple[str, str]:
        return self._when(caller.first_s, now_s), self._when(caller.last_s, now_s)

    def _when(self, at_s: Optional[float], now_s: float) -> str:
        if at_s is None:
            return "-"
        at, now = (
            (time.gmtime if self._is_utc else time.localtime)(each) for each in (at_s, now_s)
        )
        is_today = at[:3] == now[:3]
        return time.strftime("%H:%M:%S" if is_today else "%m-%d %H:%M", at)

    def _trend(self, caller: Caller, now_s: float) -> str:
        counts = caller.trend(now_s)
        most = max(counts)
        top = len(self._bars) - 1
        return (
            "".join(self._bars[count * top // most] if count else " " for count in counts).rstrip()
            if most
            else ""
        )

    def _below(self, hidden: int) -> Text:
        callers = self._callers
        counts = ", ".join(f"{callers.total(name)} {name}" for name, _ in _VERSIONS)
        others = callers.others.counts
        notes = {
            "for other clouds": callers.for_other_clouds(),
            "callers more": hidden,
            "callers no longer told apart, with "
            + ", ".join(f"{others[name]} {name}" for name, _ in _VERSIONS): callers.others_folded,
            "not the analyzer's lines": callers.foreign,
        }
        said = [counts, *(f"{count} {note}" for note, count in notes.items() if count)]
        text = Text("; ".join(said), "dim")
        if callers.lost:
            text.append(f"; {callers.lost} events lost", "bold yellow")
        return text


def _counts(caller: Caller) -> list[Text]:
    return [
        Text(str(caller.counts[name] or "-"), style if caller.counts[name] else "dim")
        for name, style in _VERSIONS
    ]
