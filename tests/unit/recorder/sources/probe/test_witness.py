"""The wire's segments get their senders, by connection and sequence number."""

from __future__ import annotations

from typing import Optional

import pytest

from analyzer.recorder.source_events import Answer, Attribution, Chunk, Closed, Problem
from analyzer.recorder.sources.probe import layout
from analyzer.recorder.sources.probe.events import TornEventError, decode_event
from analyzer.recorder.sources.probe.segments import NO_CALL, Segment, SegmentCall, SegmentSender
from analyzer.recorder.sources.probe.witness import MAX_SENDERS, Witnesses
from tests.sends import connection, pid_of, snapshot

START = 0xFFFF_FFF0  # 16 bytes before the sequence numbers wrap
DATA = b"GET /latest HTTP/1.1\r\nHost: x\r\n\r\n"


def sender(
    pid: int,
    position: Optional[int] = 0,
    *,
    size: Optional[int] = None,
    port: int = 41234,
    other: bool = False,
    told: int = 0,
    start: Optional[int] = None,
) -> SegmentSender:
    sequence = None if position is None else (START + position) % 2**32
    socket_id = connection(port).socket_id
    return SegmentSender(socket_id, sequence, pid, snapshot(pid), other, size, told, start)


def segment(
    data: bytes = DATA,
    position: int = 0,
    *,
    missing: int = 0,
    urgent: int = 0,
    port: int = 41234,
    held: bool = True,
    call: SegmentCall = NO_CALL,
    lost: bool = False,
) -> Segment:
    return Segment(
        1,
        connection(port),
        (START + position) % 2**32,
        position,
        len(data) + missing,
        data,
        Problem.TRUNCATED if missing else None,
        urgent,
        77,
        is_changeable=False,
        is_held=held,
        call=call,
        is_sender_lost=lost,
    )


def call(told_ns: int, position: int, size: int = len(DATA), tid: int = 5) -> SegmentCall:
    return SegmentCall(told_ns, (START + position) % 2**32, size, tid)


def joined(*events: object, witnesses: Optional[Witnesses] = None) -> list[Chunk]:
    """Return the chunks of all these events."""
    witnesses = Witnesses() if witnesses is None else witnesses
    return [
        chunk
        for event in events
        for chunk in witnesses.join(event)  # type: ignore[arg-type]
        if isinstance(chunk, Chunk)
    ]


def told(chunks: list[Chunk]) -> list[tuple[int, bytes, int]]:
    """Return at which position which bytes were sent, and by whom."""
    return [
        (
            ((chunk.sequence or 0) - START) % 2**32,
            chunk.data,
            pid_of(chunk.snapshot),
        )
        for chunk in chunks
    ]


def test_a_segment_has_the_sender_before_it() -> None:
    """Also where it goes out in several packets."""
    chunks = joined(sender(1), segment(DATA[:10]), segment(DATA[10:], 10))
    assert told(chunks) == [(0, DATA[:10], 1), (10, DATA[10:], 1)]
    assert [chunk.tid for chunk in chunks] == [1, 1]


def test_without_a_sender_nobody_is_named() -> None:
    """Nor is one of another connection, nor one who sends only later."""
    chunks = joined(sender(1, port=1), segment())
    (chunk,) = chunks
    assert chunk.snapshot is not None
    assert (chunk.tid, chunk.snapshot.process, chunk.snapshot.cgroup_id) == (0, None, 77)
    assert chunk.snapshot.attribution is Attribution.WIRE
    chunks = joined(sender(1, 5), segment(DATA[:5]), segment(DATA[5:], 5))
    assert told(chunks) == [(0, DATA[:5], 0), (5, DATA[5:], 1)]


@pytest.mark.parametrize("away", [1 << 21, 1 << 30, 3 << 30, 2**32 - (1 << 21)])
def test_who_sent_on_a_former_connection_is_not_named(away: int) -> None:
    """Its end and the new one's sender did not fit into the ring; the address is the same."""
    former = sender(1, 0, size=len(DATA), start=(START + away) % 2**32)
    former = former._replace(sequence=(START + away) % 2**32)
    (chunk,) = joined(former, segment())
    assert chunk.snapshot is not None
    assert (chunk.tid, chunk.snapshot.process, chunk.others) == (0, None, ())
    assert told(joined(former, sender(2, start=START), segment())) == [(0, DATA, 2)]


