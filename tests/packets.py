"""Packets of a conversation with IMDS, built with scapy, and what a reassembler makes of them."""

from __future__ import annotations

import functools
import logging
import os
import struct
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Optional

from analyzer.recorder.clock import CaptureClock, Clock
from analyzer.recorder.decode.connections import Connections
from analyzer.recorder.pipeline import Pipeline
from analyzer.recorder.records import Captured, Record
from analyzer.recorder.sinks.log import Counters
from analyzer.recorder.source_events import Answer, Chunk, Closed, Event, Lost
from analyzer.recorder.sources import Probe
from analyzer.recorder.sources.tcp import link_layer
from analyzer.recorder.sources.tcp.reassembly import Reassembler

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)  # it warns of missing routes
from scapy.layers.inet import IP, TCP  # noqa: E402
from scapy.layers.inet6 import IPv6  # noqa: E402
from scapy.layers.l2 import Ether  # noqa: E402
from scapy.utils import checksum  # noqa: E402

MS = 1_000_000
CLIENT, SERVER = "10.0.3.7", "169.254.169.254"
CLIENT_6, SERVER_6 = "fd00:ec2::7", "fd00:ec2::254"
CLIENT_START, SERVER_START = 0xFFFF_FF80, 0xFFFF_FFF0  # both wrap soon
TOKEN = b"AQAEAHYKwxKSU3m1Zc0gKq7dV9sPz2LtXbE4nRfWjUyOaIhQlGMTBw=="
V1 = b"GET /latest/meta-data/ HTTP/1.1\r\nHost: 169.254.169.254\r\nUser-Agent: curl/7.88.1\r\n\r\n"
V2 = V1[:-2] + b"X-aws-ec2-metadata-token: " + TOKEN + b"\r\n\r\n"
_IP_AT, _TCP_AT = 14, 34  # in an Ethernet frame, and there the two numbers of TCP
_NUMBERS_AT = _TCP_AT + 4
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nami-id\r\n"


class Side(NamedTuple):
    """One end of the connection that is being built; positions count from its first byte."""

    is_client: bool
    port: int = 41234
    start: int = CLIENT_START
    other_start: int = SERVER_START
    version: int = 4

    def packet(
        self, flags: str, position: int = 0, data: bytes = b"", *, acked: int = 0, **fields: Any
    ) -> Any:
        """Return an IP packet. A SYN stands one before the first byte."""
        sequence = (self.start + 1 + position - ("S" in flags)) % 2**32
        tcp = TCP(
            sport=self.port if self.is_client else 80,
            dport=80 if self.is_client else self.port,
            flags=flags,
            seq=sequence,
            ack=(self.other_start + 1 + acked) % 2**32 if "A" in flags else 0,
            **fields,
        )
        addresses = (CLIENT, SERVER) if self.version == 4 else (CLIENT_6, SERVER_6)
        source, destination = addresses if self.is_client else addresses[::-1]
        ip: Any = IP if self.version == 4 else IPv6
        return ip(src=source, dst=destination) / tcp / data

    def frame(self, flags: str, position: int = 0, data: bytes = b"", *, acked: int = 0) -> bytes:
        """Return the Ethernet frame of an IPv4 packet, in a tenth of the time."""
        assert self.version == 4
        frame = bytearray(_frame_without_data(self, flags) + data)
        numbers = struct.unpack_from("!II", frame, _NUMBERS_AT)
        moved = (position % 2**32, acked if "A" in flags else 0)
        shifted = ((number + by) % 2**32 for number, by in zip(numbers, moved))
        struct.pack_into("!II", frame, _NUMBERS_AT, *shifted)
        struct.pack_into("!H", frame, _IP_AT + 2, len(frame) - _IP_AT)
        for checksum_at, begin, end, pseudo in (
            (_IP_AT + 10, _IP_AT, _TCP_AT, b""),
            (_TCP_AT + 16, _TCP_AT, len(frame), self._pseudo_header(frame)),
        ):
            struct.pack_into("!H", frame, checksum_at, 0)
            struct.pack_into("!H", frame, checksum_at, checksum(pseudo + bytes(frame[begin:end])))
        return bytes(frame)

    @staticmethod
    def _pseudo_header(frame: bytearray) -> bytes:
        return bytes(frame[_IP_AT + 12 : _TCP_AT]) + struct.pack("!HH", 6, len(frame) - _TCP_AT)


def sides(port: int = 41234, version: int = 4) -> tuple[Side, Side]:
    """Return both ends of one connection."""
    return (
        Side(True, port, version=version),
        Side(False, port, SERVER_START, CLIENT_START, version),
    )


