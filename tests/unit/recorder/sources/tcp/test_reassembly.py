"""Conversations as captures show them: out of order, twice, with holes, joined on their way."""

from __future__ import annotations

from typing import Optional

import pytest

from analyzer.recorder.records import UNFRAMED
from analyzer.recorder.source_events import Answer, Chunk, Closed, Connection, Doubt, Event, Problem
from analyzer.recorder.sources.tcp import reassembly
from analyzer.recorder.sources.tcp.conversation import HELD_MAX
from analyzer.recorder.sources.tcp.dissect import NO_PAYLOAD
from analyzer.recorder.sources.tcp.out_of_order import NOTHING
from analyzer.recorder.sources.tcp.reassembly import (
    EVICTED,
    HOLE_WAIT_S,
    HOLES,
    MAX_CONVERSATIONS,
    Reassembler,
    Sender,
)
from tests.packets import (
    CLIENT_START,
    MS,
    OK,
    SERVER_START,
    TOKEN,
    V1,
    V2,
    Side,
    conversation,
    ethernet,
    feed,
    requests,
    sides,
    statuses,
    told,
)
from tests.sends import snapshot

PATH = "/latest/meta-data/"
WHOLE = [(PATH, None)]
GAP = [(None, "capture_gap")]
S = 1_000_000_000


@pytest.mark.parametrize("version", [4, 6])
def test_a_conversation_is_a_request_an_answer_and_an_end(version: int) -> None:
    """With the addresses as the packets have them."""
    events = feed(conversation(version=version))
    chunk, answer, closed = events
    assert isinstance(chunk, Chunk)
    assert chunk.data == V1
    assert chunk.offset == 0
    assert (
        chunk.connection[2:]
        == {
            4: ("10.0.3.7", 41234, "169.254.169.254", 80, False),
            6: ("fd00:ec2::7", 41234, "fd00:ec2::254", 80, False),
        }[version]
    )
    assert answer == Answer(5 * MS, chunk.connection.socket_id, 200, 64)
    assert closed == Closed(8 * MS, chunk.connection.socket_id)
    assert chunk.is_answered
    assert chunk.snapshot is None


def test_what_only_acknowledges_is_counted_and_no_more() -> None:
    """Four of ten."""
    reassembler = Reassembler()
    feed(conversation(), reassembler)
    assert reassembler.counters == {NO_PAYLOAD: 4, "segments": 6}
    assert len(reassembler) == 0
    assert reassembler.held == 0


