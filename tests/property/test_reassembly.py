"""Whatever a capture holds, and however the same bytes are cut up, reordered and repeated."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.recorder.source_events import Chunk, Event
from analyzer.recorder.sources.captures.capture_file import CaptureParser, DamagedError, Packet
from analyzer.recorder.sources.captures.one_file import CaptureFile
from analyzer.recorder.sources.tcp import link_layer, reassembly
from analyzer.recorder.sources.tcp.conversation import HELD_MAX
from analyzer.recorder.sources.tcp.reassembly import Reassembler
from tests.packets import OK, V1, V2, conversation, ethernet, feed, pcap, requests, sides, statuses

LINK_TYPES = st.sampled_from([0, 1, 12, 101, 108, 113, 228, 229, 276, 9, 105, 147, 65535])
POST = b"POST /latest/x HTTP/1.1\r\nContent-Length: 11\r\n\r\nGET / HTTP/"
STREAM = V2 + V1 + POST + V1
WHOLE = [ethernet(each) for each in conversation()]
WHOLE_6 = [ethernet(each) for each in conversation(version=6)]
ADDRESSES_6_AT = 22
MAPPED = bytes(10) + b"\xff\xff"
client, server = sides()


def summary(events: list[Event]) -> list[tuple[object, ...]]:
    """Return what a request is, without when it was seen."""
    return [(each.request, each.connection[2:]) for each in requests(events)]


EXPECTED = summary(feed([client.packet("S"), client.packet("PA", 0, STREAM)]))


# Any order of so many pieces, drawn at once: they are sorted by these bytes.
PIECES_MAX = 19
ORDERS = st.binary(min_size=PIECES_MAX, max_size=PIECES_MAX)


def ordered(pieces: list[tuple[int, int]], order: bytes) -> list[tuple[int, int]]:
    assert len(pieces) <= PIECES_MAX
    return [piece for _, piece in sorted(zip(order, pieces), key=lambda pair: pair[0])]


def pieces_of(edges: set[int], more: list[tuple[int, int]], order: bytes) -> list[tuple[int, int]]:
    """Return pieces of the stream in any order: each byte at least once, some several times."""
    at = sorted(edges)
    pieces = list(zip([0, *at], [*at, len(STREAM)]))
    pieces += [(begin, min(begin + size, len(STREAM))) for begin, size in more]
    return ordered(pieces, order)


CUTS = st.builds(
    pieces_of,
    st.sets(st.integers(1, len(STREAM) - 1), max_size=12),
    st.lists(st.tuples(st.integers(0, len(STREAM)), st.integers(1, 200)), max_size=6),
    ORDERS,
)


@given(
    st.sampled_from(["S", "SA", "A", "PA", "FA", "R"]),
    st.booleans(),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=30),
)
def test_a_frame_is_the_one_that_scapy_builds(
    flags: str, is_client: bool, position: int, acked: int, data: bytes
) -> None:
    """Those of the tests below are built without it."""
    side = client if is_client else server
    packet = side.packet(flags, position, data, acked=acked)
    assert side.frame(flags, position, data, acked=acked) == ethernet(packet)


@settings(max_examples=200, deadline=None)
@given(CUTS, st.integers(0, 2**32 - 1))
def test_the_same_bytes_are_the_same_requests(pieces: list[tuple[int, int]], start: int) -> None:
    """For any segmentation, order, repetition and overlap, wherever the numbers wrap."""
    ours = client._replace(start=start)
    packets = [ours.frame("PA", begin, STREAM[begin:end]) for begin, end in pieces]
    assert summary(feed([ours.frame("S"), *packets])) == EXPECTED


@settings(max_examples=100, deadline=None)
@given(CUTS, st.integers(0, 6))
def test_the_beginning_may_come_late(pieces: list[tuple[int, int]], at: int) -> None:
    """As long as nobody has answered."""
    packets = [client.frame("PA", begin, STREAM[begin:end]) for begin, end in pieces]
    packets.insert(at, client.frame("S"))
    assert summary(feed(packets)) == EXPECTED


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, len(OK) - 1), max_size=8), ORDERS)
def test_an_answer_may_be_cut_anywhere(at: list[int], order: bytes) -> None:
    """Its status is told once."""
    edges = [0, *sorted(set(at)), len(OK)]
    pieces = ordered(list(zip(edges, edges[1:])), order)
    parts = [server.frame("A", begin, OK[begin:end], acked=len(V1)) for begin, end in pieces]
    assert statuses(feed([*WHOLE[:4], *parts, *parts, *WHOLE[6:]])) == [200]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(LINK_TYPES, st.binary(max_size=120)), max_size=20))
def test_no_bytes_are_too_much(frames: list[tuple[int, bytes]]) -> None:
    """Frames without any sense, of any link type."""
    reassembler = Reassembler()
    for number, (link_type, frame) in enumerate(frames):
        reassembler.feed(number, link_type, frame, len(frame))
    reassembler.flush()
    assert sum(reassembler.counters.values()) >= len(frames)


def mutilate(
    frame: bytes, mapped: int, changes: bytes, more: bytes, is_cut: bool, end: int
) -> bytes:
    """Return a frame of a conversation with some bytes changed, cut or longer.

    ``mapped`` has a bit for each IPv6 address that is to hold one of IPv4. ``changes`` are pairs
    of a place and the new byte there.
    """
    made = bytearray(frame)
    if made[12:14] == b"\x86\xdd":
        for number, at in enumerate((ADDRESSES_6_AT, ADDRESSES_6_AT + 16)):
            if mapped & 1 << number:
                made[at : at + len(MAPPED)] = MAPPED
    for at, byte in zip(changes[::2], changes[1::2]):
        made[12 + at % (len(made) - 12)] = byte
    made += more
    return bytes(made[: end % (len(made) + 1)] if is_cut else made)


assert max(map(len, WHOLE + WHOLE_6)) <= 12 + 256  # a byte says any place
MUTILATED = st.builds(
    mutilate,
    st.sampled_from(WHOLE + WHOLE_6),
    st.integers(0, 3),
    st.binary(max_size=8),
    st.binary(max_size=10),
    st.booleans(),
    st.integers(0, 300),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(MUTILATED, st.integers(0, 5 * 10**9)), max_size=40))
def test_mutilated_conversations_stay_within_bounds(frames: list[tuple[bytes, int]]) -> None:
    """No crash, nothing held for ever, and no byte that was not there."""
    reassembler = Reassembler()
    now_ns = 0
    events: list[Event] = []
    for frame, later_ns in frames:
        now_ns += later_ns
        events += reassembler.feed(now_ns, link_layer.ETHERNET, frame, len(frame))
        events += reassembler.expire(now_ns)
        assert reassembler.held <= HELD_MAX
    events += reassembler.expire(now_ns + 10**10)
    assert reassembler.held == 0
    events += reassembler.flush()
    requests(events)
    for event in events:
        if isinstance(event, Chunk):
            assert len(event.data) <= event.size
            assert any(event.data in frame for frame, _ in frames)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(MUTILATED, st.integers(-5, 20)), max_size=40), st.integers(0, 100))
def test_a_run_of_packets_is_as_one_by_one(frames: list[tuple[bytes, int]], end_ns: int) -> None:
    """Up to the first whose time is beyond, which is left."""
    now_ns = 0
    packets: list[Packet] = []
    for frame, later_ns in frames:
        now_ns += later_ns
        packets.append((now_ns, link_layer.ETHERNET, frame, len(frame)))
    run, one_by_one = Reassembler(), Reassembler()
    left = iter(packets)
    events: list[Event] = []
    beyond = run.feed_until(left, 0, end_ns, events)
    within = list(itertools.takewhile(lambda packet: 0 <= packet[0] < end_ns, packets))
    assert events == [event for packet in within for event in one_by_one.feed(*packet)]
    assert [*([] if beyond is None else [beyond]), *left] == packets[len(within) :]
    assert +run.counters == +one_by_one.counters
    assert list(run.flush()) == list(one_by_one.flush())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 2**22), min_size=1, max_size=60))
def test_what_is_held_is_bounded(positions: list[int]) -> None:
    """Whatever holes a client leaves."""
    reassembler = Reassembler()
    packets = [client.packet("S"), *(client.packet("A", 1 + at, b"x" * 1400) for at in positions)]
    for packet in packets:
        frame = ethernet(packet)
        reassembler.feed(0, link_layer.ETHERNET, frame, len(frame))
        assert reassembler.held <= min(HELD_MAX, reassembly.HELD_TOTAL_MAX)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_file_never_crashes(data: st.DataObject) -> None:
    """However it is read; what stood before the damage is there."""
    whole = pcap(WHOLE)
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] + data.draw(st.binary(max_size=30)) + whole[at:]
    pieces = data.draw(st.integers(1, 400))
    recording = CaptureParser()
    packets = [
        packet
        for begin in range(0, len(damaged), pieces)
        for packet in recording.feed(damaged[begin : begin + pieces])
    ]
    recording.finish()
    before = sum(len(frame) + 16 for _, _, frame, _ in packets)
    assert recording.damage is None or recording.damage.offset in (0, 24 + before)
    intact = [frame for _, _, frame, _ in packets][: max(0, (at - 24) // 200)]
    assert intact == WHOLE[: len(intact)]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"\x0a\x0d\x0d\x0a", b"\x1f\x8b\x08", b""]))
def test_no_file_is_too_much(data: bytes, magic: bytes) -> None:
    """Neither one block of pcapng nor a bit of gzip."""
    file = CaptureFile("x")
    try:
        for unpacked in file.unpack(magic + data):
            file.recording.feed(unpacked)
    except DamagedError as damage:
        file.fail(damage)
    file.finish()
    assert file.error is not None
