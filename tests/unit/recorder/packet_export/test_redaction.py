"""What a packet file shows of a send: how it asks, and nothing that could be used."""

from __future__ import annotations

import pytest

from analyzer.recorder.packet_export.redaction import MAX_CONNECTIONS, MAX_HEAD_BYTES, Redactor
from analyzer.recorder.source_events import Chunk, Closed, Problem
from tests.sends import TOKEN, chunk, connection
from tests.unit.secret_requests import INNOCENT_AGENTS, INNOCENT_TARGETS, PACKETS, get
from tests.unit.secret_samples import leaks

SECRET = TOKEN.encode()
KEY = b"wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00"
COVERED = b"*" * len(SECRET)
HEAD = b"GET /latest/meta-data/ HTTP/1.1\r\nHost: 169.254.169.254\r\n"
ASK = HEAD + b"X-aws-ec2-metadata-token: " + SECRET + b"\r\nUser-Agent: curl/8\r\n\r\n"
SHOWN = ASK.replace(SECRET, COVERED)
PLAIN = HEAD + b"\r\n"


def _shown(*chunks: Chunk) -> list[bytes]:
    """Return the data of each as it may be shown, those that were held to the end behind."""
    redactor = Redactor()
    ready = [each for chunk in chunks for each in redactor.feed(chunk, "")]
    return [each.data for each, _ in ready + redactor.flush()]


def _in_pieces(data: bytes, size: int) -> list[Chunk]:
    return [chunk(data[at : at + size], at) for at in range(0, len(data), size)]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (PLAIN, PLAIN),
        (ASK, SHOWN),
        (ASK.replace(b"X-aws-ec2", b"x-AWS-ec2"), SHOWN.replace(b"X-aws-ec2", b"x-AWS-ec2")),
        (
            b"PUT /latest/api/token HTTP/1.1\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n",
            b"PUT /latest/api/token HTTP/1.1\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n",
        ),
        (
            HEAD + b"Authorization: Bearer Oracle\r\nCookie: a=b\r\n\r\n",
            HEAD + b"Authorization: *************\r\nCookie: ***\r\n\r\n",
        ),
        # Folded: whose value it goes on with does not matter.
        (
            HEAD + b"Host: x\r\n " + SECRET + b"\r\n\r\n",
            HEAD + b"Host: x\r\n" + b"*" * (len(SECRET) + 2) + b"\n\r\n",
        ),
        (HEAD + SECRET + b"\r\n\r\n", HEAD + COVERED + b"*\n\r\n"),
        (
            b"POST /x HTTP/1.1\r\nContent-Length: 6\r\n\r\nsecret" + PLAIN,
            b"POST /x HTTP/1.1\r\nContent-Length: 6\r\n\r\n******" + PLAIN,
        ),
        (
            b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nsecret\r\n0\r\n\r\n",
            b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"*" * 16,
        ),
        (b"secret\r\n\r\n", b"*" * 10),
        (b"\x16\x03\x01secret", b"*" * 9),
        (b"GET /half-a-head HTTP/1.1\r\nHost: x\r\n", b"*" * 36),
    ],
)
def test_what_is_shown(sent: bytes, expected: bytes) -> None:
    """The length is what was sent."""
    assert len(sent) == len(expected)
    assert _shown(chunk(sent)) == [expected]


@pytest.mark.parametrize("place", ["?token=", "?X-Amz-Security-Token=", "AQAEAHYKwx"])
def test_a_request_line_that_the_log_would_mask_is_covered(place: str) -> None:
    """Whole: where in it the secret is need not be known."""
    line = f"GET /latest/{place}{TOKEN} HTTP/1.1\r".encode()
    assert _shown(chunk(line + b"\nHost: x\r\n\r\n")) == [b"*" * len(line) + b"\nHost: x\r\n\r\n"]


@pytest.mark.parametrize("name", [SECRET[:-2], KEY, b"x" + SECRET[:-2]])
def test_a_secret_in_the_place_of_a_field_s_name_is_covered(name: bytes) -> None:
    """As a client makes it that has mixed up name and value."""
    shown = PLAIN[:-2] + b"*" * len(name) + b": *\r\n\r\n"
    assert _shown(chunk(PLAIN[:-2] + name + b": x\r\n\r\n")) == [shown]


@pytest.mark.parametrize(
    "value",
    [b"user:password@169.254.169.254", b"user:@x", b":password@x", b"a b:c@d:80", KEY, b"a " + KEY],
)
@pytest.mark.parametrize("name", [b"Host", b"Via", b"User-Agent"])
def test_a_value_with_a_password_or_a_key_is_covered(name: bytes, value: bytes) -> None:
    """Without a URL before it the log's masking does not know it for one."""
    head = b"GET / HTTP/1.1\r\n" + name + b": "
    assert _shown(chunk(head + value + b"\r\n\r\n")) == [head + b"*" * len(value) + b"\r\n\r\n"]


def test_a_target_with_a_password_is_covered() -> None:
    """CONNECT takes no URL."""
    line = b"CONNECT user:password@169.254.169.254:80 HTTP/1.1\r"
    assert _shown(chunk(line + b"\n\r\n")) == [b"*" * len(line) + b"\n\r\n"]