@pytest.mark.parametrize("away", [0, 500, 2**32 - 500])
def test_numbers_that_changed_while_they_were_read_are_the_same_connections(away: int) -> None:
    """An answer acknowledges bytes in between: by so many the start seems to be another."""
    there = sender(1, size=len(DATA), start=(START + away) % 2**32)
    assert told(joined(there, segment())) == [(0, DATA, 1)]


def test_a_segment_is_divided_where_another_sender_begins() -> None:
    """Behind the wrap of the numbers as before it; the offsets go with the numbers."""
    chunks = joined(sender(1), sender(2, 10), sender(3, 20), segment())
    assert told(chunks) == [(0, DATA[:10], 1), (10, DATA[10:20], 2), (20, DATA[20:], 3)]
    assert [chunk.offset for chunk in chunks] == [0, 10, 20]
    assert sum(chunk.size for chunk in chunks) == len(DATA)


def test_the_latest_of_two_at_the_same_place_sends() -> None:
    """The first one's send has failed."""
    assert told(joined(sender(1), sender(2), segment())) == [(0, DATA, 2)]


def test_what_is_sent_again_keeps_its_sender_while_the_next_is_under_way() -> None:
    """As the kernel repeats what got lost."""
    chunks = joined(
        sender(1), sender(2, 10), segment(DATA[:20]), segment(DATA[:10]), segment(DATA[10:], 10)
    )
    assert told(chunks) == [(0, DATA[:10], 1), (10, DATA[10:20], 2), (0, DATA[:10], 1),
                            (10, DATA[10:], 2)]  # fmt: skip


def test_a_sender_without_a_number_sends_from_now_on() -> None:
    """TCP Fast Open has none yet."""
    assert told(joined(sender(1, None), segment())) == [(0, DATA, 1)]


def test_a_sender_without_a_number_divides_nothing() -> None:
    """As nobody knows where it begins; another who holds the socket begins behind it."""
    chunks = joined(sender(1, None), sender(2, 10, other=True), segment())
    assert told(chunks) == [(0, DATA[:10], 1), (10, DATA[10:], 1)]


def test_who_held_the_socket_is_named_beside_the_sender() -> None:
    """For those bytes, and for no others."""
    chunks = joined(
        sender(1), sender(2, 10, other=True), segment(DATA[:10]), segment(DATA[10:], 10)
    )
    pids = [[pid_of(each) for each in chunk.others] for chunk in chunks]
    assert told(chunks) == [(0, DATA[:10], 1), (10, DATA[10:], 1)]
    assert pids == [[], [2]]


@pytest.mark.parametrize("cut", [False, True])
def test_bytes_behind_a_call_are_of_nobody_that_is_known(cut: bool) -> None:
    """A call that was not seen has left them; who was seen last has taken part."""
    pieces = [segment(DATA[:10], held=False), segment(DATA[10:], 10, held=False)]
    chunks = joined(sender(1, size=10), *(pieces if cut else [segment(held=False)]))
    assert told(chunks) == [(0, DATA[:10], 1), (10, DATA[10:], 0)]
    first, second = (chunk.snapshot for chunk in chunks)
    assert first is not None
    assert first.attribution is Attribution.CALL
    assert second is not None
    assert (second.cgroup_id, second.attribution) == (77, Attribution.WIRE)
    assert [[pid_of(each) for each in chunk.others] for chunk in chunks] == [[], [1]]


def test_bytes_behind_a_call_are_of_who_holds_the_socket() -> None:
    """The probe tells of another holder than the one who sent last."""
    chunks = joined(sender(1, size=10), segment())
    assert told(chunks) == [(0, DATA[:10], 1), (10, DATA[10:], 1)]
    ways = [chunk.snapshot.attribution for chunk in chunks if chunk.snapshot is not None]
    assert ways == [Attribution.CALL, Attribution.WIRE]


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("offered", [len(DATA), 1000])
def test_the_bytes_of_a_call_are_its_callers(offered: int, held: bool) -> None:
    """Also those that go out later, when nobody holds the socket."""
    chunks = joined(
        sender(1, size=offered),
        segment(DATA[:10], held=held),
        segment(DATA[10:], 10, held=False),
        segment(DATA[20:], 20, held=False),
    )
    assert [pid for _, _, pid in told(chunks)] == [1, 1, 1]
    assert {chunk.snapshot.attribution for chunk in chunks if chunk.snapshot is not None} == {
        Attribution.CALL
    }