class TestOrder:
    client, server = sides()

    def opened(self, *pieces: tuple[int, int]) -> list[object]:
        return [self.client.packet("S"), self.server.packet("SA")] + [
            self.client.packet("PA", begin, V2[begin:end]) for begin, end in pieces
        ]

    @pytest.mark.parametrize(
        "pieces",
        [
            [(0, 40), (40, 200)],
            [(40, 200), (0, 40)],
            [(100, 200), (50, 120), (0, 60)],
            [(0, 40), (0, 40), (40, 200), (30, 200)],
            [(40, 80), (40, 200), (0, 200)],
            [(0, 200), (0, 200)],
            [(1, 200), (0, 1)],
        ],
    )
    def test_pieces_in_any_order_are_one_request(self, pieces: list[tuple[int, int]]) -> None:
        events = feed(self.opened(*pieces))
        assert b"".join(each.data for each in events if isinstance(each, Chunk)) == V2
        (captured,) = requests(events)
        assert captured.request.target == PATH
        assert captured.request.token.value == "present"

    def test_bytes_that_contradict_each_other_are_not_believed(self) -> None:
        """Also of those that were held for what was missing: told is what came before them."""
        other = b"#" * len(V1)
        packets = [
            *self.opened(),
            self.client.packet("PA", 40, V1[40:60]),
            self.client.packet("PA", 20, other[20:80]),
            self.client.packet("PA", 0, V1),
        ]
        chunks = [each for each in feed(packets) if isinstance(each, Chunk)]
        assert b"".join(each.data for each in chunks[:2]) == V1[:20]
        assert [each.problem for each in chunks if each.problem] == [Problem.CONFLICTING]
        assert sum(each.size for each in chunks) == len(V1)

    def test_keep_alive_probes_are_nothing_new(self) -> None:
        """They repeat a byte that was acknowledged, or none."""
        probes = [
            self.client.packet("A", len(V1) - 1, b"\0"),
            self.client.packet("A", len(V1) - 1),
        ]
        packets = conversation()
        assert told(feed([*packets[:7], *probes, *packets[7:]])) == WHOLE

    def test_the_same_packets_twice_are_the_same_requests(self) -> None:
        """As captured on two interfaces, and sent again after the end."""
        packets = conversation()
        events = feed([each for packet in packets for each in (packet, packet)] + packets[3:])
        assert told(events) == WHOLE
        assert statuses(events) == [200]
        assert len([each for each in events if isinstance(each, Closed)]) == 1

    def test_the_syn_may_come_late(self) -> None:
        """What was seen before it is no other connection's."""
        packets = conversation()
        events = feed([packets[3], packets[0], packets[1], *packets[4:]])
        assert told(events) == WHOLE
        assert statuses(events) == [200]

    @pytest.mark.parametrize("at", [2, 4])
    def test_the_syn_may_come_after_the_answer(self, at: int) -> None:
        """And even after the end; all else is seen twice, as on two interfaces."""
        packets = conversation()
        rest = [packets[3], packets[5], packets[7], packets[8]]
        events = feed([*rest[:at], packets[0], packets[1], *rest])
        assert told(events) == WHOLE
        assert statuses(events) == [200]

    def test_both_syns_may_come_behind_what_was_sent_after_them(self) -> None:
        """The client's second piece stands before all else."""
        packets = conversation()
        pieces = [self.client.packet("PA", at, V1[at : at + 50]) for at in (50, 0)]
        for opening in ([packets[0], pieces[0], packets[1]], [pieces[0], packets[1]]):
            events = feed([*opening, pieces[1], *packets[4:]])
            assert told(events) == WHOLE
            assert statuses(events) == [200]

    def test_the_answer_may_come_first(self) -> None:
        """Where two directions are captured apart; the answer is not known then."""
        packets = conversation()
        events = feed([packets[5], packets[0], packets[1], packets[3], *packets[7:]])
        assert told(events) == WHOLE
        assert statuses(events) == [None]


class TestInterimAnswers:
    """An interim status is no answer: the final one follows."""

    _, server = sides()
    INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"

    @pytest.mark.parametrize("cut", [25, 30, 36, 62])
    def test_the_final_status_is_told(self, cut: int) -> None:
        """However the server's bytes are divided, and where some come twice."""
        said = self.INTERIM + OK
        ends = ((0, cut), (cut - 5, cut + 2), (cut, len(said)))
        assert statuses(self.told(said, ends)) == [200]

    def test_an_interim_status_in_pieces_leaves_the_answer_unknown(self) -> None:
        """It is not seen where the final one begins, so that none is told, and no wrong one."""
        said = self.INTERIM + OK
        assert statuses(self.told(said, ((0, 10), (10, len(said))))) == [None]

    def told(self, said: bytes, ends: tuple[tuple[int, int], ...]) -> list[Event]:
        pieces = [
            self.server.packet("PA", begin, said[begin:end], acked=len(V1)) for begin, end in ends
        ]
        return feed([*conversation()[:5], *pieces])

    def test_a_head_that_goes_on_in_the_next_segment_has_no_known_end(self) -> None:
        """The next segment of its own is taken for the answer."""
        said = self.INTERIM[:-2]
        pieces = [
            self.server.packet("PA", 0, said, acked=len(V1)),
            self.server.packet("PA", len(said), OK, acked=len(V1)),
        ]
        assert statuses(feed([*conversation()[:5], *pieces])) == [200]


