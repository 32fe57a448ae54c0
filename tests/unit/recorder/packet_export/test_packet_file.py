"""The packet file: what is in it, how large it gets, and what happens when it takes no more."""

from __future__ import annotations

import errno
import os
import resource
import stat
import struct
from pathlib import Path
from typing import NamedTuple, Optional

import pytest

from analyzer.errors import SinkError
from analyzer.recorder.callers import Caller, NamedProcess, User
from analyzer.recorder.packet_export import pcapng
from analyzer.recorder.packet_export.export import PacketExport
from analyzer.recorder.packet_export.framing import MAX_DATA, Frame, Framing
from analyzer.recorder.packet_export.pcapng import BUFFER_BYTES, PacketFile
from analyzer.recorder.source_events import Answer, Attribution, Chunk, Closed
from tests.sends import START, TOKEN, chunk, connection

MIB = 1 << 20
FRAME = Frame(b"E" + bytes(99), 100)
ASK = f"GET /latest/ HTTP/1.1\r\nX-aws-ec2-metadata-token: {TOKEN}\r\n\r\n".encode()


class Packet(NamedTuple):
    """One packet of a file, as its blocks have it."""

    at_ns: int
    length: int
    data: bytes
    comment: str


def _read(path: Path) -> list[Packet]:
    """Read a file by the specification: every block says its length twice."""
    raw, at, kinds, packets = path.read_bytes(), 0, [], []
    while at < len(raw):
        kind, length = struct.unpack_from("=II", raw, at)
        assert length % 4 == 0
        assert raw[at + length - 4 : at + length] == struct.pack("=I", length)
        kinds.append(kind)
        if kind == 6:
            packets.append(_packet(raw[at + 8 : at + length - 4]))
        at += length
    assert kinds == [0x0A0D0D0A, 1, *[6] * len(packets)]
    return packets


def _packet(body: bytes) -> Packet:
    _, high, low, captured, length = struct.unpack_from("=IIIII", body)
    options = body[20 + (captured + 3) // 4 * 4 :]
    comment = ""
    if options:
        code, size = struct.unpack_from("=HH", options)
        assert code == 1
        comment = options[4 : 4 + size].decode()
        assert options[4 + (size + 3) // 4 * 4 :] == bytes(4)
    return Packet(high << 32 | low, length, body[20 : 20 + captured], comment)


def test_packets_are_in_it_with_time_length_and_comment(tmp_path: Path) -> None:
    """Of a packet that was cut, what there is."""
    path = tmp_path / "a.pcapng"
    file = PacketFile(str(path), MIB)
    file.write(1_795_000_000_123_456_789, FRAME, "pid 7 ✓")
    file.write(2, Frame(b"abc", 5000), "")
    file.close()
    assert _read(path) == [
        Packet(1_795_000_000_123_456_789, 100, FRAME.data, "pid 7 ✓"),
        Packet(2, 5000, b"abc", ""),
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_it_never_grows_beyond_its_size(tmp_path: Path) -> None:
    """What comes after is counted, and said once."""
    path = tmp_path / "a.pcapng"
    file = PacketFile(str(path), MIB)
    for index in range(10_000):
        file.write(index, FRAME, "c" * 100)
    file.close()
    packets = _read(path)
    assert path.stat().st_size <= MIB
    assert path.stat().st_size > MIB - 1000
    assert (file.written, file.not_written) == (len(packets), 10_000 - len(packets))
    (notice,) = file.notices()
    assert notice.fields["lacks"] == "it has reached its size"
    assert file.notices() == []


def test_where_it_takes_no_more_it_waits_and_goes_on(tmp_path: Path) -> None:
    """As on a disk that is full for a while: half a block is not left behind."""
    path = tmp_path / "a.pcapng"
    file = PacketFile(str(path), MIB)
    file.write(1, FRAME, "")
    file.flush()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 50, before[1]))
    try:
        file.write(2, FRAME, "")
        file.flush()
        file.flush()
        file.write(3, FRAME, "")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    file.flush()
    file.write(4, FRAME, "")
    file.close()
    assert [packet.at_ns for packet in _read(path)] == [1, 2, 4]
    assert (file.written, file.not_written) == (3, 1)
    (paused, resumed) = file.notices()
    assert (paused.level, paused.fields["lacks"]) == ("error", os.strerror(errno.EFBIG))
    assert resumed.level == "info"


def test_a_long_comment_is_cut(tmp_path: Path) -> None:
    """Between two characters."""
    path = tmp_path / "a.pcapng"
    file = PacketFile(str(path), MIB)
    file.write(1, FRAME, "€" * BUFFER_BYTES)
    file.close()
    (packet,) = _read(path)
    assert set(packet.comment) == {"€"}
    assert len(packet.comment.encode()) <= pcapng.COMMENT_MAX


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("not/there", "No such file"),
        ("directory", "directory"),
        ("link", "symbolic link"),
        ("pipe", "not a file"),
        ("text", "not overwritten"),
    ],
)
def test_what_it_must_not_write_to_stays_as_it_is(tmp_path: Path, name: str, said: str) -> None:
    """And it is said why."""
    (tmp_path / "directory").mkdir()
    (tmp_path / "text").write_text("mine")
    (tmp_path / "link").symlink_to("elsewhere")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SinkError, match=said):
        PacketFile(str(tmp_path / name), MIB)
    assert (tmp_path / "text").read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()