@pytest.mark.parametrize("urgent", [1, 5, len(DATA)])
def test_an_urgent_byte_is_missing(urgent: int) -> None:
    """The urgent pointer points behind it."""
    chunks = joined(sender(1), segment(urgent=urgent))
    assert [chunk.data for chunk in chunks if chunk.problem is None] == [
        each for each in (DATA[: urgent - 1], DATA[urgent:]) if each
    ]
    (byte,) = [chunk for chunk in chunks if chunk.problem is not None]
    assert (byte.problem, byte.size, byte.data) == (Problem.URGENT, 1, b"")
    assert byte.sequence == (START + urgent - 1) % 2**32


def test_an_urgent_pointer_beyond_the_segment_takes_nothing() -> None:
    """The byte comes in a later one."""
    assert told(joined(sender(1), segment(urgent=len(DATA) + 1))) == [(0, DATA, 1)]


def test_missing_bytes_stay_missing_in_their_part() -> None:
    """What was copied is whole before a cut, and cut behind it."""
    chunks = joined(sender(1), sender(2, 10), segment(missing=100))
    assert [chunk.problem for chunk in chunks] == [None, Problem.TRUNCATED]
    assert [chunk.size for chunk in chunks] == [10, len(DATA) - 10 + 100]
    chunks = joined(sender(1), sender(2, len(DATA) + 50), segment(missing=100))
    assert [len(chunk.data) for chunk in chunks] == [len(DATA), 0]
    assert [chunk.problem for chunk in chunks] == [Problem.TRUNCATED] * 2


def test_memory_is_bounded() -> None:
    """In connections, the longest unused go; of one connection, the oldest senders."""
    witnesses = Witnesses(max_connections=3)
    for port in (1, 2, 3, 1, 4):
        joined(sender(port, port=port), witnesses=witnesses)
    assert len(witnesses) == 3
    assert told(joined(segment(port=2), witnesses=witnesses)) == [(0, DATA, 0)]
    assert told(joined(segment(port=1), witnesses=witnesses)) == [(0, DATA, 1)]
    many = Witnesses()
    joined(*(sender(pid, pid) for pid in range(1, MAX_SENDERS + 3)), witnesses=many)
    chunks = joined(segment(), witnesses=many)
    assert [pid for _, _, pid in told(chunks)] == [0, *range(3, MAX_SENDERS + 3)]


def test_the_end_of_a_connection_forgets_its_senders() -> None:
    """Whatever has the same socket afterwards; answers and ends are handed on."""
    witnesses = Witnesses()
    closed = Closed(1, connection().socket_id)
    answer = Answer(1, connection().socket_id, 200, 2)
    joined(sender(1), witnesses=witnesses)
    assert witnesses.join(answer) == (answer,)
    assert witnesses.join(closed) == (closed,)
    assert len(witnesses) == 0
    assert told(joined(segment(), witnesses=witnesses)) == [(0, DATA, 0)]


def test_further_calls_of_one_process_need_not_tell_who_it_is() -> None:
    """Each names the process, with its own thread."""
    size = len(DATA)
    chunks = joined(
        sender(1, size=size, told=9),
        segment(call=call(9, 0, tid=1)),
        segment(position=size, call=call(9, size, tid=7)),
        segment(position=2 * size, call=call(9, 2 * size, tid=8)),
    )
    assert told(chunks) == [(0, DATA, 1), (size, DATA, 1), (2 * size, DATA, 1)]
    assert [chunk.tid for chunk in chunks] == [1, 7, 8]
    assert {chunk.snapshot and chunk.snapshot.attribution for chunk in chunks} == {Attribution.CALL}


def test_a_call_answers_for_its_own_bytes_alone() -> None:
    """Those behind it went out while somebody held the socket."""
    chunks = joined(sender(1, size=10, told=9), segment(call=call(9, 0, 10)))
    assert [chunk.snapshot and chunk.snapshot.attribution for chunk in chunks] == [
        Attribution.CALL,
        Attribution.WIRE,
    ]


def test_a_call_by_a_process_that_was_not_told_names_nobody() -> None:
    """What told who it is was lost; the one that was told before is another."""
    size = len(DATA)
    chunks = joined(
        sender(1, size=size, told=9),
        segment(call=call(9, 0)),
        segment(position=size, held=False, call=call(10, size)),
    )
    assert [pid_of(chunk.snapshot) for chunk in chunks] == [1, 0]


