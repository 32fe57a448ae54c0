"""Joins the two witnesses: the wire tells what was sent, the calls tell who sent it.

Both name the connection and sequence numbers. No I/O.
"""

from __future__ import annotations

from typing import NamedTuple, Optional, Union

from analyzer.lru import Lru
from analyzer.recorder.source_events import (
    Attribution,
    Chunk,
    Closed,
    Event,
    Problem,
    Snapshot,
    SocketId,
)
from analyzer.recorder.sources.probe.segments import SEQUENCES, Segment, SegmentCall, SegmentSender

# As many as decode knows. A connection with one sender takes about 0.5 KiB beside its snapshot.
MAX_CONNECTIONS = 8192
# Senders of one connection whose bytes may still be on their way. A socket that more processes
# than that share at a time names the latest of them.
MAX_SENDERS = 8

_BEHIND = 1 << 31  # differences from here on mean earlier, not later
# The start of a connection's numbers is told by several counters, and an answer may change them
# meanwhile, by what it acknowledges. Another connection's start is anywhere.
_START_SLACK = 1 << 20


class _Piece(NamedTuple):
    """A part of a segment, from and to which of its bytes."""

    start: int
    end: int
    is_urgent: bool = False


class _Known:
    """The senders on a connection: the latest calls, and the process that was told last."""

    __slots__ = ("senders", "told")

    def __init__(self) -> None:
        self.senders: list[SegmentSender] = []
        self.told: Optional[SegmentSender] = None

    def note(self, sender: SegmentSender) -> None:
        if sender.told_ns:
            self.told = sender
        self.senders.append(sender)
        if len(self.senders) > MAX_SENDERS:
            del self.senders[0]

    def note_call(self, call: SegmentCall) -> None:
        """Take a further call by the process that was told; each one once."""
        told = self.told
        if told is None or told.told_ns != call.told_ns:
            return  # who it is was not told, or is not known any more
        _, sequence, size, tid = call
        if told.sequence == sequence and told.size == size and told.tid == tid:
            return
        socket_id, _, _, snapshot, _, _, told_ns, start = told
        self.note(SegmentSender(socket_id, sequence, tid, snapshot, False, size, told_ns, start))


class Witnesses:
    """Knows who sends on which connection, and gives the wire's segments their senders."""

    def __init__(self, max_connections: int = MAX_CONNECTIONS) -> None:
        """Know of no connection yet."""
        self._known: Lru[SocketId, _Known] = Lru(max_connections)

    def __len__(self) -> int:
        """Return the number of connections with a known sender."""
        return len(self._known)

    def join(self, event: Union[Event, SegmentSender, Segment]) -> tuple[Event, ...]:
        """Take what a probe tells; returns what is to be handed on."""
        if isinstance(event, Segment):
            return tuple(self._chunks(event))
        if isinstance(event, SegmentSender):
            self._note(event)
            return ()
        if isinstance(event, Closed):
            self._known.pop(event.socket_id, None)
        return (event,)

    def _note(self, sender: SegmentSender) -> None:
        known = self._known.use(sender.socket_id)
        if known is None:
            known = _Known()
            self._known.put(sender.socket_id, known)
        known.note(sender)

    def _chunks(self, segment: Segment) -> list[Chunk]:
        socket_id = segment.connection.socket_id
        known = self._known.get(socket_id)
        if known is None:
            return [_chunk(segment, piece, []) for piece in _pieces(segment, [])]
        senders = known.senders
        if senders and not _is_of_connection(senders[-1], segment):
            # The end of the former connection at that address, or who sends on this, was lost.
            senders[:] = [each for each in senders if _is_of_connection(each, segment)]
        if segment.is_sender_lost:
            senders.clear()
        elif segment.call.told_ns:
            self._known.move_to_end(socket_id)
            known.note_call(segment.call)
        if senders and not segment.urgent:
            latest = senders[-1]
            if not latest.is_other and _has_all(latest, segment.sequence, segment.size):
                if len(senders) > 1:
                    del senders[:-1]
                return [_whole(segment, latest)]
        chunks = [_chunk(segment, piece, senders) for piece in _pieces(segment, senders)]
        _forget_former(senders, segment)
        return chunks


def _is_of_connection(sender: SegmentSender, segment: Segment) -> bool:
    """Tell whether a sender's numbers and a segment's begin at the same place, if that is known."""
    if sender.start is None:
        return True
    ahead = (segment.sequence - segment.offset - sender.start + _START_SLACK) % SEQUENCES
    return ahead <= 2 * _START_SLACK


