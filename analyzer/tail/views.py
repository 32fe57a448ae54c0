"""Shows lines as rows, as they are, or as a table of callers."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Sequence
from typing import Optional, Protocol

from rich.color import ColorSystem
from rich.console import Console
from rich.live import Live

from analyzer.logline.line import Line, parse
from analyzer.tail.board import Board, Size
from analyzer.tail.callers import Callers
from analyzer.tail.filters import Filters, is_routine
from analyzer.tail.layout import Layout, StyledText
from analyzer.tail.screen import Screen

# A table in a pipe is as wide as it has to be.
_UNBOUNDED_COLUMNS = 4096
_REDRAW_S = 1.0


class View(Protocol):
    """Shows lines. Raises BrokenPipeError when nobody sees them any more."""

    @property
    def foreign(self) -> int:
        """Lines that are not the analyzer's."""
        ...

    def wants(self, raw: bytes) -> bool:
        """Tell whether a line would be shown."""
        ...

    def show(self, raw: bytes) -> None:
        """Take one line."""
        ...

    def tick(self) -> None:
        """Look after the screen, several times a second."""
        ...

    def close(self) -> None:
        """Show what is left to show."""
        ...


class Rows:
    """A row for each line that is asked for."""

    def __init__(
        self, screen: Screen, layout: Layout, filters: Filters, *, with_routine: bool
    ) -> None:
        self.foreign = 0
        self._screen = screen
        self._layout = layout
        self._filters = filters
        self._colours = ColorSystem.STANDARD if screen.is_coloured else None
        self._with_routine = with_routine
        self.tick()

    def wants(self, raw: bytes) -> bool:
        """Tell whether a line would be shown; one that is not the analyzer's always is."""
        line = parse(raw)
        return line is None or self._takes(line)

    def show(self, raw: bytes) -> None:
        """Write one row."""
        line = parse(raw)
        if line is None:
            self.foreign += 1
            self._write(self._layout.foreign(raw))
        elif self._takes(line):
            for row in self._layout.rows(line):
                self._write(row)

    def tick(self) -> None:
        """See how wide the terminal is by now."""
        self._layout.columns = self._screen.columns

    def close(self) -> None:
        """Do nothing: nothing is left to show."""

    def _takes(self, line: Line) -> bool:
        return self._filters.takes(line) and (self._with_routine or not is_routine(line))

    def _write(self, row: Sequence[StyledText]) -> None:
        self._screen.write(
            "".join(each.style.render(each.text, color_system=self._colours) for each in row)
        )


class Lines:
    """The lines that are asked for, byte for byte.

    The analyzer's lines hold nothing that acts on a terminal, but others may write to the file: on
    a terminal it is escaped as JSON does that.
    """

    def __init__(self, screen: Screen, filters: Filters) -> None:
        self.foreign = 0
        self._out = screen.out
        self._is_terminal = screen.is_terminal
        self._filters = filters

    def wants(self, raw: bytes) -> bool:
        """Tell whether a line would be passed on."""
        line = parse(raw)
        return line is not None and self._filters.takes(line)

    def show(self, raw: bytes) -> None:
        """Pass on one line, if it is one of the analyzer's."""
        line = parse(raw)
        if line is None:
            self.foreign += 1
        elif self._filters.takes(line):
            self._out.write((_inert(raw) if self._is_terminal else raw) + b"\n")
            self._out.flush()

    def tick(self) -> None:
        """Do nothing: there is no screen to update."""

    def close(self) -> None:
        """Do nothing: nothing is left to show."""


class Summary:
    """A table of callers: on a terminal kept up to date, and written once at the end."""

    def __init__(
        self, screen: Screen, board: Board, callers: Callers, filters: Filters, *, follow: bool
    ) -> None:
        self._screen = screen
        self._board = board
        self._callers = callers
        self._filters = filters
        self._follow = follow
        self._drawn_s = 0.0
        self._live: Optional[Live] = None

    @property
    def foreign(self) -> int:
        """Lines that are not the analyzer's."""
        return self._callers.foreign

    def wants(self, raw: bytes) -> bool:
        """Tell whether a line would be counted."""
        line = parse(raw)
        return line is not None and self._filters.takes(line) and not is_routine(line)

    def show(self, raw: bytes) -> None:
        """Count one line."""
        line = parse(raw)
        if line is None:
            self._callers.foreign += 1
        elif self._filters.takes(line):
            self._callers.add(line)

    def tick(self) -> None:
        """Draw the table anew, once a second."""
        now_s = time.monotonic()
        if not (self._follow and self._screen.is_terminal) or now_s - self._drawn_s < _REDRAW_S:
            return
        self._drawn_s = now_s
        console = self._screen.console
        if self._live is None:
            self._live = Live(console=console, screen=True, auto_refresh=False)
            self._live.start()
        self._live.update(
            self._board.draw(time.time(), Size(console.width, console.height)), refresh=True
        )

    def close(self) -> None:
        """Write the table as it is in the end."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        columns = self._screen.columns
        console = Console(
            file=io.StringIO(),
            width=columns or _UNBOUNDED_COLUMNS,
            force_terminal=self._screen.is_coloured,
            color_system="standard" if self._screen.is_coloured else None,
        )
        now_s = time.time() if self._follow else self._callers.newest_s or time.time()
        with console.capture() as captured:
            console.print(self._board.draw(now_s, None if columns is None else Size(columns, None)))
        for row in captured.get().splitlines():
            self._screen.write(row)


def _inert(raw: bytes) -> bytes:
    """Escape in a JSON document what a terminal acts on; control characters are only spaces."""
    return "".join(
        each if each.isprintable() else " " if each < " " else json.dumps(each)[1:-1]
        for each in raw.decode()
    ).encode()