def test_where_the_sender_was_lost_nobody_is_named() -> None:
    """Not the one before, who shares the socket; the next that is told is named again."""
    size = len(DATA)
    chunks = joined(
        sender(1, size=size, told=9),
        segment(call=call(9, 0)),
        segment(position=size, lost=True),
        segment(position=2 * size),
        sender(2, 3 * size, size=size, told=11),
        segment(position=3 * size, call=call(11, 3 * size)),
    )
    assert [pid_of(chunk.snapshot) for chunk in chunks] == [1, 0, 0, 2]


def test_two_processes_that_take_turns_are_each_named() -> None:
    """Each is told anew when it takes the connection over."""
    size = len(DATA)
    chunks = joined(
        sender(1, size=size, told=9),
        segment(call=call(9, 0)),
        sender(2, size, size=size, told=10),
        segment(position=size, call=call(10, size)),
        segment(position=2 * size, call=call(10, 2 * size)),
        sender(1, 3 * size, size=size, told=11),
        segment(position=3 * size, call=call(11, 3 * size)),
    )
    assert [pid_of(chunk.snapshot) for chunk in chunks] == [1, 2, 2, 1]


def test_a_call_is_not_taken_for_a_new_one_when_it_is_told_again() -> None:
    """Whoever held the socket since then sends what lies behind it."""
    size = len(DATA)
    witnesses = Witnesses()
    joined(
        sender(1, size=size, told=9),
        segment(call=call(9, 0, tid=1)),
        sender(2, size),
        witnesses=witnesses,
    )
    chunks = joined(segment(position=size, call=call(9, 0, tid=1)), witnesses=witnesses)
    assert [pid_of(chunk.snapshot) for chunk in chunks] == [2]
    # ... and the process that was told comes back without being told.
    chunks = joined(segment(position=2 * size, call=call(9, 2 * size)), witnesses=witnesses)
    assert [pid_of(chunk.snapshot) for chunk in chunks] == [1]


# --- from bytes ------------------------------------------------------------------------------

SOCK, NETNS = 0xFFFF_8881_0000_0001, 4026531840
FOUR, FIVE = bytes([10, 0, 3, 7]).ljust(16, b"\0"), bytes([169, 254, 169, 254]).ljust(16, b"\0")


def process(pid: int) -> bytes:
    return layout.PROCESS.pack(7_000, 5, 6, pid, 1001, 8 << 20, 3, b"python3")


def event(kind: int, flags: int, args: bytes, ancestors: int, executable: bytes) -> bytes:
    """Return the head of an event of a call."""
    size = layout.EVENT_SIZE + ancestors * layout.PROCESS_SIZE + len(args) + len(executable)
    return layout.EVENT.pack(
        kind, flags, 99, SOCK, 500, 1234, 0, NETNS, 43, 2, 41234, 80, 0, FOUR, FIVE, len(args),
        ancestors, 4026531841, 77, len(executable), size, 0, process(42),
    )  # fmt: skip


ARGS, NAMES = b"python3\0worker.py\0", b"python3\0bin\0usr\0"


@pytest.mark.parametrize(
    ("flags", "sequence"), [(0, 1234), (layout.FLAG_FASTOPEN, None), (layout.FLAG_NO_ANSWER, None)]
)
def test_a_sender_is_decoded(flags: int, sequence: Optional[int]) -> None:
    """With its ancestors, arguments and path; without a number where that means nothing."""
    raw = event(layout.KIND_SENDER, flags, ARGS, 2, NAMES)
    raw += process(41) + process(1) + ARGS + NAMES
    found = decode_event(raw + raw[8:16])
    assert isinstance(found, SegmentSender)
    assert found[:3] == ((SOCK, NETNS), sequence, 43)
    assert found.size == (None if sequence is None else 500)
    assert not found.is_other
    who = found.snapshot
    assert [pid_of(who), *(each.pid for each in who.ancestors)] == [42, 41, 1]
    assert (who.args, who.executable, who.cgroup_id) == (ARGS, b"/usr/bin/python3", 77)
    assert who.attribution is Attribution.CALL


def test_a_sender_that_two_cpus_tell_is_one_all_the_same() -> None:
    """The first one's mark may get into what the second one tells."""
    raw = event(0, 0, ARGS, 2, NAMES) + process(41) + process(1) + ARGS + NAMES
    found = decode_event(raw + raw[8:16])
    assert isinstance(found, SegmentSender)


