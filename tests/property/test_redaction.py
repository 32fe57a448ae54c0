"""However requests are cut and mangled, no secret is shown and no length changes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analyzer.recorder.packet_export.redaction import Redactor
from tests.sends import chunk

# Characters that stand for nothing else in a request.
SECRET = b"\xa7\xa8\xa9\xaa"
FIELDS = (
    b"X-aws-ec2-metadata-token: %s",
    b"x-aws-ec2-metadata-token:%s",
    b"Authorization: Bearer %s",
    b"Metadata-Token: %s",
    b"Cookie: a=%s",
    b"X-Unknown: %s",
    b"Host: x\r\n %s",
    b"%s",
)
PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [b"GET /a HTTP/1.1\r\n", b"PUT /b HTTP/1.0\n", b"\r\n", b"\n", b"Host: x\r\n"]
        ),
        st.sampled_from(FIELDS).map(lambda field: field % SECRET + b"\r\n"),
        st.integers(0, 9).map(lambda length: b"Content-Length: %d\r\n" % length),
        st.just(b"Transfer-Encoding: chunked\r\n"),
        st.just(SECRET),
        st.binary(max_size=5),
    ),
    max_size=20,
).map(b"".join)


@given(PIECES, st.lists(st.integers(1, 30), max_size=60), st.sets(st.integers(0, 60)))
def test_no_secret_is_shown(stream: bytes, sizes: list[int], dropped: set[int]) -> None:
    """With any segmentation, and with sends that were not seen."""
    redactor = Redactor()
    shown, fed, at = [], [], 0
    for index, size in enumerate([*sizes, len(stream)]):
        data = stream[at : at + size]
        if data and index not in dropped:
            fed.append(data)
            shown += redactor.feed(chunk(data, at), "")
        at += len(data)
    shown += redactor.flush()
    assert [len(each.data) for each, _ in shown] == [len(each) for each in fed]
    assert not set(SECRET) & set(b"".join(each.data for each, _ in shown))
