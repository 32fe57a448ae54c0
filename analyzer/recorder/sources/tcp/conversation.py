"""Orders one TCP connection's packets: the client's bytes, and the server's answers."""

from __future__ import annotations

from typing import NamedTuple, Optional

from analyzer.recorder.source_events import (
    Answer,
    Chunk,
    Closed,
    Connection,
    Doubt,
    Event,
    Problem,
    Snapshot,
)
from analyzer.recorder.sources.tcp.dissect import ACK, FIN, PSH, RST, SYN, URG, Segment
from analyzer.recorder.sources.tcp.out_of_order import NOTHING, Held, Piece
from analyzer.recorder.sources.tcp.status_lines import UNDECIDED, AnswerWatch
from analyzer.recorder.sources.tcp.unacknowledged import PRINTED, Unacknowledged

# Held for one connection: a request's head may have 16 KiB, and nobody sends more than that
# before the answer, in a hundred segments or so.
HELD_MAX = 128 * 1024
# Sequence numbers further off than any window IMDS offers are another connection's.
FAR_OFF = 16 << 20

_SEQUENCES = 1 << 32
_BEHIND = 1 << 31
# Positions count on from a sequence number; the first leaves room for those before it.
_FIRST = 1 << 32


class Sender(NamedTuple):
    """The process at the client's end of a connection."""

    tid: int
    snapshot: Optional[Snapshot]
    is_forwarded: bool


NOBODY = Sender(0, None, is_forwarded=False)
FORWARDED = Sender(0, None, is_forwarded=True)


