"""Capture files of each kind and byte order, and where a damaged one is damaged."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Callable

import pytest

from analyzer.recorder.sources.captures.capture_file import CaptureParser, Packet
from tests.packets import conversation, ethernet, pcap

FRAMES = [ethernet(each) for each in conversation()]
BEGIN_NS = 1_795_287_001_123_456_789


def block(order: str, kind: int, body: bytes) -> bytes:
    """Return a block of pcapng."""
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def section(order: str = "<") -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order: str = "<", link_type: int = 1, options: bytes = b"") -> bytes:
    return block(order, 1, struct.pack(order + "HHI", link_type, 0, 0) + options)


def option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def packet(order: str, number: int, ticks: int, frame: bytes, kind: int = 6) -> bytes:
    """Return a packet's block, with an option behind the frame as Wireshark's comments are."""
    head = struct.pack(
        order + ("I" if kind == 6 else "HH"), *([number] if kind == 6 else [number, 0])
    )
    body = head + struct.pack(order + "4I", ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
    return block(order, kind, body + frame + bytes(-len(frame) % 4) + option(order, 1, b"hm"))


def read(data: bytes, size: int = 1 << 20) -> tuple[list[Packet], CaptureParser]:
    """Read a file in pieces."""
    recording = CaptureParser()
    packets = [
        each
        for begin in range(0, len(data), size)
        for each in recording.feed(data[begin : begin + size])
    ]
    recording.finish()
    return packets, recording


def frames(packets: Iterable[Packet]) -> list[bytes]:
    return [frame for _, _, frame, _ in packets]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("is_nano", [True, False])
@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
def test_pcap(order: str, is_nano: bool, size: int) -> None:
    """In whatever pieces it comes."""
    data = pcap(FRAMES, begin_ns=BEGIN_NS, order=order, is_nano=is_nano, link_type=113)
    packets, recording = read(data, size)
    assert recording.damage is None
    assert frames(packets) == FRAMES
    at_ns, link_type, _, wire_bytes = packets[0]
    assert at_ns == (BEGIN_NS if is_nano else BEGIN_NS // 1000 * 1000)
    assert (link_type, wire_bytes) == (113, len(FRAMES[0]))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [2, 6])
@pytest.mark.parametrize("size", [1, 1000])
def test_pcapng(order: str, kind: int, size: int) -> None:
    """Of several interfaces, each with its link type, resolution and offset."""
    seconds = BEGIN_NS // 10**9
    data = (
        section(order)
        + interface(order)
        + interface(order, 113, option(order, 9, b"\x09") + option(order, 0, b""))
        + block(order, 5, bytes(12))  # statistics
        + interface(
            order, 276, option(order, 9, b"\x8a") + option(order, 14, struct.pack(order + "q", 5))
        )
        + packet(order, 0, BEGIN_NS // 1000, FRAMES[0], kind)
        + packet(order, 1, BEGIN_NS, FRAMES[1], kind)
        + packet(order, 2, (seconds - 5) * 1024 + 512, FRAMES[2], kind)
    )
    packets, recording = read(data, size)
    assert recording.damage is None
    assert [each[:2] for each in packets] == [
        (BEGIN_NS // 1000 * 1000, 1),
        (BEGIN_NS, 113),
        (seconds * 10**9 + 500_000_000, 276),
    ]
    assert frames(packets) == FRAMES[:3]


def test_sections_of_both_byte_orders_in_one_file() -> None:
    """As `cat` of two makes; interfaces are counted anew."""
    data = b"".join(
        section(order) + interface(order, link_type) + packet(order, 0, 7, FRAMES[0])
        for order, link_type in (("<", 1), (">", 113))
    )
    packets, recording = read(data)
    assert recording.damage is None
    assert [each[1] for each in packets] == [1, 113]


def test_packets_without_a_time_are_counted() -> None:
    """When they were is not made up."""
    simple = block("<", 3, struct.pack("<I", len(FRAMES[0])) + FRAMES[0])
    packets, recording = read(section() + interface() + simple + packet("<", 0, 7, FRAMES[1]))
    assert frames(packets) == FRAMES[1:2]
    assert recording.untimed == 1


SECOND = 1_000_000_000
YEAR = 365 * 86_400


def pcapng_of(times_us: Iterable[int]) -> bytes:
    """Return a file with a packet at each time."""
    packets = (packet("<", 0, each, FRAMES[0]) for each in times_us)
    return section() + interface() + b"".join(packets)


def pcap_of(times_us: Iterable[int]) -> bytes:
    """Return the same in the other format, which has only 32 bits for the seconds."""
    packets = [pcap(FRAMES[:1], begin_ns=each * 1000)[24:] for each in times_us]
    return WHOLE[:24] + b"".join(packets)


NOW_US = BEGIN_NS // 1000


@pytest.mark.parametrize("damaged_s", [0, 1, 2**32 - 1, 2**32, 2**44])
@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_one_time_far_off_is_not_believed(damaged_s: int, at: int, size: int) -> None:
    """The packet is, and is taken to be of the time of the one before it."""
    times_us = [NOW_US + index * 1000 for index in range(4)]
    times_us[at] = damaged_s * 1_000_000
    for make in (pcap_of, pcapng_of):
        if make is pcap_of and damaged_s >= 2**32:
            continue
        packets, recording = read(make(times_us), size)
        assert recording.untimed == 1
        assert recording.damage is None
        assert len(packets) == 4
        for index, each in enumerate(packets):
            assert abs(each[0] - NOW_US * 1000) < SECOND
            assert index == at or each[0] == times_us[index] * 1000


@pytest.mark.parametrize("step_s", [4 * YEAR, -4 * YEAR])
@pytest.mark.parametrize("make", [pcap_of, pcapng_of])
def test_a_clock_that_was_set_is_believed_at_the_second_packet(
    make: Callable[[Iterable[int]], bytes], step_s: int
) -> None:
    """As where captures of several years were put together; with the first, nothing is lost."""
    times_us = [NOW_US, NOW_US + 1, *(NOW_US + step_s * 1_000_000 + each for each in range(3))]
    packets, recording = read(make(times_us))
    assert recording.untimed == 1
    assert [each[0] // SECOND for each in packets] == [
        *[NOW_US // 1_000_000] * 3,
        *[NOW_US // 1_000_000 + step_s] * 2,
    ]


@pytest.mark.parametrize(
    "options",
    [
        option("<", 14, struct.pack("<q", -(2**62))),
        option("<", 14, struct.pack("<q", -10)),
        option("<", 14, struct.pack("<q", 2**62)),
        option("<", 14, struct.pack("<q", 253_402_300_800)),
    ],
)
def test_packets_of_times_that_cannot_be_are_counted(options: bytes) -> None:
    """Before 1970 and after 9999: there is no way to write them."""
    data = section() + interface(options=options) + NG_PACKET * 3
    packets, recording = read(data)
    assert (packets, recording.untimed, recording.damage) == ([], 3, None)


WHOLE = pcap(FRAMES)
THIRD = 24 + sum(16 + len(each) for each in FRAMES[:2])
NG = section() + interface()
NG_PACKET = packet("<", 0, 7, FRAMES[0])


@pytest.mark.parametrize(
    ("data", "read_before", "offset", "what"),
    [
        (b"", 0, 0, "empty"),
        (b"\xa1", 0, 0, "neither"),
        (b"GIF89a, say", 0, 0, "neither"),
        (WHOLE[:20], 0, 0, "neither"),
        (WHOLE[: THIRD + 10], 2, THIRD, "ends in the middle"),
        (WHOLE[: THIRD + 30], 2, THIRD, "ends in the middle"),
        (WHOLE[:THIRD] + b"\xff" * 40, 2, THIRD, "which none has"),
        (NG + NG_PACKET[:-3], 0, len(NG), "ends in the middle"),
        (NG + NG_PACKET + b"\6\0\0\0\7\0\0\0" + bytes(20), 1, len(NG + NG_PACKET), "none has"),
        (NG + NG_PACKET[:-4] + b"\0\0\0\1", 0, len(NG), "contradicts"),
        (NG + packet("<", 1, 7, FRAMES[0]), 0, len(NG), "contradicts"),
        (section()[:8] + bytes(20), 0, 0, "no byte order"),
    ],
)
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_damage_is_told_with_its_place(
    data: bytes, read_before: int, offset: int, what: str, size: int
) -> None:
    """And what stood before it is read; after it nothing is."""
    packets, recording = read(data, size)
    assert frames(packets) == FRAMES[:read_before]
    assert recording.damage is not None
    assert recording.damage.offset == offset
    assert what in recording.damage.what
    assert recording.feed(WHOLE) == []