def test_an_earlier_capture_is_begun_anew(tmp_path: Path) -> None:
    """As other programs that capture do."""
    path = tmp_path / "a.pcapng"
    for at_ns in (1, 2):
        file = PacketFile(str(path), MIB)
        file.write(at_ns, FRAME, "")
        file.close()
    assert [packet.at_ns for packet in _read(path)] == [2]


class Segment(NamedTuple):
    """Of a frame what dissecting it shows."""

    ports: tuple[int, int]
    sequence: int
    acknowledged: int
    data: bytes
    size: int


def _dissect(frame: Frame) -> Segment:
    assert frame.data[0] == 0x45
    assert struct.unpack_from("!H", frame.data, 2)[0] == frame.length
    assert frame.data[9] == 6
    source, destination, sequence, acknowledged, words = struct.unpack_from(
        "!HHIIB", frame.data, 20
    )
    assert words == 5 << 4
    return Segment(
        (source, destination), sequence, acknowledged, frame.data[40:], frame.length - 40
    )


def test_headers_carry_the_numbers_that_are_known() -> None:
    """The client's own; the server's count what is shown of it."""
    framing = Framing()
    first, second = chunk(b"a" * 20), chunk(b"b" * 30, 20, missing=70)
    socket_id = first.connection.socket_id
    assert _dissect(framing.sent(first)) == Segment((41234, 80), START, 1, b"a" * 20, 20)
    answer = _dissect(framing.maybe_answered(Answer(0, socket_id, 404)))
    assert answer.data.startswith(b"HTTP/1.1 404\r\n")
    assert (answer.ports, answer.sequence) == ((80, 41234), 1)
    assert answer.acknowledged == (START + 20) % 2**32
    after = _dissect(framing.sent(second))
    assert (after.sequence, after.size, after.data) == ((START + 20) % 2**32, 100, b"b" * 30)
    assert after.acknowledged == 1 + len(answer.data)
    end = _dissect(framing.maybe_closed(Closed(0, socket_id)))
    assert (end.sequence, end.size) == ((START + 120) % 2**32, 0)
    assert framing.maybe_closed(Closed(0, socket_id)).data == b""
    assert framing.maybe_answered(Answer(0, socket_id, 200)).data == b""


def test_a_connection_that_began_with_its_first_send_has_one_row_of_numbers() -> None:
    """Before there is a connection there is no sequence number and no port."""
    framing = Framing()
    opening = chunk(b"a" * 20, port=0)._replace(sequence=None)
    after = chunk(b"b" * 30, 20)._replace(
        connection=connection()._replace(sock=opening.connection.sock)
    )
    assert _dissect(framing.sent(opening)).sequence == 1
    assert _dissect(framing.sent(after)).sequence == 21


