"""What a proxy or a browser leaves in a request's head, and what is kept of it."""

from __future__ import annotations

import pytest

from analyzer.recorder.decode.http import RequestParser
from analyzer.recorder.decode.relays import HOST_MAX, VIA_MAX
from analyzer.recorder.records import Hint, Relayed, Request
from tests.unit.secret_samples import PASSWORD

IMDS_HOST = b"Host: 169.254.169.254"


def read(*fields: bytes) -> Request:
    head = b"\r\n".join((b"GET /latest/meta-data/ HTTP/1.1", *fields, b"", b""))
    (request,) = RequestParser().feed(head)
    return request


@pytest.mark.parametrize(
    "fields",
    [
        (IMDS_HOST, b"Accept: */*", b"Connection: close"),
        (b"host:169.254.169.254:80", b"User-Agent: curl/8"),
        (b"Host: [fd00:ec2::254]",),
        (b"Host: instance-data.ec2.internal",),
        (b"Host:",),
        (IMDS_HOST, b"Accept-Encoding: gzip", b"X-aws-ec2-metadata-token: x"),
        (IMDS_HOST, b"X-Forwarded-For: unknown", b"Via: \xff"),
    ],
)
def test_an_ordinary_client_leaves_no_mark(fields: tuple[bytes, ...]) -> None:
    """Nor does what is no address, and no Via."""
    assert read(*fields).relayed is None


@pytest.mark.parametrize(
    ("field", "client"),
    [
        (b"X-Forwarded-For: 203.0.113.9", "203.0.113.9"),
        (b"x-forwarded-for: 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (b"X-Forwarded-For: 203.0.113.9:4711", "203.0.113.9"),
        (b"X-Forwarded-For: 2001:db8::1", "2001:db8::1"),
        (b"X-Real-IP: 198.51.100.7", "198.51.100.7"),
        (b'Forwarded: for="[2001:db8::1]:80";proto=https, for=10.0.0.1', "2001:db8::1"),
        (b"Forwarded: by=x;FOR=198.51.100.7", "198.51.100.7"),
        (b"CF-Connecting-IP: 198.51.100.7", "198.51.100.7"),
    ],
)
def test_the_client_is_the_first_address(field: bytes, client: str) -> None:
    """As the proxies on the way write it."""
    assert read(IMDS_HOST, field).relayed == Relayed(client=client)


def test_all_marks_are_read() -> None:
    """Of what browsers send only the names."""
    request = read(
        b"Host: www.example.com",
        b"Via: 1.1 web (squid/5.7)",
        b"X-Forwarded-For: 203.0.113.9",
        b"Cookie: session=" + PASSWORD.encode(),
        b"Referer: https://user:" + PASSWORD.encode() + b"@x/",
    )
    assert request.forwarded
    assert request.relayed == Relayed(
        "1.1 web (squid/5.7)", "203.0.113.9", "www.example.com", ("cookie", "referer")
    )
    assert PASSWORD not in repr(request)


@pytest.mark.parametrize("name", [b"X-Forwarded-For", b"Via", b"Host", b"Forwarded", b"X-Real-IP"])
def test_what_is_in_the_wrong_place_is_not_kept(name: bytes) -> None:
    """Whoever writes a secret there does not find it in the log."""
    assert PASSWORD not in repr(read(name + b": user:" + PASSWORD.encode() + b"@x;y"))


def test_long_text_is_cut() -> None:
    """To what a real one may have."""
    relayed = read(b"Host: " + b"a." * 400 + b"b", b"Via: " + b"1.1 a, " * 100).relayed
    assert relayed is not None
    assert len(relayed.host or "") <= HOST_MAX
    assert len(relayed.via or "") <= VIA_MAX


def test_googles_name_tells_google() -> None:
    """Its libraries before they knew the address."""
    request = read(b"Host: metadata.google.internal")
    assert request.hints == {Hint.GOOGLE_HOST}
    assert not read(b"Host: example.com").hints
