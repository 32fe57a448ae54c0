"""Shows callers as a table: who, since when, how often by version, and whether it grows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple, Optional

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from analyzer.tail.callers import TREND_MINUTES, CallerCounts, CallerKey, Callers, Who
from analyzer.tail.layout import Symbols, cut_to, fitted, phrase
from analyzer.text import visible

_GAP = 2
_WHO_COLUMNS_MIN = 20
_VERSIONS = (("v1", "bold red"), ("unknown", "yellow"), ("v2", "green"))
_OTHER_ROWS = 3  # the headings, and what stands below the table, which may need two
_FIRST_TO_GO = (f"{TREND_MINUTES} min", "first", "last")
_BARS = "▁▂▃▄▅▆▇█"
_PLAIN_BARS = ".:-=+*#@"


class Size(NamedTuple):
    """A terminal's size, in characters."""

    columns: int
    rows: Optional[int]  # None where all callers are shown


class _Column(NamedTuple):
    heading: str
    cells: list[Text]
    width: int
    is_count: bool = False


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
        columns = [self._moments("first", [each.first_s for _, each in ranked], now_s)]
        columns.append(self._moments("last", [each.last_s for _, each in ranked], now_s))
        columns += [_counts(name, style, ranked) for name, style in _VERSIONS]
        trends = [Text(self._trend(each, now_s)) for _, each in ranked]
        columns.append(_Column(f"{TREND_MINUTES} min", trends, TREND_MINUTES))
        room = None if size is None else _make_room(size.columns, columns)
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
        table.add_column("caller", no_wrap=True)
        for column in columns:
            table.add_column(
                column.heading, no_wrap=True, justify="right" if column.is_count else "left"
            )
        shown = rows = 0
        for (key, caller), *cells in zip(ranked, *(column.cells for column in columns)):
            who = self._who(caller.who, key.provider, room)
            self._add_code(who, self._callers.code(key), room)
            rows += who.plain.count("\n") + 1
            if size is not None and size.rows is not None and rows > size.rows - _OTHER_ROWS:
                break
            table.add_row(who, *cells)
            shown += 1
        return Group(table, self._below(len(ranked) - shown))

    def _moments(self, heading: str, at: list[Optional[float]], now_s: float) -> _Column:
        cells = [Text(self._when(each, now_s)) for each in at]
        return _Column(heading, cells, max([len(heading), *(len(each) for each in cells)]))

    def _who(self, caller: Who, provider: str, room: Optional[int]) -> Text:
        """Return the caller; on a terminal with its place on a second row."""
        mark = f" ({visible(provider)})" if provider else ""
        style = "dim" if mark else ""
        if room is None:
            return Text(phrase(caller, self._symbols) + mark, style)
        alone = caller._replace(unit="", container="")
        cell = Text(fitted(alone, self._symbols, max(room - len(mark), 1)) + mark, style)
        place = caller.container or (f"unit {caller.unit}" if caller.unit else "")
        if place:
            place = fitted(Who((place,)), self._symbols, room - 2)
            cell.append(f"\n  {place}", "dim")
        return cell

    def _add_code(self, cell: Text, code: str, room: Optional[int]) -> None:
        """Add a row beneath a caller with what is known of its code."""
        if code:
            code = f"code: {visible(code)}"
            if room is not None:
                code = cut_to(code, self._symbols, room - 2)
            cell.append(f"\n  {code}", "dim")

    def _when(self, at_s: Optional[float], now_s: float) -> str:
        if at_s is None:
            return "-"
        at, now = (
            (time.gmtime if self._is_utc else time.localtime)(each) for each in (at_s, now_s)
        )
        is_today = at[:3] == now[:3]
        return time.strftime("%H:%M:%S" if is_today else "%m-%d %H:%M", at)

    def _trend(self, caller: CallerCounts, now_s: float) -> str:
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
        others = callers.others
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


def _counts(name: str, style: str, ranked: Sequence[tuple[CallerKey, CallerCounts]]) -> _Column:
    counts = [caller.counts[name] for _, caller in ranked]
    cells = [Text(str(count or "-"), style if count else "dim") for count in counts]
    return _Column(name, cells, max([len(name), *map(len, cells)]), is_count=True)


def _make_room(available: int, columns: list[_Column]) -> int:
    """Return how wide a caller's name may be; columns go where that would be too little."""
    while True:
        room = available - sum(column.width + _GAP for column in columns) - _GAP
        gone = next((each for each in _FIRST_TO_GO if each in _headings(columns)), None)
        if room >= _WHO_COLUMNS_MIN or gone is None:
            return max(room, _WHO_COLUMNS_MIN)
        del columns[_headings(columns).index(gone)]


def _headings(columns: Sequence[_Column]) -> list[str]:
    return [column.heading for column in columns]
