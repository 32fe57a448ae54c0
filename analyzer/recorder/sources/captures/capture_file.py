"""Parses the bytes of a pcap or pcapng file, and says where it is damaged. Does no I/O."""

from __future__ import annotations

import struct
from typing import Callable, NamedTuple, NoReturn, Optional

# Larger than any snapshot length that is in use; a length beyond is damage, and not waited for.
PACKET_MAX = 1 << 20
BLOCK_MAX = 4 << 20
# Interfaces of one pcapng section; each takes some bytes here.
INTERFACES_MAX = 4096

_S = 1_000_000_000
# No packet is of a time from here on: the year 10000.
END_OF_TIME_NS = 253_402_300_800 * _S
# A packet further off from the one before it has a damaged time, unless the next one agrees.
FAR_OFF_NS = 365 * 86_400 * _S
NO_CAPTURE = "this is no capture: neither pcap nor pcapng"

# Magic number -> byte order, nanoseconds of a fraction's unit.
_PCAP = {
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
}
_PCAP_HEADER_BYTES, _PCAP_PACKET_BYTES = 24, 16
# Above the link type stand flags and the length of the frame check sequence.
_LINK_TYPES = 0xFFFF

_PCAPNG = b"\x0a\x0d\x0d\x0a"  # the same in either byte order
_BYTE_ORDERS = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
_INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 1, 2, 3, 6
_OPTION_END, _OPTION_RESOLUTION, _OPTION_OFFSET = 0, 9, 14
_BLOCK_MIN = 12  # type, length, and the length again


# One captured frame: time in nanoseconds since the Unix epoch, link type, the frame, its length
# on the wire. A plain tuple is made in a third of the time of a named one.
Packet = tuple[int, int, bytes, int]


class DamagedError(Exception):
    """A file cannot be read any further. ``offset`` is where, in bytes from its start."""

    def __init__(self, offset: int, what: str) -> None:
        super().__init__(what)
        self.offset = offset
        self.what = what


class _Interface(NamedTuple):
    link_type: int
    ticks_per_s: int
    offset_ns: int