class TestAnswersInParts:
    """A second request is sent before all of the first one's answer has come."""

    client, server = sides()
    HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n"
    NEXT = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"

    def told(self, body: bytes, cut: int, *, is_head_whole: bool = True) -> list[object]:
        """Return the statuses where the client has ``cut`` bytes of the body as it asks again."""
        first, size = len(V1), len(self.HEAD)
        answer = self.HEAD + body.ljust(60)
        pieces = [0, *(() if is_head_whole else (20,)), size + cut, size + 60]
        told = [
            self.server.packet("PA", begin, answer[begin:end], acked=first)
            for begin, end in zip(pieces, pieces[1:])
            if begin != end
        ]
        again = self.client.packet("PA", first, V1, acked=size + cut)
        told.insert(len(pieces) - 2 if cut < 60 else len(told), again)
        done = self.server.packet("PA", size + 60, self.NEXT, acked=2 * first)
        end = self.client.packet("FA", 2 * first, acked=size + 60 + len(self.NEXT))
        begin = [*conversation()[:3], self.client.packet("PA", 0, V1)]
        return list(statuses(feed([*begin, *told, done, end])))

    @pytest.mark.parametrize("cut", [1, 30, 59])
    def test_a_status_is_not_taken_from_a_body(self, cut: int) -> None:
        """The length of the answer tells where the next one begins."""
        lie = b"x" * cut + b"HTTP/1.1 200 OK\r\n\r\n"
        assert self.told(lie, cut) == [200, 401]
        assert self.told(b"", cut) == [200, 401]

    @pytest.mark.parametrize("body", [b"HTTP/1.1 200 OK\r\n\r\n", b""])
    def test_where_there_may_be_a_body_or_none_no_status_is_told(self, body: bytes) -> None:
        """An answer to HEAD looks like one whose body is still to come."""
        assert self.told(body, 0) == [200, None]

    def test_an_answer_behind_a_whole_one_is_told(self) -> None:
        """Be the first one's length known or not."""
        assert self.told(b"HTTP/1.1 404 Not Found\r\n\r\n", 60) == [200, 401]
        assert self.told(b"", 60, is_head_whole=False) == [200, 401]


