"""A caller in one phrase, whole or as much of it as there is room for."""

from __future__ import annotations

from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from analyzer.logline.who import Who
from analyzer.text import visible


class Symbols(NamedTuple):
    """What is drawn with characters that not every terminal has."""

    arrow: str
    ellipsis: str
    times: str = "x"


def symbols(encoding: str) -> Symbols:
    """Return what a terminal of this encoding can show."""
    is_unicode = encoding.lower().startswith("utf")
    return Symbols(" ← ", "…", "\N{MULTIPLICATION SIGN}") if is_unicode else Symbols(" <- ", "...")


def _chain(actors: tuple[str, ...], symbols: Symbols) -> str:
    return visible(symbols.arrow.join(actors))


def phrase(caller: Who, symbols: Symbols) -> str:
    """Return all that is known of a caller, safe to show."""
    unit = f"unit {caller.unit}" if caller.unit else ""
    parts = (unit, caller.container, caller.user, caller.agent)
    said = [_chain(caller.actors, symbols), *(visible(part) for part in parts if part)]
    return ", ".join(said)


def fitted(caller: Who, symbols: Symbols, room: int) -> str:
    """Return as much of who it was as there is room for: what is told last goes first."""
    # Who called and who made it do so stay longest; where it ran tells the rest.
    without_agent = caller._replace(agent="")
    bare = without_agent._replace(user="")
    placed = bare._replace(unit="") if bare.container else bare
    nearest = placed._replace(actors=placed.actors[:2])
    alone = placed._replace(actors=placed.actors[:1])
    nowhere = nearest._replace(unit="", container="")
    for each in (caller, without_agent, bare, placed, nearest, alone, nowhere):
        said = phrase(each, symbols)
        if cell_len(said) <= room:
            return said
    kept_columns = max(room - cell_len(symbols.ellipsis), 0)
    return set_cell_size(phrase(alone, symbols), kept_columns).rstrip() + symbols.ellipsis
