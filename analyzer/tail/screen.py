"""Writes to standard output as a person or a pipe sees it."""

from __future__ import annotations

import sys
from typing import BinaryIO, NamedTuple, Optional

from rich.console import Console

from analyzer.errors import AnalyzerError

COLOURS = ("auto", "always", "never")


class Screen(NamedTuple):
    """The output for people; ``out`` is standard output, and so is the console's."""

    out: BinaryIO
    console: Console
    is_terminal: bool
    is_coloured: bool

    @property
    def columns(self) -> Optional[int]:
        """The terminal's width by now; None where nothing needs to be cut off."""
        return self.console.width if self.is_terminal else None

    def write(self, text: str) -> None:
        """Write one line. Raises BrokenPipeError when nobody reads any more."""
        raw = text.rstrip(" ").encode(self.console.encoding, "backslashreplace")
        self.out.write(raw + b"\n")
        self.out.flush()


def open_screen(colour: str) -> Screen:
    """Return standard output; ``colour`` is one of COLOURS. Raises AnalyzerError for none."""
    if sys.stdout is None:
        raise AnalyzerError("standard output is closed: leave it open, or redirect it to a file.")
    is_terminal = sys.stdout.isatty()
    console = Console(
        highlight=False,
        markup=False,
        emoji=False,
        force_terminal=is_terminal,
        color_system="standard" if colour == "always" else "auto" if colour == "auto" else None,
    )
    is_coloured = colour == "always" or (
        is_terminal and not console.no_color and console.color_system is not None
    )
    return Screen(sys.stdout.buffer, console, is_terminal, is_coloured)