def _pieces(segment: Segment, senders: list[SegmentSender]) -> list[_Piece]:
    """Divide a segment where a sender begins or ends, and around an urgent byte."""
    urgent = segment.urgent - 1 if 0 < segment.urgent <= segment.size else None
    cuts = {0, segment.size}
    for sender in senders:
        if sender.sequence is not None:
            begin = sender.sequence - segment.sequence
            cuts.add(begin % SEQUENCES)
            if sender.size is not None:
                cuts.add((begin + sender.size) % SEQUENCES)
    if urgent is not None:
        cuts |= {urgent, urgent + 1}
    places = sorted(cut for cut in cuts if cut <= segment.size)
    return [_Piece(start, end, start == urgent) for start, end in zip(places, places[1:])]


def _whole(segment: Segment, sender: SegmentSender) -> Chunk:
    return Chunk(
        segment.boottime_ns,
        segment.connection,
        segment.sequence,
        segment.offset,
        segment.size,
        segment.data,
        segment.problem,
        sender.tid,
        sender.snapshot,
        is_changeable=segment.is_changeable,
    )


def _chunk(segment: Segment, piece: _Piece, senders: list[SegmentSender]) -> Chunk:
    start, end, is_urgent = piece
    sequence = (segment.sequence + start) % SEQUENCES
    size = end - start
    data = b"" if is_urgent else segment.data[start:end]
    problem: Optional[Problem] = None
    if is_urgent:
        problem = Problem.URGENT
    elif len(data) < size:
        problem = segment.problem
    tid, snapshot, more = _who(segment, senders, sequence)
    return Chunk(
        segment.boottime_ns,
        segment.connection,
        sequence,
        (segment.offset + start) % SEQUENCES,
        size,
        data,
        problem,
        tid,
        snapshot,
        others=(*more, *_others(senders, sequence, size)),
        is_changeable=segment.is_changeable,
    )


def _who(
    segment: Segment, senders: list[SegmentSender], sequence: int
) -> tuple[int, Snapshot, tuple[Snapshot, ...]]:
    """Return the thread and the process that sent the bytes from there on, and who took part.

    Bytes behind those of a call, of which no call is known, are of whoever held the socket. If
    nobody did, a call that was not seen had left them there: that may be anybody's who has it.
    """
    sender = _maybe_sender(senders, sequence)
    if sender is None:
        return 0, _of_socket(segment), ()
    if _has_all(sender, sequence, 1):
        return sender.tid, sender.snapshot, ()
    if segment.is_held:
        return sender.tid, sender.snapshot._replace(attribution=Attribution.WIRE), ()
    return 0, _of_socket(segment), (sender.snapshot,)


def _of_socket(segment: Segment) -> Snapshot:
    """Describe a sender of whom only the socket is known."""
    return Snapshot(
        None,
        segment.cgroup_id,
        b"",
        args_truncated=False,
        ancestors=(),
        ancestors_truncated=False,
        attribution=Attribution.WIRE,
    )


def _maybe_sender(senders: list[SegmentSender], sequence: int) -> Optional[SegmentSender]:
    """Return the latest one that sends from there or from before."""
    for sender in reversed(senders):
        if not sender.is_other and _is_from(sender, sequence):
            return sender
    return None


def _is_from(sender: SegmentSender, sequence: int) -> bool:
    return sender.sequence is None or (sequence - sender.sequence) % SEQUENCES < _BEHIND


def _has_all(sender: SegmentSender, sequence: int, size: int) -> bool:
    """Tell whether a call offered all of these bytes, as far as that is known."""
    if sender.sequence is None or sender.size is None:
        return _is_from(sender, sequence)
    return (sequence - sender.sequence) % SEQUENCES + size <= sender.size


def _others(senders: list[SegmentSender], sequence: int, size: int) -> tuple[Snapshot, ...]:
    """Return those who held the socket while these bytes went out."""
    return tuple(
        sender.snapshot
        for sender in senders
        if sender.is_other
        and sender.sequence is not None
        and (sender.sequence - sequence) % SEQUENCES < size
    )


def _forget_former(senders: list[SegmentSender], segment: Segment) -> None:
    """Drop those whose bytes have all gone out: a later one's have, too."""
    latest = None
    for number, sender in enumerate(senders):
        if not sender.is_other and _is_from(sender, segment.sequence):
            latest = number
    if latest:
        del senders[:latest]