USUAL_FIELDS = (
    "Accept: */*",
    "Accept: application/json, text/plain;q=0.9, */*; q=0.8",
    "Accept: text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
    "Accept-Encoding: gzip, deflate, br",
    "Accept-Encoding: gzip;q=1.0,deflate;q=0.6,identity;q=0.3",
    "Accept-Encoding: identity",
    "Accept-Language: de-DE,de;q=0.9,en;q=0.5,*;q=0.1",
    "Cache-Control: no-cache, max-age=0",
    "Pragma: no-cache",
    "Connection: Keep-Alive",
    "Connection: Upgrade, HTTP2-Settings",
    "Content-Type: application/json; charset=utf-8",
    "Date: Sat, 21 Nov 2026 18:50:01 GMT",
    "Expect: 100-continue",
    "Metadata: true",
    "Metadata-Flavor: Google",
    "TE: trailers, deflate;q=0.5",
    "Transfer-Encoding: gzip",
)


@pytest.mark.parametrize("field", USUAL_FIELDS)
def test_a_usual_field_is_shown(field: str) -> None:
    """Each has its form, and another word in its place is covered (see the packets below)."""
    head = f"GET / HTTP/1.1\r\n{field}\r\n\r\n".encode()
    assert _shown(chunk(head)) == [head]


def test_usual_fields_are_shown() -> None:
    """None of them looks like a secret."""
    head = (
        b"GET /computeMetadata/v1/instance/attributes/ HTTP/1.1\r\n"
        b"Host: [fd00:ec2::254]:80\r\n"
        b"User-Agent: aws-sdk-go/1.44.100 (go1.19; linux; amd64) me@example.com\r\n"
        b"Date: Sat, 21 Nov 2026 18:50:01 GMT\r\n"
        b"X-Forwarded-For: 10.0.0.1, fd00::1\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n"
        b"X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n\r\n"
    )
    assert _shown(chunk(head)) == [head]


@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_a_head_is_shown_when_all_of_it_is_there(size: int) -> None:
    """In the pieces it was sent in."""
    pieces = _in_pieces(ASK + PLAIN, size)
    shown = _shown(*pieces)
    assert b"".join(shown) == SHOWN + PLAIN
    assert [len(each) for each in shown] == [each.size for each in pieces]


def test_notes_stay_with_their_sends() -> None:
    """Also with those that wait."""
    redactor = Redactor()
    assert redactor.feed(chunk(ASK[:50]), "first") == []
    ready = redactor.feed(chunk(ASK[50:], 50), "second")
    assert [(each.data, note) for each, note in ready] == [
        (SHOWN[:50], "first"),
        (SHOWN[50:], "second"),
    ]


@pytest.mark.parametrize("problem", [Problem.TRUNCATED, Problem.UNREADABLE])
def test_a_send_that_was_cut_is_covered_and_the_next_request_shown(problem: Problem) -> None:
    """What is missing may have been the name of a field."""
    cut = chunk(ASK[:60], missing=len(ASK) - 60, problem=problem)
    after = chunk(SECRET, len(ASK))
    again = chunk(ASK, len(ASK) + len(SECRET))
    assert _shown(cut, after, again) == [b"*" * 60, COVERED, SHOWN]


@pytest.mark.parametrize("gap", [-10, 10])
def test_behind_a_jump_nothing_is_believed_but_a_new_request(gap: int) -> None:
    """Bytes that were not seen, or that were sent again."""
    shown = _shown(chunk(ASK[:60]), chunk(ASK[60:], 60 + gap), chunk(PLAIN, 500))
    assert shown == [b"*" * 60, b"*" * len(ASK[60:]), PLAIN]


def test_a_connection_joined_on_its_way_shows_its_next_request() -> None:
    """What comes first may be the rest of a secret."""
    joined = chunk(SECRET + b"\r\n\r\n", 7, offset=7)
    assert _shown(joined, chunk(ASK, 7 + joined.size)) == [b"*" * joined.size, SHOWN]


def test_the_end_of_a_connection_gives_back_what_was_held() -> None:
    """Covered."""
    redactor = Redactor()
    redactor.feed(chunk(ASK[:50]), "")
    ((held, _),) = redactor.close(Closed(0, connection().socket_id))
    assert held.data == b"*" * 50
    assert redactor.flush() == []


def test_what_is_held_is_bounded() -> None:
    """In bytes of a head, in connections, and in time."""
    redactor = Redactor()
    endless = b"GET / HTTP/1.1\r\nA: " + b"s" * MAX_HEAD_BYTES
    assert [each.data for each, _ in redactor.feed(chunk(endless), "")] == [b"*" * len(endless)]
    for port in range(MAX_CONNECTIONS):
        assert redactor.feed(chunk(b"GET /", port=port + 1, at_ns=port), "") == []
    ready = redactor.feed(chunk(b"GET /", port=60000, at_ns=MAX_CONNECTIONS), "")
    assert [each.connection.source_port for each, _ in ready] == [1]
    assert len(redactor.expire(10**12)) == MAX_CONNECTIONS


@pytest.mark.parametrize("way", PACKETS)
@pytest.mark.parametrize("size", [7, 10_000], ids=["in pieces", "whole"])
def test_no_piece_of_a_secret_is_shown(way: str, size: int) -> None:
    """Wherever in a request a secret stands, and however that is sent."""
    pieces = _in_pieces(PACKETS[way], size)
    shown = b"".join(_shown(*pieces))
    assert len(shown) == len(PACKETS[way])
    assert leaks(shown.decode("latin-1")) == []


@pytest.mark.parametrize("target", INNOCENT_TARGETS)
def test_an_innocent_target_is_shown(target: str) -> None:
    """Packets are there to see how programs ask."""
    assert _shown(chunk(get(target))) == [get(target)]


@pytest.mark.parametrize("agent", INNOCENT_AGENTS)
def test_an_innocent_user_agent_is_shown(agent: str) -> None:
    """Its versions and hashes are no secrets."""
    assert _shown(chunk(get("/", agent))) == [get("/", agent)]
