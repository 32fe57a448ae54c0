"""However bytes are cut up, reordered and repeated, each has the sender who sent it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.recorder.source_events import Chunk, Problem
from analyzer.recorder.sources.probe.segments import NO_CALL, Segment, SegmentCall, SegmentSender
from analyzer.recorder.sources.probe.witness import MAX_SENDERS, Witnesses
from tests.sends import connection, pid_of, snapshot

LENGTH = 200
STREAM = bytes(range(LENGTH))

Cuts = list[tuple[int, int]]


@st.composite
def senders(draw: st.DrawFn) -> list[int]:
    """Return where each of several senders begins; the first at the beginning."""
    places = st.integers(1, LENGTH - 1)
    return [0, *sorted(draw(st.sets(places, max_size=MAX_SENDERS - 1)))]


@st.composite
def cuts(draw: st.DrawFn) -> Cuts:
    """Return pieces of the stream in any order, some of them several times."""
    at = sorted(draw(st.sets(st.integers(1, LENGTH - 1), max_size=8)))
    pieces = list(zip([0, *at], [*at, LENGTH]))
    repeated = draw(st.lists(st.sampled_from(pieces), max_size=4))
    return draw(st.permutations(pieces + repeated))


def _segment(start: int, begin: int, end: int, urgent: int, call: SegmentCall = NO_CALL) -> Segment:
    sequence = (start + begin) % 2**32
    return Segment(
        1, connection(), sequence, begin, end - begin, STREAM[begin:end], None,
        urgent, 77, is_changeable=False, call=call,
    )  # fmt: skip


def _all_noted(start: int, begins: list[int]) -> Witnesses:
    witnesses = Witnesses()
    for pid, begin in enumerate(begins, 1):
        sequence = (start + begin) % 2**32
        note = SegmentSender(connection().socket_id, sequence, pid, snapshot(pid), is_other=False)
        assert witnesses.join(note) == ()
    return witnesses


def _sent(start: int, witnesses: Witnesses, segment: Segment) -> dict[int, tuple[int, int]]:
    """Return of each byte's position its value, -1 for a missing one, and its sender."""
    found: dict[int, tuple[int, int]] = {}
    for chunk in witnesses.join(segment):
        assert isinstance(chunk, Chunk)
        assert (chunk.problem is None) == (len(chunk.data) == chunk.size)
        pid = pid_of(chunk.snapshot)
        for number in range(chunk.size):
            assert chunk.sequence is not None
            position = (chunk.sequence + number - start) % 2**32
            assert position not in found
            found[position] = (chunk.data[number] if number < len(chunk.data) else -1, pid)
    return found


def _reference(begins: list[int], position: int) -> int:
    return sum(begin <= position for begin in begins)


@settings(max_examples=200, deadline=None)
@given(senders(), cuts(), st.integers(0, 2**32 - 1), st.integers(0, LENGTH))
def test_bytes_in_order_have_their_sender(
    begins: list[int], pieces: Cuts, start: int, urgent: int
) -> None:
    """Each byte once, with the latest sender at or before it; an urgent one is missing."""
    witnesses = _all_noted(start, begins)
    for begin, end in sorted(set(pieces)):
        pointer = urgent - begin if urgent > begin else 0
        found = _sent(start, witnesses, _segment(start, begin, end, pointer))
        expected = {
            position: (
                -1 if position == urgent - 1 else STREAM[position],
                _reference(begins, position),
            )
            for position in range(begin, end)
        }
        assert found == expected


@settings(max_examples=200, deadline=None)
@given(senders(), cuts(), st.integers(0, 2**32 - 1))
def test_bytes_in_any_order_have_their_sender_or_none(
    begins: list[int], pieces: Cuts, start: int
) -> None:
    """What comes again after a later one's bytes may have lost its own, never found another."""
    witnesses = _all_noted(start, begins)
    for begin, end in pieces:
        found = _sent(start, witnesses, _segment(start, begin, end, 0))
        assert sorted(found) == list(range(begin, end))
        for position, (byte, pid) in found.items():
            assert byte == STREAM[position]
            assert pid in (0, _reference(begins, position))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(1, 20)), max_size=9),
    st.integers(0, 2**32 - 1),
)
def test_calls_in_segments_say_what_a_sender_for_each_call_says(
    calls: list[tuple[int, int, int]], start: int
) -> None:
    """Only a change of the process is told; of what a call offers, less may go out."""
    each, changes = Witnesses(), Witnesses()
    position, latest, told_ns = 0, 0, 0
    for pid, offered, taken in calls:
        sequence = (start + position) % 2**32
        sender = SegmentSender(connection().socket_id, sequence, pid, snapshot(pid), False, offered)
        each.join(sender)
        if pid != latest:
            latest, told_ns = pid, told_ns + 1
            changes.join(sender._replace(told_ns=told_ns))
        end = position + taken
        call = SegmentCall(told_ns, sequence, offered, pid)
        expected = each.join(_segment(start, position, end, 0))
        assert changes.join(_segment(start, position, end, 0, call)) == expected
        position = end


def test_the_problem_of_an_urgent_byte_is_its_own() -> None:
    """Whatever else is missing."""
    chunks = [
        chunk
        for chunk in Witnesses().join(_segment(0, 0, 10, 4))
        if isinstance(chunk, Chunk) and chunk.problem
    ]
    assert [(chunk.problem, chunk.size) for chunk in chunks] == [(Problem.URGENT, 1)]