def test_a_connection_that_was_seen_from_its_start_is_opened() -> None:
    """Not one that was joined, one that was opened already, or one without a number."""
    framing, first = Framing(), chunk(ASK)
    asked, taken = framing.opened(first)
    assert (asked.data[33], taken.data[33]) == (0x02, 0x12)  # SYN, and SYN with ACK
    found = _dissect(asked)
    assert (found.ports, found.sequence, found.size) == ((41234, 80), (START - 1) % 2**32, 0)
    found = _dissect(taken)
    assert (found.ports, found.sequence, found.acknowledged) == ((80, 41234), 0, START)
    framing.sent(first)
    assert framing.opened(chunk(ASK)) == ()
    for other in (chunk(ASK, 20), first._replace(sequence=None), chunk(ASK, port=0)):
        assert Framing().opened(other) == ()


def test_a_send_longer_than_a_packet_is_cut() -> None:
    """The length field has 16 bits."""
    assert _dissect(Framing().sent(chunk(b"a" * 10, missing=1 << 20))).size == MAX_DATA


def test_ipv6_has_its_own_header() -> None:
    """Also where the client's end is not known yet."""
    ends = connection()._replace(source_ip="0.0.0.0", destination_ip="fd00:ec2::254")  # noqa: S104
    frame = Framing().sent(chunk(b"abc")._replace(connection=ends))
    assert frame.data[0] == 0x60
    assert struct.unpack_from("!HB", frame.data, 4) == (23, 6)
    assert frame.data[8:24] == bytes(16)
    assert frame.length == 63


def _caller(process: Optional[NamedProcess], attribution: Attribution = Attribution.CALL) -> Caller:
    return Caller(process, (), False, None, None, attribution=attribution)


def _recorded(tmp_path: Path, caller: Caller, *chunks: Chunk) -> list[Packet]:
    path = tmp_path / "a.pcapng"
    recording = PacketExport(PacketFile(str(path), MIB))
    recording.clock_set(1000)
    said: list[object] = []
    for each in chunks:
        recording.sent(each, caller, [])
    recording.answered(Answer(7, chunks[0].connection.socket_id, 200))
    recording.closed(Closed(8, chunks[0].connection.socket_id))
    recording.expire(9, lambda *_, **fields: said.append(fields))
    recording.flush(lambda *_, **fields: said.append(fields))
    recording.close()
    packets = _read(path)
    assert said == [{"packets_written": len(packets), "packets_not_written": 0}]
    return packets


def test_each_packet_says_who_sent_it(tmp_path: Path) -> None:
    """In one line each, with nothing that acts on a terminal, and no secret in the bytes."""
    process = NamedProcess(7, "a\x1b[31m", "/bin/a", ("a", "-x\nfaked: 1"), False, 5, User(0, None))
    packets = _recorded(tmp_path, _caller(process, Attribution.SOCKET), chunk(ASK))
    assert [packet.comment for packet in packets[:2]] == ["", ""]  # they open the connection
    assert packets[2].comment.splitlines() == [
        "process: a\\x1b[31m (pid 7)",
        "executable: /bin/a",
        "args: a -x\\x0afaked: 1",
        "attribution: by socket",
    ]
    assert [packet.at_ns for packet in packets] == [1000, 1000, 1000, 1007, 1008]
    raw = (tmp_path / "a.pcapng").read_bytes()
    assert TOKEN.encode() not in raw
    assert b"X-aws-ec2-metadata-token: ****" in raw


def test_who_is_not_known_is_said_so(tmp_path: Path) -> None:
    """A guest behind the host."""
    _, _, sent, *_ = _recorded(tmp_path, _caller(None), chunk(ASK))
    assert sent.comment == "process: not known"