@pytest.mark.parametrize("stamp", [b"", b"another!", bytes(16)])
def test_a_sender_that_was_changed_meanwhile_is_told_apart(stamp: bytes) -> None:
    """Another call on that socket began, on another CPU, while the first was told."""
    raw = event(layout.KIND_SENDER, 0, ARGS, 2, NAMES) + process(41) + process(1) + ARGS + NAMES
    with pytest.raises(TornEventError):
        decode_event(raw + stamp)


@pytest.mark.parametrize("replaced", [False, True])
def test_a_replaced_executable_is_told(replaced: bool) -> None:
    """By a call, and by whoever holds the socket."""
    flags = layout.FLAG_EXECUTABLE_REPLACED if replaced else 0
    raw = event(layout.KIND_SENDER, flags, ARGS, 0, NAMES) + ARGS + NAMES
    held = layout.HOLDER.pack(event(layout.KIND_HOLDER, flags, ARGS, 0, NAMES), b"", ARGS, NAMES)
    for found in (decode_event(raw + raw[8:16]), decode_event(held)):
        assert isinstance(found, SegmentSender)
        assert found.snapshot.is_executable_replaced == replaced


def test_a_further_call_that_is_told_by_itself_is_a_sender() -> None:
    """Its bytes had not gone out when the next one's process took the connection over."""
    raw = event(layout.KIND_CALL, 0, ARGS, 2, NAMES) + process(41) + process(1) + ARGS + NAMES
    found = decode_event(raw + raw[8:16])
    assert isinstance(found, SegmentSender)
    assert found.told_ns == 99


@pytest.mark.parametrize("other", [False, True])
def test_a_holder_is_decoded(other: bool) -> None:
    """Its parts stand in places of their own; what stands behind their ends means nothing."""
    flags = layout.FLAG_OTHER_SENDER if other else 0
    raw = layout.HOLDER.pack(
        event(layout.KIND_HOLDER, flags, ARGS, 1, NAMES),
        process(41) + b"\xff" * 56,
        ARGS + b"\xff\xff",
        NAMES + b"\xff",
    )
    found = decode_event(raw)
    assert isinstance(found, SegmentSender)
    assert found[:3] == ((SOCK, NETNS), 1234, 43)
    assert found.is_other == other
    who = found.snapshot
    assert [pid_of(who), *(each.pid for each in who.ancestors)] == [42, 41]
    assert (who.args, who.executable) == (ARGS, b"/usr/bin/python3")
    assert who.attribution is Attribution.WIRE


def raw_segment(captured: int, size: int, flags: int = 0) -> bytes:
    return layout.SEGMENT.pack(
        layout.KIND_SEGMENT, flags, 99, SOCK, 77, START, 9, NETNS, size, 2, 41234, 80, captured, 3,
        b"", FOUR, FIVE, 98, 1200, 600, 44, 0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "problem", "changeable"),
    [
        (0, None, False),
        (layout.FLAG_TRUNCATED, Problem.TRUNCATED, False),
        (layout.FLAG_UNREADABLE, Problem.UNREADABLE, False),
        (layout.FLAG_CHANGEABLE, None, True),
        (layout.FLAG_HELD, None, False),
        (layout.FLAG_SENDER_LOST, None, False),
    ],
)
def test_a_segment_is_decoded(flags: int, problem: Optional[Problem], changeable: bool) -> None:
    """The ring's place for it is longer than what is in it."""
    found = decode_event(raw_segment(len(DATA), 600, flags) + DATA + b"\xff" * 50)
    assert isinstance(found, Segment)
    assert (found.data, found.size, found.sequence, found.offset) == (DATA, 600, START, 9)
    assert (found.problem, found.is_changeable, found.urgent) == (problem, changeable, 3)
    assert found.is_held == (flags == layout.FLAG_HELD)
    assert found.is_sender_lost == (flags == layout.FLAG_SENDER_LOST)
    assert found.connection.source_ip == "10.0.3.7"
    assert found.connection[:2] == (SOCK, NETNS)
    assert found.call == (98, 1200, 600, 44)


@pytest.mark.parametrize(
    "raw",
    [
        raw_segment(40, 600) + DATA[:10],
        raw_segment(20, 10) + DATA,
        event(layout.KIND_SEND, 0, ARGS, 2, NAMES) + ARGS,
        event(10, 0, b"", 0, b""),
    ],
)
def test_what_does_not_add_up_is_refused(raw: bytes) -> None:
    """The object and the layout are then not of the same build."""
    with pytest.raises(ValueError, match=r"says it has|does not add up"):
        decode_event(raw)