def conversation(
    request: bytes = V1, response: bytes = OK, *, port: int = 41234, version: int = 4
) -> list[Any]:
    """Return a whole connection with one request and its answer, as IP packets."""
    client, server = sides(port, version)
    asked, told = len(request), len(response)
    return [
        client.packet("S"),
        server.packet("SA"),
        client.packet("A"),
        client.packet("PA", 0, request),
        server.packet("A", acked=asked),
        server.packet("PA", 0, response, acked=asked),
        client.packet("A", asked, acked=told),
        client.packet("FA", asked, acked=told),
        server.packet("FA", told, acked=asked + 1),
        client.packet("A", asked + 1, acked=told + 1),
    ]


def ethernet(packet: Any) -> bytes:
    """Return a frame around an IP packet."""
    return _ethernet_header(packet.version) + bytes(packet)


@functools.cache
def _ethernet_header(version: int) -> bytes:
    packet = IP() if version == 4 else IPv6()
    return bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet)[:_IP_AT]


@functools.lru_cache(maxsize=64)
def _frame_without_data(side: Side, flags: str) -> bytes:
    return ethernet(side.packet(flags))


def feed(
    packets: Iterable[Any], reassembler: Optional[Reassembler] = None, *, step_ns: int = MS
) -> list[Event]:
    """Feed IP packets or frames, one each millisecond, and return all events."""
    ours = Reassembler() if reassembler is None else reassembler
    events: list[Event] = []
    for number, packet in enumerate(packets):
        frame = packet if isinstance(packet, bytes) else ethernet(packet)
        events += ours.feed(number * step_ns, link_layer.ETHERNET, frame, len(frame))
    return events + list(ours.flush())


def requests(events: Sequence[Event]) -> list[Captured]:
    """Return the requests that are in events."""
    connections = Connections()
    found: list[Captured] = []
    for event in events:
        if isinstance(event, Chunk):
            found += connections.feed(event)
        elif isinstance(event, Closed):
            found += connections.close(event)
    return found + connections.flush()


def told(events: Sequence[Event]) -> list[tuple[Optional[str], Optional[str]]]:
    """Return path and reason of each request in events."""
    return [(each.request.target, each.request.reason) for each in requests(events)]


def statuses(events: Sequence[Event]) -> list[Optional[int]]:
    """Return the statuses of the answers in events."""
    return [event.status for event in events if isinstance(event, Answer)]


def pcap(
    frames: Iterable[bytes],
    *,
    link_type: int = link_layer.ETHERNET,
    begin_ns: int = 1_795_287_001_123_456_000,
    step_ns: int = MS,
    order: str = "<",
    is_nano: bool = False,
    snapshot_bytes: int = 65535,
) -> bytes:
    """Return a capture file of frames."""
    magic, unit = (0xA1B23C4D, 1) if is_nano else (0xA1B2C3D4, 1000)
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snapshot_bytes, link_type)
    for number, frame in enumerate(frames):
        seconds, rest = divmod(begin_ns + number * step_ns, 10**9)
        cut = frame[:snapshot_bytes]
        out += struct.pack(order + "IIII", seconds, rest // unit, len(cut), len(frame)) + cut
    return out


class _Told(Probe):
    """A source that has told all there is."""

    probe, library, is_ended = "none/told", "none", True
    clock: Clock = CaptureClock()

    def __init__(self, events: Iterable[Event]) -> None:
        self._events = events
        self._fd, self._other_fd = os.pipe()

    def fileno(self) -> int:
        return self._fd

    def read(self, _limit_bytes: int) -> list[bytes]:
        return []

    def decode(self, _raw: bytes) -> Iterable[Event]:
        return ()

    def flush(self) -> Iterable[Event]:
        return self._events

    def lost(self) -> list[Lost]:
        return []

    def detach(self) -> None:
        pass

    def close(self) -> None:
        os.close(self._fd)
        os.close(self._other_fd)


class _Records(list[Record]):
    """A sink that keeps the records."""

    counters = Counters(0, {}, is_paused=False)

    def write(self, record: Record) -> None:
        self.append(record)

    def event(self, name: str, level: str, /, **fields: object) -> None:
        pass

    def flush(self) -> None:
        pass

    def tick(self) -> None:
        pass


def logged(events: Iterable[Event]) -> list[Record]:
    """Return the records that a pipeline makes of events."""
    source, records = _Told(events), _Records()
    try:
        Pipeline(source, records, heartbeat_s=60, response_wait_s=5).run()
    finally:
        source.close()
    return records
