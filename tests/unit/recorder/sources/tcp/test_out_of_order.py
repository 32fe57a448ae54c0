"""Pieces of a stream that are held until what is before them has come."""

from __future__ import annotations

from analyzer.recorder.sources.tcp.out_of_order import PIECE_BYTES, Held, Piece


def piece(begin: int, data: bytes) -> Piece:
    return Piece(begin, begin + len(data), data, 1, None)


def test_what_lies_before_the_position_is_forgotten() -> None:
    """It is not told twice, and takes no memory any more."""
    held = Held()
    for each in (piece(0, b"abc"), piece(3, b"def"), piece(8, b"xyz")):
        assert held.add(each) is None
    assert held.take(4) == [piece(4, b"ef")]
    assert held.pieces == [piece(8, b"xyz")]
    assert held.cost == PIECE_BYTES + 3


def test_of_each_byte_the_first_copy_is_held() -> None:
    """The first other byte is told; what a capture has cut off cannot be compared."""
    held = Held()
    held.add(piece(2, b"cd"))
    assert held.add(Piece(0, 6, b"abcX", 1, None)) == 3
    assert held.add(Piece(2, 4, b"", 1, None)) is None
    assert b"".join(each.data for each in held.take(0)) == b"abcd"