class CaptureParser:
    """Reads one file, in whatever pieces it comes.

    ``offset`` is where the part begins that is not read yet. ``untimed`` counts packets that
    came without a time (pcapng's simple packets), or with one that cannot be. The latter are
    returned with the time of the packet before them, if there is one, else not at all.
    """

    def __init__(self) -> None:
        self.offset = 0
        self.untimed = 0
        self.damage: Optional[DamagedError] = None
        self._buffer = b""
        self._order = "<"
        self._unit_ns = 1
        self._link_type = 0
        self._pcap_packet = struct.Struct("<IIII")
        self._interfaces: list[_Interface] = []
        self._believed_ns: Optional[int] = None  # the time of the latest packet
        self._doubted_ns = END_OF_TIME_NS  # the latest time that was not believed
        self._read: Callable[[list[Packet]], None] = self._read_header

    def feed(self, data: bytes) -> list[Packet]:
        """Return the packets that are complete with the file's next bytes.

        Where the file is damaged, ``damage`` says so, and nothing comes any more.
        """
        if self.damage is not None:
            return []
        self._buffer = self._buffer + data if self._buffer else data
        packets: list[Packet] = []
        try:
            self._read(packets)
        except DamagedError as damage:
            self.damage = damage
        return packets

    def finish(self) -> None:
        """Take the file's end; ``damage`` tells where that is in the middle of something."""
        if self.damage is not None or (self._read != self._read_header and not self._buffer):
            return
        what = "the file ends in the middle of a packet" if self.offset else NO_CAPTURE
        if not self.offset and not self._buffer:
            what = "the file is empty"
        self.damage = DamagedError(self.offset, what)

    def _read_header(self, packets: list[Packet]) -> None:
        magic = self._buffer[:4]
        if len(magic) < 4:  # noqa: PLR2004 -- a magic number's length
            return
        if magic == _PCAPNG:
            self._read = self._read_blocks
        elif magic in _PCAP:
            if len(self._buffer) < _PCAP_HEADER_BYTES:
                return
            self._order, self._unit_ns = _PCAP[magic]
            (link_type,) = struct.unpack_from(self._order + "I", self._buffer, 20)
            self._link_type = link_type & _LINK_TYPES
            self._pcap_packet = struct.Struct(self._order + "IIII")
            self._use_up(_PCAP_HEADER_BYTES)
            self._read = self._read_packets
        else:
            raise DamagedError(0, NO_CAPTURE)
        self._read(packets)

    def _use_up(self, length: int) -> None:
        self._buffer = self._buffer[length:]
        self.offset += length

    def _maybe_believe(self, at_ns: int) -> Optional[int]:
        """Return the time of a packet, or that of the one before it if it cannot be right.

        A time that is far off would end all waiting. If the next packet agrees with it, the clock
        was set, or captures were joined.
        """
        before_ns = self._believed_ns
        if 0 <= at_ns < END_OF_TIME_NS:
            if (
                before_ns is None
                or abs(at_ns - before_ns) < FAR_OFF_NS
                or abs(at_ns - self._doubted_ns) < FAR_OFF_NS
            ):
                self._believed_ns = at_ns
                self._doubted_ns = END_OF_TIME_NS
                return at_ns
            self._doubted_ns = at_ns
        self.untimed += 1
        return before_ns

    def _read_packets(self, packets: list[Packet]) -> None:
        buffer, link_type, unit_ns = self._buffer, self._link_type, self._unit_ns
        unpack = self._pcap_packet.unpack_from
        begin, size = 0, len(buffer)
        last = size - _PCAP_PACKET_BYTES
        second, second_ns = -1, 0  # packets of one second follow on each other
        while begin <= last:
            seconds, fraction, captured, wire_bytes = unpack(buffer, begin)
            data = begin + _PCAP_PACKET_BYTES
            end = data + captured
            if end > size or captured > PACKET_MAX:
                if captured > PACKET_MAX:
                    what = f"a packet says that it has {captured} bytes, which none has"
                    raise DamagedError(self.offset + begin, what)
                break
            if seconds != second:
                second, second_ns = seconds, seconds * _S
                believed_ns = self._maybe_believe(second_ns)
                if believed_ns != second_ns:
                    # Only a first packet may have none instead, and 32 bits suit that one.
                    second, second_ns = -1, believed_ns or 0
            at_ns = second_ns + fraction * unit_ns
            packets.append((at_ns, link_type, buffer[data:end], wire_bytes))
            begin = end
        self._use_up(begin)

    def _read_blocks(self, packets: list[Packet]) -> None:
        buffer, begin = self._buffer, 0
        while len(buffer) - begin >= _BLOCK_MIN:
            if buffer[begin : begin + 4] == _PCAPNG:
                self._begin_section(buffer, begin)
            kind, length = struct.unpack_from(self._order + "II", buffer, begin)
            if length < _BLOCK_MIN or length % 4 or length > BLOCK_MAX:
                what = f"a block says that it has {length} bytes, which none has"
                raise DamagedError(self.offset + begin, what)
            end = begin + length
            if end > len(buffer):
                break
            try:
                (again,) = struct.unpack_from(self._order + "I", buffer, end - 4)
                if again != length:
                    self._deny(begin)
                packet = self._take_block(kind, buffer[begin + 8 : end - 4])
            except (struct.error, IndexError):
                self._deny(begin)
            begin = end
            if packet is not None:
                packets.append(packet)
        self._use_up(begin)

    def _deny(self, begin: int) -> NoReturn:
        raise DamagedError(self.offset + begin, "a block contradicts itself") from None

    def _begin_section(self, buffer: bytes, begin: int) -> None:
        order = _BYTE_ORDERS.get(buffer[begin + 8 : begin + 12])
        if order is None:
            raise DamagedError(self.offset + begin, "a section has no byte order")
        self._order = order
        self._interfaces = []

    def _take_block(self, kind: int, body: bytes) -> Optional[Packet]:
        if kind == _PACKET:
            number, high, low, captured, wire_bytes = struct.unpack_from(self._order + "5I", body)
        elif kind == _OLD_PACKET:
            number, _drops, high, low, captured, wire_bytes = struct.unpack_from(
                self._order + "HH4I", body
            )
        else:
            if kind == _INTERFACE and len(self._interfaces) < INTERFACES_MAX:
                self._interfaces.append(self._interface(body))
            self.untimed += kind == _SIMPLE_PACKET
            return None
        interface = self._interfaces[number]
        frame = body[20 : 20 + captured]
        if len(frame) != captured:
            raise IndexError(captured)
        ticks = high << 32 | low
        said_ns = ticks * _S // interface.ticks_per_s + interface.offset_ns
        at_ns = self._maybe_believe(said_ns)
        if at_ns is None:
            return None
        return (at_ns, interface.link_type, frame, wire_bytes)

    def _interface(self, body: bytes) -> _Interface:
        (link_type,) = struct.unpack_from(self._order + "HxxI", body)[:1]
        ticks_per_s, offset_ns = 1_000_000, 0
        at = 8
        while at + 4 <= len(body):
            option, length = struct.unpack_from(self._order + "HH", body, at)
            value = body[at + 4 : at + 4 + length]
            if option == _OPTION_END:
                break
            if option == _OPTION_RESOLUTION:
                power = value[0] & 0x7F
                ticks_per_s = 2**power if value[0] & 0x80 else 10**power
            elif option == _OPTION_OFFSET:
                offset_ns = struct.unpack(self._order + "q", value)[0] * _S
            at += 4 + (length + 3) // 4 * 4
        return _Interface(link_type, ticks_per_s, offset_ns)
