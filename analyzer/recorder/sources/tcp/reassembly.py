"""Reassembles link-layer frames into chunks, answers and ends of connections. Does no I/O."""

from __future__ import annotations

import collections
import functools
import ipaddress
import itertools
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Callable, Optional

from analyzer.imds import IMDS_PORT
from analyzer.recorder.source_events import Connection, Event
from analyzer.recorder.sources.tcp import link_layer
from analyzer.recorder.sources.tcp.conversation import FAR_OFF, NOBODY, Conversation, Sender
from analyzer.recorder.sources.tcp.dissect import (
    ACK,
    CUT_HEADERS,
    FRAGMENT,
    MALFORMED,
    NO_PAYLOAD,
    PORT_BYTES,
    SYN,
    UNKNOWN_LINK,
    Key,
    Segment,
    dissect,
    without_networks,
)
from analyzer.recorder.sources.tcp.ended import EndedConversations
from analyzer.recorder.sources.tcp.forwarded_copies import ForwardedCopies

if TYPE_CHECKING:
    from analyzer.recorder.sources.captures.capture_file import Packet

__all__ = ["NOBODY", "Identify", "Reassembler", "Sender"]

# What AF_PACKET tells of a packet's way (linux/if_packet.h).
TO_US, BROADCAST, MULTICAST, TO_OTHERS, OUTGOING = range(5)

# Connections that are followed, about 1.5 KiB each. As many as can have requests waiting for an
# answer; beyond that the longest unused are forgotten.
MAX_CONVERSATIONS = 8192
# Memory for all that is held because something before it is missing.
HELD_TOTAL_MAX = 8 << 20
# A lost segment is sent again after 0.2 to 1 s, and then after twice that.
HOLE_WAIT_S = 3.0

_HOLE_WAIT_NS = int(HOLE_WAIT_S * 1e9)
_SEQUENCES = 1 << 32
_NEAR = 2 * FAR_OFF

# Counters of frames, beside those of analyzer.recorder.sources.tcp.dissect.
SEGMENTS = "segments"
EVICTED = "connections_evicted"
HOLES = "holes"
# Those for which requests may be missing.
_LOSSES = (FRAGMENT, CUT_HEADERS, MALFORMED, UNKNOWN_LINK)

# Asked at the first packet of a connection (its SYN, where that is seen), and until it tells at
# each further one that carries bytes of the client. Gets the sequence number of the first byte,
# None where that is not known, and the packet type, -1 where there is none; of a recorded packet
# no more than whether it came in, TO_US, or is this host's own, OUTGOING.
Identify = Callable[[Connection, Optional[int], int], Optional[Sender]]