class Conversation:
    """Follows one connection; what comes of a segment is appended to ``events``.

    ``at`` is the position of the client's next byte; its sequence number is that mod 2**32.
    ``start`` is the sequence number of the client's first byte. Without it the connection was
    joined on its way. Its first byte is known when a bit more of it has been seen.
    """

    __slots__ = (
        "_acked", "_base", "_claimed", "_doubt", "_fin", "_has_sent", "_is_doubted",
        "_is_opened_with_data", "_last_ns", "_reached", "_reset", "_server_fin",
        "_unacknowledged", "at", "connection", "held", "is_answered", "is_ended", "is_settled",
        "is_waiting", "sender", "start", "watch",
    )  # fmt: skip

    def __init__(self, connection: Connection, start: Optional[int], sequence: int) -> None:
        self.connection = connection
        self.sender: Optional[Sender] = None
        self.start = start
        self.is_settled = start is not None
        # Whether something is held back that time will decide on.
        self.is_waiting = not self.is_settled
        self.is_answered = False  # whether the server's packets are seen
        self.is_ended = False
        self.held = NOTHING  # replaced when there is something
        self.watch = AnswerWatch()
        self.at = _FIRST + sequence  # position of the next byte; its sequence number mod 2**32
        # Offsets count from here. What was joined has at least one byte before it.
        self._base = self.at - (start is None)
        self._acked = self.at  # what the server has of it
        self._claimed = 0  # what a reset has told that the client has sent
        self._fin: Optional[int] = None
        self._reached: Optional[int] = None  # how far the server has come, a sequence number
        self._server_fin = False
        self._reset: Optional[int] = None  # up to where it is waited after one
        self._has_sent = False
        self._is_opened_with_data = False
        self._last_ns = 0
        self._unacknowledged = Unacknowledged()
        # The first byte to come that the server may read otherwise, and why; and whether all that
        # was told has been called in doubt.
        self._doubt: Optional[tuple[int, Problem]] = None
        self._is_doubted = False

    @property
    def _is_closing(self) -> bool:
        return self._reset is not None or (self._server_fin and self._fin is not None)

    @property
    def first(self) -> int:
        """The sequence number of the first byte there is, as far as is known."""
        return (self._base + 1) % _SEQUENCES if self.start is None else self.start

    @property
    def is_unacknowledged(self) -> bool:
        """True if the client has certainly sent bytes that the server has not acknowledged."""
        return self._acked < self.at and not self._is_doubted

    def start_at(self, start: int) -> bool:
        """Take where the client begins; returns whether it is this connection's at all."""
        if self.start is not None:
            return start == self.start
        first = self._base + 1
        if not self.is_settled:
            if not self.held.pieces:
                return False
            first = self.held.pieces[0].begin
        position = self._position(start)
        if not 0 <= first - position <= FAR_OFF:
            return False
        self.start = start
        if not self.is_settled:
            self.is_settled = True
            self.at = self._base = self._acked = position
        elif not self._has_sent:  # only the server was seen so far, and what it acknowledges
            self.at = self._base = position
        return True

    def is_reached_by(self, segment: Segment) -> bool:
        """Tell whether a server's segment that acknowledges nothing, a reset, is of this one."""
        _, _, sequence, *_ = segment
        reached = self.watch.awaited if self._reached is None else self._reached
        return reached is not None and (sequence - reached + FAR_OFF) % _SEQUENCES <= 2 * FAR_OFF

    def take_from_client(self, at_ns: int, segment: Segment, events: list[Event]) -> None:
        """Take a segment of the client's that is not far off."""
        _, _, sequence, acknowledgment, flags, size, data, urgent = segment
        self._last_ns = at_ns
        if flags & SYN:
            sequence = (sequence + 1) % _SEQUENCES
            if self.held.pieces or self._server_fin:
                self._deliver(events)
        if flags & URG:
            # The pointer is behind the urgent byte; 0 is taken for 1.
            self._mark(self._position(sequence) + max(urgent - 1, 0), Problem.URGENT, events)
        acknowledged = acknowledgment if flags & ACK else None
        if size:
            if self.is_settled and (sequence - self.at) % _SEQUENCES == 0 and not self.held.pieces:
                self._send(at_ns, size, data, acknowledged, events)
                if self.is_waiting:
                    self._end_if_complete(events)
            else:
                self._compare(sequence, data, events)
                conflict = self._hold(at_ns, sequence, size, data, acknowledged, flags)
                if conflict is not None:
                    self._mark(conflict, Problem.CONFLICTING, events)
                self._deliver(events)
                self._note_waiting()
        if flags & (FIN | RST):
            if acknowledged is not None:
                self._reach(acknowledged)
            self._take_end(self._position((sequence + size) % _SEQUENCES), flags, events)

    def _take_end(self, position: int, flags: int, events: list[Event]) -> None:
        """Take a client's FIN or RST."""
        if flags & RST:
            self._reset_at(position, events)
            return
        self._fin = position
        if self._server_fin or self.is_waiting:  # else it changes nothing
            self._end_if_complete(events)
            self._note_waiting()

    def take_from_server(self, at_ns: int, segment: Segment, events: list[Event]) -> None:
        """Take a segment of the server's."""
        _, _, sequence, acknowledgment, flags, size, data, hop_limit = segment
        self._last_ns = at_ns
        self.is_answered = True
        if not self.is_settled:
            if flags & SYN:
                self.start_at(acknowledgment)
            self.settle(events)
        if flags & ACK:
            self._acknowledge(acknowledgment)
        if flags & SYN:
            self._take_opening(sequence, events)
            return
        if size:
            told = self.watch.take(sequence, size, data, hop_limit)
            if told is not UNDECIDED:
                hops = self.watch.hop_limit or None
                events.append(Answer(at_ns, self.connection.socket_id, told, hops))
        self._reach((sequence + size) % _SEQUENCES)
        if flags & RST:
            self._reset_at(self._acked, events)
        elif flags & FIN or (self._server_fin and self._fin is not None):
            self._server_fin = True
            if self._fin is not None or self.is_waiting:  # as above
                self._end_if_complete(events)
                self._note_waiting()

    def _acknowledge(self, acknowledgment: int) -> None:
        if (acknowledgment - self.at) % _SEQUENCES:
            self._acked = max(self._acked, self._position(acknowledgment))
        else:
            self._acked = max(self._acked, self.at)
            self._unacknowledged.clear()

    def _take_opening(self, sequence: int, events: list[Event]) -> None:
        """Take the server's SYN."""
        if self.held.pieces or self._server_fin:
            self._deliver(events)
        if self._is_opened_with_data:
            self.watch.expect((sequence + 1) % _SEQUENCES)

    def settle(self, events: list[Event]) -> None:
        """Let what was seen first be the first there is."""
        if self.is_settled:
            return
        self.is_settled = True
        if self.held.pieces:
            self.at = self._acked = self.held.pieces[0].begin
            self._base = self.at - 1
        self._deliver(events)
        self._note_waiting()

    def skip_holes(self, events: list[Event]) -> None:
        """Do not wait for what is missing any longer; what is behind it is told after a gap."""
        self.settle(events)
        while self.held.pieces:
            self._send_missing(self.held.pieces[0].begin - self.at, events)
            self._deliver(events)

    def give_up(self, events: list[Event]) -> None:
        """Take what has come as all that comes, where something was waited for."""
        self.skip_holes(events)
        if self._is_closing:
            self.finish(events)
        self._note_waiting()

    def finish(
        self, events: list[Event], *, is_closed: bool = True, is_end_seen: bool = True
    ) -> None:
        """Tell what is left to tell, and unless it may go on, that the connection has ended.

        Where that is only concluded, whether it was answered is not known.
        """
        if self.is_ended:
            return
        self.is_ended = True
        is_closed = is_closed or self._is_closing
        if self.held.pieces or not self.is_settled:
            self.skip_holes(events)
        end = max(self._acked, self._claimed) if self._fin is None else self._fin
        missing = end - self.at
        # The server acknowledges an end that was not seen as if it were a byte.
        if (self._fin is None) < missing <= FAR_OFF:
            self._send_missing(missing, events)
        is_answer_told = is_closed and (is_end_seen or self._server_fin)
        if self.watch.is_waiting and (self._is_answer_missed() or not is_answer_told):
            events.append(Answer(self._last_ns, self.connection.socket_id, None))
            self.watch.give_up()
        if is_closed and self._has_sent:
            events.append(Closed(self._last_ns, self.connection.socket_id))

    def _note_waiting(self) -> None:
        self.is_waiting = bool(self.held.pieces) or not self.is_settled or self._is_closing

    def _position(self, sequence: int) -> int:
        return self.at + (sequence - self.at + _BEHIND) % _SEQUENCES - _BEHIND

    def _reach(self, sequence: int) -> None:
        if self._reached is None or 0 < (sequence - self._reached) % _SEQUENCES < _BEHIND:
            self._reached = sequence

    def _reset_at(self, position: int, events: list[Event]) -> None:
        """Take a reset, which is the end, where it has not overtaken what was sent before it."""
        self._claimed = max(self._claimed, position)
        # An end that was not seen counts as a byte.
        end = position - 1 if self._fin is None else self._fin
        if self.is_settled and self.at < end:
            self._reset = end
            self._note_waiting()
        else:
            self.finish(events)

    def _end_if_complete(self, events: list[Event]) -> None:
        """End when both ends have said so, or one at once, and nothing is missing before."""
        if self.is_ended:
            return
        if self._reset is not None:
            if self.at < self._reset:
                return
        elif not self._server_fin or self._fin != self.at:
            return
        if not self.watch.is_waiting or not self._is_answer_missed():
            self.finish(events)

    def _is_answer_missed(self) -> bool:
        """Tell whether the server has gone further than what was seen of it."""
        return self._reached is not None and self.watch.is_beyond(self._reached)

    def contradicts(self, sequence: int, data: bytes) -> bool:
        """Tell whether the client has other bytes than were told before, and may be read so."""
        return self._unacknowledged.contradicts(
            self.at, self._acked, self._position(sequence), data, is_answered=self.is_answered
        )

    def _compare(self, sequence: int, data: bytes, events: list[Event]) -> None:
        if self.is_settled and not self._is_doubted and self.contradicts(sequence, data):
            self._doubt_told(Problem.CONFLICTING, events)

    def _mark(self, position: int, problem: Problem, events: list[Event]) -> None:
        """Note that the server may read the stream otherwise from a position on."""
        if self.is_settled and position < self.at:
            if position >= self._acked:
                self._doubt_told(problem, events)
        elif self._doubt is None or position < self._doubt[0]:
            self._doubt = position, problem

    def _doubt_told(self, problem: Problem, events: list[Event]) -> None:
        if not self._is_doubted:
            self._is_doubted = True
            tid, snapshot, _ = self.sender or NOBODY
            events.append(
                Doubt(self._last_ns, self.connection, tid, snapshot, problem, self.is_answered)
            )

    def _hold(
        self, at_ns: int, sequence: int, size: int, data: bytes, acked: Optional[int], flags: int
    ) -> Optional[int]:
        """Hold a segment; returns the first position for which another byte is held already."""
        position = self._position(sequence)
        if self.is_settled:
            if position + size <= self.at:
                return None  # sent again
        elif size == 1 and not flags & PSH and not PRINTED.match(data):
            return None  # a keep-alive probe, whose byte is none
        if self.held is NOTHING:
            self.held = Held()
        return self.held.add(Piece(position, position + size, data, at_ns, acked))

    def _deliver(self, events: list[Event]) -> None:
        if not self.is_settled:
            return
        for piece in self.held.take(self.at):
            size = piece.end - piece.begin
            self._send(piece.at_ns, size, piece.data, piece.acknowledgment, events)
        if self.held.cost > HELD_MAX:
            self._send_missing(self.held.pieces[0].begin - self.at, events)
            self._deliver(events)
        self._end_if_complete(events)

    def _send(
        self, at_ns: int, size: int, data: bytes, acked: Optional[int], events: list[Event]
    ) -> None:
        if self._doubt is not None and self._doubt[0] < self.at + size:
            self._send_doubtful(at_ns, size, data, acked, events)
            return
        connection = self.connection
        if acked is None:
            self._is_opened_with_data = True
        elif self.watch.expect(acked):
            # What came of the request before was received, and not seen here.
            events.append(Answer(at_ns, connection.socket_id, None))
            self.watch.give_up()
            self.watch.expect(acked)
        tid, snapshot, _ = self.sender or NOBODY
        events.append(
            Chunk(
                at_ns,
                connection,
                self.at % _SEQUENCES,
                (self.at - self._base) % _SEQUENCES,
                size,
                data,
                None if len(data) == size else Problem.TRUNCATED,
                tid,
                snapshot,
                self.is_answered,
            )
        )
        self.at += size
        self._has_sent = True
        self._unacknowledged.add(self.at, size, data)

    def _send_doubtful(
        self, at_ns: int, size: int, data: bytes, acked: Optional[int], events: list[Event]
    ) -> None:
        """Tell bytes of which one is in doubt: those before it, without it, those behind it."""
        position, problem = self._doubt or (self.at, Problem.CONFLICTING)
        self._doubt = None
        before = max(position - self.at, 0)
        if before:
            self._send(at_ns, before, data[:before], acked, events)
        self._send_missing(1, events, problem)
        if size > before + 1:
            self._send(at_ns, size - before - 1, data[before + 1 :], acked, events)

    def _send_missing(
        self, size: int, events: list[Event], problem: Problem = Problem.NOT_CAPTURED
    ) -> None:
        if self._doubt is not None and self._doubt[0] < self.at + size:
            _, problem = self._doubt
            self._doubt = None
        is_missing = problem is Problem.NOT_CAPTURED
        tid, snapshot, _ = self.sender or NOBODY
        sequence, offset = self.at % _SEQUENCES, (self.at - self._base) % _SEQUENCES
        events.append(
            Chunk(self._last_ns, self.connection, sequence, offset, size, b"", problem, tid,
                  snapshot, is_answered=self.is_answered and not is_missing)
        )  # fmt: skip
        self.at += size
        self._has_sent = True
        self._unacknowledged.add_missing()
