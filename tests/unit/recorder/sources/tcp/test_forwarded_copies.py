"""One connection under two addresses is one; two that look alike are two."""

from __future__ import annotations

import pytest

from analyzer.recorder.sources.tcp import forwarded_copies
from analyzer.recorder.sources.tcp.dissect import ACK, PSH, SYN, Key, Segment
from analyzer.recorder.sources.tcp.forwarded_copies import PASSAGE_NS, ForwardedCopies

IMDS = bytes([169, 254, 169, 254])
GUEST = bytes([10, 8, 0, 7]) + IMDS + bytes([161, 18])
HOST = bytes([10, 9, 0, 2]) + IMDS + bytes([195, 81])
IN, OUT = True, False

Seen = tuple[Segment, int, bool]


def _sent(key: Key, sequence: int, flags: int = PSH | ACK) -> Segment:
    return True, key, sequence, 0 if flags == SYN else 77, flags, 0, b"", 0


def _answered(key: Key) -> Segment:
    return False, key, 77, 1, PSH | ACK, 0, b"", 64


def _repeated(*seen: Seen) -> list[bool]:
    known = ForwardedCopies()
    return [
        known.is_repeated(segment, at_ns, comes_in=comes_in) for segment, at_ns, comes_in in seen
    ]


def test_what_goes_out_masqueraded_is_what_came_in() -> None:
    """From its first packet to its last, in both directions."""
    assert _repeated(
        (_sent(GUEST, 5, SYN), 0, IN),
        (_sent(HOST, 5, SYN), 1000, OUT),
        (_answered(HOST), 2000, IN),
        (_answered(GUEST), 2000, OUT),
        (_sent(GUEST, 6), 3000, IN),
        (_sent(HOST, 6), 3000, OUT),
    ) == [False, True, True, False, False, True]


def test_a_connection_joined_on_its_way_is_known_by_its_numbers() -> None:
    """The analyzer was started behind its beginning."""
    assert _repeated((_sent(GUEST, 600), 0, IN), (_sent(HOST, 600), 9, OUT)) == [False, True]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param((_sent(GUEST, 5, SYN), 0, IN), (_sent(GUEST, 5, SYN), 1, OUT), id="routed"),
        pytest.param((_sent(GUEST, 5, SYN), 0, IN), (_sent(HOST, 6, SYN), 1, OUT), id="numbers"),
        pytest.param((_sent(GUEST, 5, SYN), 0, OUT), (_sent(HOST, 5, SYN), 1, OUT), id="own"),
        pytest.param((_sent(GUEST, 5, SYN), 0, IN), (_sent(HOST, 5, SYN), 1, IN), id="both in"),
        pytest.param(
            (_sent(GUEST, 5, SYN), 0, IN), (_sent(HOST, 5, SYN), PASSAGE_NS, OUT), id="later"
        ),
        pytest.param(
            (_sent(GUEST, 5, SYN), 0, IN),
            (_sent(HOST[:4] + bytes(4) + HOST[8:], 5, SYN), 1, OUT),
            id="another server",
        ),
    ],
)
def test_others_are_connections_of_their_own(first: Seen, second: Seen) -> None:
    """What has the same address is told apart by reassembly; see there."""
    assert _repeated(first, second) == [False, False]


def test_a_port_that_is_used_again_is_judged_again() -> None:
    """A connection of the host's own, from the port that a guest's was translated to."""
    assert _repeated(
        (_sent(GUEST, 5, SYN), 0, IN),
        (_sent(HOST, 5, SYN), 1, OUT),
        (_sent(HOST, 5, SYN), 2, OUT),
        (_sent(HOST, 900, SYN), 3, OUT),
        (_sent(HOST, 901), 4, OUT),
    ) == [False, True, True, False, False]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are forgotten: a repeated one then counts as one of its own."""
    monkeypatch.setattr(forwarded_copies, "CONNECTIONS_MAX", 2)
    others = [(_sent(GUEST[:-1] + bytes([port]), port, SYN), 0, IN) for port in (1, 2, 3)]
    assert _repeated(*others, (_sent(HOST, 1, SYN), 1, OUT), (_sent(HOST, 3, SYN), 1, OUT)) == [
        *[False] * 4,
        True,
    ]