class Reassembler:
    """Follows the TCP connections to IMDS that are in the frames it is fed.

    ``counters`` counts frames by what became of them, since the start.
    """

    def __init__(self, identify: Optional[Identify] = None) -> None:
        self.counters: collections.Counter[str] = collections.Counter()
        self._identify = identify
        # By their last use. No Lru: what makes room here is finished, and its events are told.
        self._conversations: OrderedDict[Key, Conversation] = OrderedDict()
        self._ended = EndedConversations()
        # Those that time will decide on: since when.
        self._waiting: OrderedDict[Key, int] = OrderedDict()
        self._copies = ForwardedCopies()  # of frames that tell their way
        self._held = 0
        self._numbers = itertools.count(1)
        self._is_two_way = False  # whether any of the server's packets are seen

    def loss_readers(self) -> dict[str, Callable[[], int]]:
        """Return what reads each counter of frames for which requests may be missing."""
        return {each: functools.partial(self.counters.__getitem__, each) for each in _LOSSES}

    def __len__(self) -> int:
        """Return the number of connections that are followed."""
        return len(self._conversations)

    @property
    def held(self) -> int:
        """Bytes of memory for what is held back."""
        return self._held

    def feed(
        self, at_ns: int, link_type: int, frame: bytes, wire_bytes: int, packet_type: int = -1
    ) -> Sequence[Event]:
        """Take one frame as captured, of ``wire_bytes`` on the wire; return what it completes.

        One that tells its way itself does so, and what is seen twice on it is taken once.
        """
        segment = dissect(link_type, frame, wire_bytes)
        if isinstance(segment, str):
            self.counters[segment] += 1
            return ()
        if link_type in link_layer.COOKED:
            return self._take_cooked(at_ns, link_type, frame, segment)
        return self.take(at_ns, segment, packet_type)

    def feed_until(
        self, packets: Iterator[Packet], begin_ns: int, end_ns: int, events: list[Event]
    ) -> Optional[Packet]:
        """Take packets as long as their times are in a span; append what they complete.

        Returns the first that is not, None where there is none.
        """
        beyond = None
        segments = acknowledgments = 0
        cooked = link_layer.COOKED
        for packet in packets:
            at_ns, link_type, frame, wire_bytes = packet
            if not begin_ns <= at_ns < end_ns:
                beyond = packet
                break
            segment = dissect(link_type, frame, wire_bytes)
            if segment is NO_PAYLOAD:
                acknowledgments += 1
            elif segment.__class__ is str:
                self.counters[segment] += 1
            elif link_type in cooked:
                events += self._take_cooked(at_ns, link_type, frame, segment)  # type: ignore[arg-type]
            else:
                segments += 1
                self._take(at_ns, segment, -1, events)  # type: ignore[arg-type] # no str
        # Added up here: a counter takes as long as all else in this loop.
        self.counters.update({NO_PAYLOAD: acknowledgments, SEGMENTS: segments})
        return beyond

    def expire(self, now_ns: int) -> Sequence[Event]:
        """Return what comes of not waiting any longer; call it about once a second."""
        events: list[Event] = []
        while self._waiting:
            key, since_ns = next(iter(self._waiting.items()))
            if 0 <= now_ns - since_ns < _HOLE_WAIT_NS:
                break
            self._give_up(key, events)
        return events

    def flush(self) -> Sequence[Event]:
        """Return what is held back, when nothing will come any more."""
        events: list[Event] = []
        for conversation in self._conversations.values():
            conversation.finish(events, is_closed=False)
        self._conversations.clear()
        self._ended.clear()
        self._waiting.clear()
        self._copies = ForwardedCopies()
        self._held = 0
        return events

    def take(self, at_ns: int, segment: Segment, packet_type: int = -1) -> Sequence[Event]:
        """Do as :meth:`feed` with a frame that is dissected already."""
        self.counters[SEGMENTS] += 1
        events: list[Event] = []
        self._take(at_ns, segment, packet_type, events)
        return events

    def _take_cooked(
        self, at_ns: int, link_type: int, frame: bytes, segment: Segment
    ) -> Sequence[Event]:
        """Take a segment of a frame that tells its way, unless it is seen elsewhere on it."""
        comes_in = link_layer.comes_in(link_type, frame)
        # What a VXLAN brings is seen on its own interface once more, there without the number.
        segment = (segment[0], without_networks(segment[1]), *segment[2:])
        if self._copies.is_repeated(segment, at_ns, comes_in=comes_in):
            return ()
        return self.take(at_ns, segment, TO_US if comes_in else OUTGOING)

    def _take(self, at_ns: int, segment: Segment, packet_type: int, events: list[Event]) -> None:
        is_from_client, key, sequence, acknowledgment, flags, size, *_ = segment
        conversation = self._conversations.get(key)
        expected = sequence if is_from_client else acknowledgment
        if (
            conversation is None
            or flags & SYN
            or (expected - conversation.at + FAR_OFF) % _SEQUENCES > _NEAR
        ):
            conversation = self._find(segment, conversation, events)
            if conversation is None:
                return
        elif is_from_client:
            self._conversations.move_to_end(key)
        held = conversation.held.cost if self._waiting else 0
        if is_from_client:
            if conversation.sender is None and (size or flags & SYN):
                self._name(conversation, packet_type)
            conversation.take_from_client(at_ns, segment, events)
        else:
            self._is_two_way = True
            conversation.take_from_server(at_ns, segment, events)
        if conversation.is_ended or conversation.is_waiting or self._waiting:
            self._held += conversation.held.cost - held
            self._look_after(at_ns, key, conversation, events)

    def _find(
        self, segment: Segment, conversation: Optional[Conversation], events: list[Event]
    ) -> Optional[Conversation]:
        """Return which connection a segment is of that opens one, or is not of the one known.

        None where it is of none that we have to follow.
        """
        is_from_client, key, sequence, acknowledgment, flags, size, *_ = segment
        if is_from_client:
            start = (sequence + 1) % _SEQUENCES if flags & SYN else None
        else:
            self._is_two_way = True
            # A server without a connection tells, by what it has received, where the client is.
            start = acknowledgment if flags & SYN else None
            sequence = acknowledgment
        if conversation is None:
            is_new = self._ended.is_new(segment, start)
            return self._begin(key, start, sequence, events) if is_new else None
        if is_from_client and start is not None:
            is_known = conversation.start_at(start)
        elif is_from_client or flags & ACK:
            is_known = (sequence - conversation.at + FAR_OFF) % _SEQUENCES <= _NEAR
        else:
            is_known = conversation.is_reached_by(segment)
        if is_known:
            if is_from_client:
                self._conversations.move_to_end(key)
            return conversation
        if start is None and not size:
            return None  # late: what it ends has ended, and the port is used again
        # The port is used again.
        self._end(key, conversation, events)
        return self._begin(key, start, sequence, events)

    def _look_after(
        self, at_ns: int, key: Key, conversation: Conversation, events: list[Event]
    ) -> None:
        if conversation.is_ended:
            self._forget(key, conversation)
        elif conversation.is_waiting:
            self._waiting.setdefault(key, at_ns)
            while self._held > HELD_TOTAL_MAX:
                self._give_up(next(iter(self._waiting)), events)
        else:
            self._waiting.pop(key, None)

    def _begin(
        self, key: Key, start: Optional[int], sequence: int, events: list[Event]
    ) -> Conversation:
        while len(self._conversations) >= MAX_CONVERSATIONS:
            oldest, evicted = next(iter(self._conversations.items()))
            self.counters[EVICTED] += 1
            self._end(oldest, evicted, events, is_closed=False)
        ends = without_networks(key)
        port = int.from_bytes(ends[-PORT_BYTES:], "big")
        client, server = _addresses(ends[:-PORT_BYTES])
        connection = Connection(next(self._numbers), 0, client, port, server, IMDS_PORT)
        conversation = Conversation(connection, start, sequence if start is None else start)
        conversation.is_answered = start is None and self._is_two_way
        self._ended.forget(key)
        self._conversations[key] = conversation
        return conversation

    def _name(self, conversation: Conversation, packet_type: int) -> None:
        if self._identify is None:
            conversation.sender = NOBODY
            return
        sender = self._identify(conversation.connection, conversation.start, packet_type)
        conversation.sender = sender
        if sender is not None and sender.is_forwarded:
            conversation.connection = conversation.connection._replace(is_forwarded=True)

    def _give_up(self, key: Key, events: list[Event]) -> None:
        """Wait no longer for what is missing on a connection."""
        del self._waiting[key]
        conversation = self._conversations[key]
        held = conversation.held.cost
        if held and conversation.is_settled:
            self.counters[HOLES] += 1
        conversation.give_up(events)
        self._held += conversation.held.cost - held
        if conversation.is_ended:
            self._forget(key, conversation)

    def _end(
        self, key: Key, conversation: Conversation, events: list[Event], *, is_closed: bool = True
    ) -> None:
        self._held -= conversation.held.cost
        conversation.finish(events, is_closed=is_closed, is_end_seen=False)
        self._forget(key, conversation)

    def _forget(self, key: Key, conversation: Conversation) -> None:
        del self._conversations[key]
        if self._waiting:
            self._waiting.pop(key, None)
        self._ended.add(key, conversation)


@functools.lru_cache(maxsize=4096)
def _addresses(packed: bytes) -> tuple[str, str]:
    half = len(packed) // 2
    client, server = packed[:half], packed[half:]
    return str(ipaddress.ip_address(client)), str(ipaddress.ip_address(server))
