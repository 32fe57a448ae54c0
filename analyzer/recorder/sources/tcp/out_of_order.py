"""Buffers out-of-order TCP data until the gap is filled, up to a limit."""

from __future__ import annotations

from typing import NamedTuple, Optional


class Piece(NamedTuple):
    """Bytes of a stream from position ``begin`` to ``end``, as one segment brought them.

    ``data`` is shorter than that where the capture cut it. ``acknowledgment`` is the segment's,
    None where it has none.
    """

    begin: int
    end: int
    data: bytes
    at_ns: int
    acknowledgment: Optional[int]


# What a piece takes in memory, besides its bytes.
PIECE_BYTES = 200


class Held:
    """The pieces of one stream, in order and without overlap: of each byte the first copy."""

    __slots__ = ("cost", "pieces")

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.cost = 0  # bytes of memory

    def add(self, new: Piece) -> Optional[int]:
        """Take the parts of a piece that are not held yet.

        Returns the first position for which it has another byte than what is held.
        """
        fresh: list[Piece] = []
        begin = new.begin
        conflict = None
        for each in self.pieces:
            if each.end <= begin:
                continue
            if each.begin >= new.end:
                break
            if conflict is None:
                conflict = _maybe_conflict(each, new)
            if begin < each.begin:
                fresh.append(part(new, begin, each.begin))
            begin = each.end
        if begin < new.end:
            fresh.append(part(new, begin, new.end))
        self.cost += sum(PIECE_BYTES + len(each.data) for each in fresh)
        self.pieces = sorted(self.pieces + fresh)
        return conflict

    def take(self, position: int) -> list[Piece]:
        """Return the pieces that follow on a position without a hole, and forget them.

        What lies before the position is forgotten, too.
        """
        taken: list[Piece] = []
        count = 0
        for each in self.pieces:
            if each.begin > position:
                break
            count += 1
            if each.end > position:
                taken.append(part(each, position, each.end))
                position = each.end
        self.cost -= sum(PIECE_BYTES + len(each.data) for each in self.pieces[:count])
        del self.pieces[:count]
        return taken


# For all of whom nothing is held: add nothing to it.
NOTHING = Held()


def _maybe_conflict(one: Piece, other: Piece) -> Optional[int]:
    """Return the first position for which two pieces have different bytes."""
    begin = max(one.begin, other.begin)
    # What a capture has cut off cannot be compared.
    pairs = zip(one.data[begin - one.begin :], other.data[begin - other.begin :])
    for position, (byte, another) in enumerate(pairs, begin):
        if byte != another:
            return position
    return None


def part(piece: Piece, begin: int, end: int) -> Piece:
    """Return what lies between two positions of a piece."""
    if begin == piece.begin and end == piece.end:
        return piece
    data = piece.data[begin - piece.begin : end - piece.begin]
    return piece._replace(begin=begin, end=end, data=data)
