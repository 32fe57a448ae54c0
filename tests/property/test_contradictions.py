"""Packets made by hand to show one request and have the server read another.

Beside what is captured runs a receiver that does as Linux does: some segments never reach it, of
two with the same sequence numbers it takes now the first and now the last, and it leaves urgent
bytes out, or does not.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.recorder.records import Outcome, Record, Version
from tests.packets import OK, TOKEN, V1, V2, feed, logged, sides

client, server = sides()
# Of one length, and alike but for one byte here or there.
NAME = b"X-aws-ec2-metadata-token"
HEAD = b"GET /a HTTP/1.1\r\nHost: x\r\n%b: " + TOKEN + b"\r\n\r\n"
WITH, WITHOUT = HEAD % NAME, HEAD % NAME.replace(b"aws", b"sws")
PUT = b"PUT /latest/api/token HTTP/1.1\r\n\r\n"
LENGTH = len(WITH) * 3
STREAMS = (WITH + WITHOUT + WITH, WITHOUT * 3, WITHOUT + WITH * 2, WITH * 3, (PUT * 10)[:LENGTH])
assert {len(each) for each in STREAMS} == {LENGTH}


class Sent(NamedTuple):
    """A segment: which stream its bytes are of, and whether it reaches the server."""

    begin: int
    end: int
    stream: int
    arrives: bool
    urgent: Optional[int]  # the pointer


class Receiver:
    """Reads a stream as a server on Linux does, and notes each head that is complete."""

    def __init__(self, *, is_last_taken: bool, is_inline: bool) -> None:
        self.next = 0
        self.tokens: list[bool] = []  # of each request read, whether it had a token
        self._waiting: dict[int, int] = {}  # out of order: position -> byte
        self._is_last_taken = is_last_taken
        self._is_inline = is_inline
        self._urgent: Optional[int] = None
        self._read = b""

    def take(self, sent: Sent) -> int:
        """Take a segment that has arrived; returns how many requests are complete with it."""
        if sent.urgent is not None:
            position = sent.begin + max(sent.urgent - 1, 0)
            if position >= self.next and (self._urgent is None or position > self._urgent):
                self._urgent = position
        in_order = sent.begin <= self.next
        for position in range(max(sent.begin, self.next), sent.end):
            byte = STREAMS[sent.stream][position]
            # What comes in order is read at once; of what waits for it there may be another.
            if in_order or self._is_last_taken or position not in self._waiting:
                self._waiting[position] = byte
        while self.next in self._waiting:
            byte = self._waiting.pop(self.next)
            if self._is_inline or self.next != self._urgent:
                self._read += bytes([byte])
            self.next += 1
        before = len(self.tokens)
        while b"\r\n\r\n" in self._read:
            head, _, self._read = self._read.partition(b"\r\n\r\n")
            names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")]
            self.tokens.append(NAME.lower() in names or head.startswith(b"PUT /latest/api/token "))
        return len(self.tokens) - before


@st.composite
def segments(draw: st.DrawFn) -> list[Sent]:
    """Return segments with bytes of several streams, and at last all of one of them."""
    edges = st.integers(0, LENGTH)
    sent = []
    for _ in range(draw(st.integers(1, 10))):
        begin, end = sorted((draw(edges), draw(edges)))
        if draw(st.booleans()):  # the edges of requests are more likely than others
            begin, end = begin // len(WITH) * len(WITH), -(-end // len(WITH)) * len(WITH)
        urgent = draw(st.none() | st.none() | st.integers(0, LENGTH))
        stream = draw(st.integers(0, len(STREAMS) - 1))
        sent.append(Sent(begin, min(end, LENGTH), stream, draw(st.booleans()), urgent))
    step = draw(st.sampled_from([len(WITH), 50, LENGTH]))
    stream = draw(st.integers(0, len(STREAMS) - 1))
    rest = [Sent(at, min(at + step, LENGTH), stream, True, None) for at in range(0, LENGTH, step)]
    return [each for each in sent if each.begin < each.end] + rest


def captured(sent: list[Sent], receiver: Receiver) -> list[Any]:
    """Return all packets that there are: the answers as soon as a request is complete."""
    packets = [client.packet("S"), server.packet("SA"), client.packet("A")]
    answered = 0
    for each in sent:
        data = STREAMS[each.stream][each.begin : each.end]
        fields = {} if each.urgent is None else {"urgptr": each.urgent}
        flags = "PA" if each.urgent is None else "PAU"
        packets.append(client.packet(flags, each.begin, data, acked=answered * len(OK), **fields))
        if each.arrives:
            for _ in range(receiver.take(each)):
                packets.append(server.packet("PA", answered * len(OK), OK, acked=receiver.next))
                answered += 1
    return packets


@settings(max_examples=150, deadline=None)
@given(segments(), st.booleans(), st.booleans())
def test_a_call_without_a_token_is_never_one_with(
    sent: list[Sent], is_last_taken: bool, is_inline: bool
) -> None:
    """Nor is it missing: what may have been read otherwise is unknown."""
    receiver = Receiver(is_last_taken=is_last_taken, is_inline=is_inline)
    records = logged(feed(captured(sent, receiver)))
    believed = [each for each in records if each.verdict.version is Version.V2]
    assert len([each for each in believed if is_success(each)]) <= sum(receiver.tokens)
    if not all(receiver.tokens):
        assert len(records) > len(believed)


def is_success(record: Record) -> bool:
    return record.response is not None and record.response.outcome is Outcome.SUCCESS


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, LENGTH), st.integers(1, 200)), max_size=8), st.booleans())
def test_the_same_bytes_again_are_no_contradiction(
    repeated: list[tuple[int, int]], arrives: bool
) -> None:
    """In any order, whether they reach the server or not."""
    again = [Sent(at, min(at + size, LENGTH), 0, arrives, None) for at, size in repeated]
    whole = [Sent(at, at + len(WITH), 0, True, None) for at in range(0, LENGTH, len(WITH))]
    receiver = Receiver(is_last_taken=True, is_inline=True)
    sent = [each for each in again if each.begin < each.end] + whole
    records = logged(feed(captured(sent, receiver)))
    assert [each.verdict.version.value for each in records] == ["v2", "v1", "v2"]


def test_what_is_shown_first_and_never_arrives_is_not_believed() -> None:
    """The server reads the second; its answer is not the first one's."""
    packets = [client.packet("S"), server.packet("SA"), client.packet("PA", 0, WITH)]
    packets += [client.packet("PA", 0, WITHOUT), server.packet("PA", 0, OK, acked=len(WITHOUT))]
    (record,) = logged(feed(packets))
    assert record.verdict.version is Version.UNKNOWN
    assert record.verdict.reason == "conflicting_bytes"
    assert is_success(record)
    assert record.request.target is None


