"""A caller in one phrase, whole or as much of it as there is room for."""

from __future__ import annotations

from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from analyzer.tail.who import Who
from analyzer.text import visible


class Symbols(NamedTuple):
    """What is drawn with characters that not every terminal has."""

    arrow: str
    ellipsis: str


def symbols(encoding: str) -> Symbols:
    """Return what a terminal of this encoding can show."""
    is_unicode = encoding.lower().startswith("utf")
    return Symbols(" ← ", "…") if is_unicode else Symbols(" <- ", "...")


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
    fewer = caller._replace(agent="")
    tries = [caller, fewer, fewer._replace(user="")]
    # Then ancestors in between go: who called, and who is behind it all, stay.
    for kept in range(len(caller.actors) - 1, 1, -1):
        first, last = caller.actors[: kept - 1], caller.actors[-1]
        tries.append(tries[2]._replace(actors=(*first, symbols.ellipsis, last)))
    shortest = tries[2]._replace(actors=caller.actors[:1])
    tries.append(shortest)
    if shortest.container:
        tries.append(shortest._replace(unit=""))
    for each in tries:
        said = phrase(each, symbols)
        if cell_len(said) <= room:
            return said
    said = phrase(tries[-1], symbols)
    return (
        set_cell_size(said, max(room - cell_len(symbols.ellipsis), 0)).rstrip() + symbols.ellipsis
    )
