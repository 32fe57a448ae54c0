"""How a measured figure is printed: what, how much, what it should be, how to repeat it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """One number. ``target`` is empty where there is none."""

    what: str
    value: str
    target: str = ""


class CannotMeasureError(Exception):
    """A measurement could not be made; says what is missing and what to do."""


def show(name: str, title: str, rows: Iterable[Row], options: Sequence[str] = ()) -> None:
    """Print one figure's rows below its title and the command that repeats just it."""
    shown = list(rows)
    width = max((len(row.what) for row in shown), default=0)
    widest = max((len(row.value) for row in shown), default=0)
    print(f"\n{title}")
    print(f"  repeat: {' '.join(['python -m bench', name, *options])}")
    for row in shown:
        target = f"   target: {row.target}" if row.target else ""
        print(f"  {row.what:{width}}  {row.value:{widest}}{target}".rstrip())
    sys.stdout.flush()


def show_table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """Print a table: the first column to the left, the others to the right."""
    cells = [tuple(head), *(tuple(line) for line in lines)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(head))]
    for line in cells:
        first, *others = (
            f"{cell:{width}}" if at == 0 else f"{cell:>{width}}"
            for at, (cell, width) in enumerate(zip(line, widths))
        )
        print("  " + "  ".join([first, *others]).rstrip())
    sys.stdout.flush()


def show_machine() -> None:
    """Print what the figures depend on."""
    load, _, _ = os.getloadavg()
    print(
        f"kernel {platform.release()}, {platform.machine()}, {os.cpu_count()} CPUs, "
        f"Python {platform.python_version()}, load {load:.1f} before the first figure"
    )
    if load > 1:
        print("  other programs use the CPUs: times come out longer than on an idle machine")


def counted(counter: Mapping[str, int]) -> str:
    """Return counts as a figure shows them."""
    return ", ".join(f"{count} {name}" for name, count in sorted(counter.items()))