class TestHoles:
    client, server = sides()

    def test_what_never_comes_is_a_gap_after_a_while(self) -> None:
        """And not before; what is behind it is not taken for the beginning."""
        reassembler = Reassembler()
        packets = [
            self.client.packet("S"),
            self.client.packet("PA", 0, V1[:30]),
            self.client.packet("PA", 50, V1[50:]),
        ]
        for number, packet in enumerate(packets):
            frame = ethernet(packet)
            events = list(reassembler.feed(number, 1, frame, len(frame)))
        assert events == []
        assert reassembler.held > 0
        assert reassembler.expire(int(HOLE_WAIT_S * S) - 1) == []
        missing, chunk = reassembler.expire(int(HOLE_WAIT_S * S) + 2)
        assert isinstance(missing, Chunk)
        assert isinstance(chunk, Chunk)
        assert (missing.size, missing.data) == (20, b"")
        assert chunk.data == V1[50:]
        assert reassembler.held == 0
        assert reassembler.counters[HOLES] == 1

    def test_a_request_with_a_hole_is_unknown(self) -> None:
        """Never v1: the token may have been in it."""
        packets = conversation(V2)
        cut = [self.client.packet("PA", 0, V2[:60]), self.client.packet("PA", 70, V2[70:])]
        (captured,) = requests(feed([*packets[:3], *cut, *packets[4:]]))
        assert captured.request.reason == "capture_gap"

    @pytest.mark.parametrize("lost", [3, 5])
    def test_a_lost_packet_is_told(self, lost: int) -> None:
        """A request of which only the end of the connection tells; an answer that is not known."""
        packets = conversation()
        events = feed(packets[:lost] + packets[lost + 1 :])
        assert told(events) == (GAP if lost == 3 else WHOLE)
        assert statuses(events) == ([] if lost == 3 else [None])

    def test_after_a_gap_the_next_request_is_whole(self) -> None:
        """On the same connection."""
        two = [
            self.client.packet("PA", len(V1), V1, acked=len(OK)),
            self.server.packet("PA", len(OK), OK, acked=2 * len(V1)),
        ]
        packets = conversation()
        events = feed([*packets[:3], *packets[4:7], *two])
        assert told(events) == [*GAP, *WHOLE]

    def test_a_missed_answer_is_told_when_the_client_has_received_it(self) -> None:
        """As where the capture drops some of the server's packets."""
        again = self.client.packet("PA", len(V1), V1, acked=len(OK))
        answer = self.server.packet("PA", len(OK), OK, acked=2 * len(V1))
        events = feed([*conversation()[:4], again, answer])
        assert told(events) == 2 * WHOLE
        assert statuses(events) == [None, 200]

    def test_an_urgent_byte_that_never_came_is_in_doubt(self) -> None:
        """The server may have left it out of the stream, so that is the reason of the gap."""
        packets = [
            *conversation()[:3],
            self.client.packet("U", 0, urgptr=20),
            self.client.packet("U", 0, urgptr=30),
            self.client.packet("PA", 40, V1[40:]),
        ]
        chunks = [each for each in feed(packets) if isinstance(each, Chunk)]
        assert [each.problem for each in chunks] == [Problem.URGENT, None]

    def test_more_than_the_bound_is_not_held(self) -> None:
        """The oldest hole is given up."""
        reassembler = Reassembler()
        packets = [self.client.packet("S")]
        packets += [self.client.packet("A", 1 + at, b"x" * 1000) for at in range(0, HELD_MAX, 1000)]
        most = 0
        for number, packet in enumerate(packets):
            frame = ethernet(packet)
            reassembler.feed(number, 1, frame, len(frame))
            most = max(most, reassembler.held)
        assert most <= HELD_MAX
        assert reassembler.held == 0

    def test_all_connections_together_hold_no_more_than_the_bound(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The one that waits longest gives up first."""
        monkeypatch.setattr(reassembly, "HELD_TOTAL_MAX", 10_000)
        reassembler = Reassembler()
        chunks: list[int] = []
        for number in range(100):
            client, _ = sides(port=5000 + number)
            for packet in (client.packet("S"), client.packet("PA", 1, V1[1:])):
                frame = ethernet(packet)
                events = reassembler.feed(number, 1, frame, len(frame))
                found = [each for each in events if isinstance(each, Chunk)]
                chunks += [each.connection.source_port for each in found]
            assert reassembler.held <= 10_000
        assert chunks[::2] == chunks[1::2] == list(range(5000, 5000 + len(chunks) // 2))
        assert len(chunks) > 100


class TestBeginnings:
    client, server = sides()

    def test_joined_on_its_way(self) -> None:
        """A request that begins where we join is taken; the connection's rest is not known."""
        events = feed(conversation()[3:])
        assert told(events) == WHOLE
        assert statuses(events) == [200]
        (chunk, *_) = events
        assert isinstance(chunk, Chunk)
        assert chunk.offset

    def test_joined_in_the_middle_of_a_request(self) -> None:
        """What is left of it tells nothing."""
        packets = conversation()
        rest = self.client.packet("PA", 30, V1[30:])
        assert told(feed([rest, *packets[4:]])) == GAP

    def test_joined_at_a_keep_alive_probe(self) -> None:
        """Its byte is none."""
        for byte in (b"\0", b"\n"):
            probe = self.client.packet("A", -1, byte)
            assert told(feed([probe, *conversation()[3:]])) == WHOLE
            assert told(feed([probe, *conversation()])) == WHOLE
            assert feed([probe]) == []

    def test_joined_at_a_byte_that_looks_like_a_probe(self) -> None:
        """What follows on it must not be taken for the beginning: "UT" needs no token."""
        put = b"PUT /latest/api/token HTTP/1.1\r\n\r\n"
        packets = [self.client.packet("A", 0, put[:1]), self.client.packet("PA", 1, put[1:])]
        (captured,) = requests(feed([*packets, self.server.packet("PA", 0, OK, acked=len(put))]))
        assert captured.request.method == "PUT"

    def test_fast_open(self) -> None:
        """The first bytes come with the SYN, and again where the server has not taken them."""
        for acked in (0, len(V1)):
            packets = [
                self.client.packet("S", 0, V1),
                self.server.packet("SA", acked=acked),
                self.client.packet("PA", acked, V1[acked:]),
                self.server.packet("PA", 0, OK, acked=len(V1)),
            ]
            events = feed(packets)
            assert told(events) == WHOLE
            assert statuses(events) == [200]

    def test_a_port_is_used_again_before_the_first_beginning_is_known(self) -> None:
        """Joined on its way, and followed by a SYN that is far from what was seen."""
        client = self.client._replace(start=0x7000_0000, other_start=777)
        again = [client.packet("S"), client.packet("PA", 0, V1)]
        assert told(feed([self.client.packet("PA", 0, V1), *again])) == 2 * WHOLE

    def test_a_port_is_used_again(self) -> None:
        """With other sequence numbers it is another connection, even without an end before."""
        first = conversation()
        other = [side._replace(start=0x7000_0000, other_start=777) for side in sides()]
        again = [
            other[0].packet("S"),
            other[0].packet("PA", 0, V2),
        ]
        events = feed([*first[:4], *again])
        assert told(events) == WHOLE * 2
        socks = {each.connection.sock for each in events if isinstance(each, Chunk)}
        assert len(socks) == 2
        # Whether the first was answered is not known, only that it has ended.
        ends = [event for event in events if not isinstance(event, Chunk)]
        assert [type(event) for event in ends] == [Answer, Closed, Answer]
        assert statuses(events) == [None, None]
        assert told(feed([*first, *again])) == WHOLE * 2
        # Without its SYN it is told by numbers that no window reaches; nothing is sure to be v2.
        assert told(feed([*first[:4], again[1]])) == [*WHOLE, (PATH, UNFRAMED)]

    @pytest.mark.parametrize("is_late", [True, False])
    def test_a_port_is_used_again_with_lower_numbers(self, is_late: bool) -> None:
        """A SYN that is late, or was not captured, costs no request."""
        reassembler = Reassembler()
        events: list[Event] = []
        for number in range(20):
            start, other_start = 3_000_000_000 - number * 100_000_000, 77
            client = self.client._replace(start=start, other_start=other_start)
            server = self.server._replace(start=other_start, other_start=start)
            opening = [client.packet("S"), server.packet("SA")]
            packets = [client.packet("PA", 0, V1), server.packet("PA", 0, OK, acked=len(V1))]
            if number == 0 or is_late:
                packets[1:1] = opening
            if number % 2:  # some are not seen to end
                packets.append(client.packet("RA", len(V1), acked=len(OK)))
            for packet in packets:
                frame = ethernet(packet)
                events += reassembler.feed(number * S, 1, frame, len(frame))
        events += reassembler.flush()
        assert told(events) == WHOLE * 20
        assert statuses(events) == [200] * 20

    def test_sequence_numbers_wrap(self) -> None:
        """Both sides' do, in the middle of what is sent."""
        assert SERVER_START + len(OK) > 2**32
        events = feed(conversation(V1 * 3, OK * 3))
        assert told(events) == WHOLE * 3


class TestEnds:
    client, server = sides()

    @pytest.mark.parametrize("is_client", [True, False])
    def test_a_reset_ends_it(self, is_client: bool) -> None:
        """At once."""
        packets = conversation()[:4]
        side = self.client if is_client else self.server
        events = feed([*packets, side.packet("RA", len(V1) if is_client else 0, acked=0)])
        assert isinstance(events[-1], Closed)
        assert told(events) == WHOLE

    @pytest.mark.parametrize("is_client", [True, False])
    @pytest.mark.parametrize("before", [[], [(0, 30)], [(50, 83)], [(0, 30), (50, 83)]])
    def test_a_reset_waits_for_what_it_has_overtaken(
        self, before: list[tuple[int, int]], is_client: bool
    ) -> None:
        """As the other end does; what never comes is a gap."""
        assert len(V1) == 83
        pieces = [self.client.packet("PA", begin, V1[begin:end]) for begin, end in before]
        side = self.client if is_client else self.server
        reset = side.packet("RA", len(V1) if is_client else 0, acked=0 if is_client else len(V1))
        packets = [*conversation()[:3], *pieces, reset]
        reassembler = Reassembler()
        events: list[Event] = []
        for number, packet in enumerate([*packets, self.client.packet("PA", 0, V1)]):
            frame = ethernet(packet)
            events += reassembler.feed(number, 1, frame, len(frame))
        assert told(events) == WHOLE
        assert isinstance(events[-1], Closed)
        assert len(reassembler) == reassembler.held == 0
        events = feed(packets)
        assert {reason for _, reason in told(events)} <= {"capture_gap", "incomplete"}
        assert events

    @pytest.mark.parametrize("is_client", [True, False])
    @pytest.mark.parametrize("flags", ["R", "RA", "FA"])
    def test_the_end_of_an_earlier_connection_ends_no_other(
        self, flags: str, is_client: bool
    ) -> None:
        """It comes late, to a port that is used again."""
        start, other_start = 3_000_000_000, 77
        client = self.client._replace(start=start, other_start=other_start)
        server = self.server._replace(start=other_start, other_start=start)
        packets = [
            client.packet("PA", 0, V1),
            Side(is_client, client.port, 1_000_000_000, 1_900_000_000).packet(flags),
            server.packet("PA", 0, OK, acked=len(V1)),
        ]
        events = feed(packets)
        assert told(events) == WHOLE
        assert statuses(events) == [200]

    def test_a_reset_may_acknowledge_nothing(self) -> None:
        """So answers one who does not know the connection; its own number tells which it is."""
        packets = conversation()
        for before in (packets[:4], packets[:6], packets[3:4]):
            events = feed([*before, self.server.packet("R", len(OK) if before[5:] else 0)])
            assert isinstance(events[-1], Closed)

    def test_a_half_closed_connection_is_answered(self) -> None:
        """The client's end is not the connection's."""
        packets = conversation()
        early = self.client.packet("FA", len(V1))
        events = feed([*packets[:4], early, packets[5], packets[8]])
        assert statuses(events) == [200]
        assert isinstance(events[-1], Closed)

    def test_an_end_before_what_is_missing_waits_for_it(self) -> None:
        """The last segments may come out of order."""
        packets = conversation()
        events = feed([*packets[:3], packets[7], packets[8], packets[3], packets[5]])
        assert told(events) == WHOLE
        assert statuses(events) == [200]
        assert isinstance(events[-1], Closed)

    @pytest.mark.parametrize("behind", [False, True])
    def test_an_end_whose_rest_never_comes_is_the_end_after_a_while(self, behind: bool) -> None:
        """Both sides have ended, and some of the client's bytes are missing before that."""
        reassembler = Reassembler()
        packets = [*conversation()[:3], self.client.packet("PA", 0, V1[:30])]
        if behind:
            packets.append(self.client.packet("PA", 50, V1[50:]))
        packets += [self.client.packet("FA", len(V1)), self.server.packet("FA", 0, acked=30)]
        for number, packet in enumerate(packets):
            frame = ethernet(packet)
            reassembler.feed(number, 1, frame, len(frame))
        assert len(reassembler) == 1
        events = list(reassembler.expire(int(HOLE_WAIT_S * S) + len(packets)))
        sizes = [each.size for each in events if isinstance(each, Chunk)]
        assert sizes == ([20, len(V1) - 50] if behind else [len(V1) - 30])
        assert [type(each) for each in events].count(Closed) == 1
        assert isinstance(events[-1], Closed)
        assert len(reassembler) == 0

    def test_a_reset_waits_for_every_piece_that_it_has_overtaken(self) -> None:
        """The first one that comes late is not the last."""
        pieces = [self.client.packet("PA", at, V1[at : at + 30]) for at in (0, 30, 60)]
        events = feed([*conversation()[:3], self.client.packet("R", len(V1)), *pieces])
        assert told(events) == WHOLE
        assert isinstance(events[-1], Closed)

    def test_the_capture_ends_first(self) -> None:
        """Then the connection has not ended, and an answer may have come yet."""
        events = feed(conversation()[:4])
        assert told(events) == WHOLE
        assert statuses(events) == [None]
        assert not any(isinstance(each, Closed) for each in events)


class TestDoubts:
    """The server may read other bytes than those that were told."""

    client, server = sides()

    def doubts(self, *packets: object) -> list[Problem]:
        events = feed([*conversation()[:4], *packets])
        return [each.reason for each in events if isinstance(each, Doubt)]

    def test_an_urgent_byte_that_was_told_as_a_usual_one(self) -> None:
        """Once for all that was told; nothing, where the server has said to have it."""
        urgent = self.client.packet("UA", 0, urgptr=20)
        assert self.doubts(urgent, urgent) == [Problem.URGENT]
        assert self.doubts(self.server.packet("PA", 0, OK, acked=len(V1)), urgent) == []

    @pytest.mark.parametrize(("pointer", "sizes"), [(20, [19, 1, 63]), (83, [82, 1])])
    def test_an_urgent_byte_is_left_out(self, pointer: int, sizes: list[int]) -> None:
        """Nobody knows whether the server takes it for one of the stream."""
        assert len(V1) == 83
        packets = [*conversation()[:3], self.client.packet("PUA", 0, V1, urgptr=pointer)]
        chunks = [each for each in feed(packets) if isinstance(each, Chunk)]
        assert [each.size for each in chunks] == sizes
        assert [each.problem for each in chunks if each.problem] == [Problem.URGENT]

    def test_other_bytes_sent_again_are_told(self) -> None:
        """Nor may what is no longer kept be taken for the same."""
        assert self.doubts(self.client.packet("PA", 0, V2[: len(V1)])) == [Problem.CONFLICTING]
        many = self.client.packet("A", len(V1), b"x" * 1400)
        more = self.client.packet("A", len(V1) + 1400, b"x" * 1400)
        again = self.client.packet("PA", 0, V1)
        assert self.doubts(self.server.packet("A"), many, more, again) == [Problem.CONFLICTING]

    def test_a_probe_for_a_kept_connection_is_no_other_byte(self) -> None:
        """Where only the client is seen, it cannot be told by what the server has."""
        packets = [self.client.packet("S"), self.client.packet("PA", 0, V1)]
        events = feed([*packets, self.client.packet("A", len(V1) - 1, b"\0")])
        assert [each for each in events if isinstance(each, Doubt)] == []
        events = feed([*packets, self.client.packet("PA", 0, V2[: len(V1)])])
        assert len([each for each in events if isinstance(each, Doubt)]) == 1

    def test_another_request_after_an_end_is_another_connections(self) -> None:
        """What the server had not acknowledged by the end it may read otherwise."""
        ended = [*conversation()[:4], self.client.packet("R", len(V1))]
        assert told(feed([*ended, self.client.packet("PA", 0, V1)])) == WHOLE
        assert len(told(feed([*ended, self.client.packet("PA", 0, V2[: len(V1)])]))) == 2


def test_an_answer_that_is_no_http_has_no_status() -> None:
    answer = sides()[1].packet("PA", 0, b"SSH-2.0-OpenSSH_9.2p1\r\n", acked=len(V1))
    assert statuses(feed([*conversation()[:4], answer])) == [0]


class TestOneSided:
    def test_only_the_clients_half(self) -> None:
        """Whether it is answered cannot be told."""
        packets = [each for each in conversation() if each.dport == 80]
        (captured,) = requests(feed(packets))
        assert captured.request.target == PATH
        assert not captured.is_answered

    def test_only_the_servers_half(self) -> None:
        """That something was asked is told by what the server has acknowledged."""
        packets = [each for each in conversation() if each.sport == 80]
        assert told(feed(packets)) == GAP
        assert told(feed(packets[2:])) == []


class TestCutByTheCapture:
    def events(self, snapshot_bytes: int, reassembler: Reassembler) -> list[Event]:
        events: list[Event] = []
        for number, packet in enumerate(conversation(V2)):
            frame = ethernet(packet)
            events += reassembler.feed(number, 1, frame[:snapshot_bytes], len(frame))
        return events + list(reassembler.flush())

    def test_a_request_is_told_as_truncated(self) -> None:
        """With the path, where there is that much of it."""
        events = self.events(54 + 60, Reassembler())
        (captured,) = requests(events)
        assert captured.request.reason == "truncated"
        assert captured.request.target == PATH
        assert statuses(events) == [200]

    def test_headers_alone_tell_that_there_was_something(self) -> None:
        """And not what."""
        events = self.events(54, Reassembler())
        (captured,) = requests(events)
        assert captured.request.reason == "truncated"
        assert captured.request.target is None
        assert statuses(events) == [None]

    def test_less_than_the_headers_is_counted(self) -> None:
        """There is nothing else to do with it."""
        reassembler = Reassembler()
        assert self.events(40, reassembler) == []
        assert reassembler.counters == {"cut_headers": 10}


class TestSenders:
    def test_who_it_is_is_asked_at_the_syn(self) -> None:
        """Once, where that tells."""
        asked: list[tuple[Optional[int], int]] = []

        def identify(_connection: Connection, start: Optional[int], packet_type: int) -> Sender:
            asked.append((start, packet_type))
            return Sender(7, snapshot(7), is_forwarded=False)

        (captured,) = requests(feed(conversation(), Reassembler(identify)))
        assert captured.snapshot == snapshot(7)
        assert captured.tid == 7
        assert asked == [(CLIENT_START + 1, -1)]

    def test_it_is_asked_again_until_it_tells(self) -> None:
        """With the packets that carry something."""
        answers = [None, Sender(7, snapshot(7), is_forwarded=True)]
        reassembler = Reassembler(lambda *_: answers.pop(0))
        (captured,) = requests(feed(conversation(), reassembler))
        assert captured.tid == 7
        assert captured.connection.is_forwarded
        assert answers == []

    def test_nobody_may_know(self) -> None:
        """Then nobody is told."""
        (captured,) = requests(feed(conversation(), Reassembler(lambda *_: None)))
        assert captured.snapshot is None


def test_connections_are_bounded() -> None:
    """The longest unused are forgotten; what was asked on them is told before."""
    reassembler = Reassembler()
    client, _ = sides()
    frame = bytearray(ethernet(client.packet("PA", 0, V1)))
    events: list[Event] = []
    for number in range(MAX_CONVERSATIONS + 7):
        frame[28:30] = number.to_bytes(2, "big")  # of the client's address
        events += reassembler.feed(number, 1, bytes(frame), len(frame))
    assert len(reassembler) == MAX_CONVERSATIONS
    assert reassembler.counters[EVICTED] == 7
    assert len([each for each in events if isinstance(each, Chunk)]) == 7


def test_a_chunk_without_its_bytes_says_why() -> None:
    """For whoever reads the stream behind."""
    packets = conversation()
    (chunk, _) = feed(packets[:3] + packets[4:])
    assert isinstance(chunk, Chunk)
    assert (chunk.size, chunk.data, chunk.problem) == (len(V1), b"", Problem.NOT_CAPTURED)


def test_nothing_held_is_the_same_nothing_for_all() -> None:
    """What one connection holds is not another one's, whatever became of it."""
    client, other = sides()[0], sides(port=41235)[0]
    reassembler = Reassembler()
    packets = [client.packet("S"), other.packet("S"), client.packet("PA", 9, V1[9:])]
    feed(packets, reassembler)
    assert NOTHING.pieces == []
    assert NOTHING.cost == 0


def test_no_body_is_kept() -> None:
    """Of the server's bytes nothing but the status leaves."""
    secret = TOKEN.decode()
    events = feed(conversation(V1, b"HTTP/1.1 200 OK\r\n\r\n" + TOKEN))
    assert statuses(events) == [200]
    assert secret not in repr(events)