def test_what_the_server_has_acknowledged_stays() -> None:
    """Whatever is sent again behind that, it takes no other."""
    packets = [client.packet("S"), server.packet("SA"), client.packet("PA", 0, V2)]
    packets += [server.packet("PA", 0, OK, acked=len(V2)), client.packet("PA", 0, V1)]
    (record,) = logged(feed(packets))
    assert record.verdict.version is Version.V2


def test_an_end_that_never_arrived_hides_nothing() -> None:
    """A reset with a wrong checksum, and what is sent in the place of what was."""
    packets = [client.packet("S"), server.packet("SA"), client.packet("PA", 0, WITH)]
    packets += [client.packet("R", len(WITH)), client.packet("PA", 0, WITHOUT)]
    packets += [server.packet("PA", 0, OK, acked=len(WITHOUT))]
    records = logged(feed(packets))
    assert [each.verdict.version.value for each in records] == ["v2", "v1"]
    assert [is_success(each) for each in records] == [False, True]


def test_urgent_data_is_unknown() -> None:
    """Of a request whose token only one of two readings has, and of what follows."""
    at = WITH.index(NAME) + 3
    packets = [client.packet("S"), server.packet("SA")]
    packets += [client.packet("PAU", 0, WITH[: at + 1], urgptr=at + 1)]
    packets += [client.packet("PA", at + 1, WITH[at + 1 :] + WITH)]
    records = logged(feed(packets))
    assert [each.verdict.reason for each in records] == ["urgent_data"] * 2
    assert records[0].request.target == "/a"


def test_an_urgent_pointer_may_come_before_its_byte() -> None:
    """In a segment of its own."""
    packets = [client.packet("S"), server.packet("SA"), client.packet("AU", 0, urgptr=9)]
    records = logged(feed([*packets, client.packet("PA", 0, WITH)]))
    assert [each.verdict.reason for each in records] == ["urgent_data"]
    packets = [*packets[:2], client.packet("AU", 0, urgptr=len(WITH) + 1)]
    records = logged(feed([*packets, client.packet("PA", 0, WITH)]))
    assert [each.verdict.version for each in records] == [Version.V2]
