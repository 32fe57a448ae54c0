"""The emulated IMDS over loopback: AWS's rules, HTTP/1.x, and where it refuses to listen."""

from __future__ import annotations

import base64
import json
import re
import socket
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import NamedTuple, Optional

import pytest

from analyzer.errors import LabError
from analyzer.lab.loopback import LocalImds
from analyzer.lab.metadata import INSTANCE_ID, REGION, ROLE, ZONE
from analyzer.lab.network_namespace import HOME, NamespaceId, is_home, maybe_network_namespace
from analyzer.lab.server import NO_ANSWER, UNREADABLE, Answered, open_listener
from analyzer.lab.service import MetadataOptions

TOKEN_PATH = "/latest/api/token"
TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"
INSTANCE = "/latest/meta-data/instance-id"
TIMEOUT_S = 30


class Clock:
    """A clock that stands still until it is moved."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Reply(NamedTuple):
    status: int
    body: bytes
    response: HTTPResponse


def ask(imds: LocalImds, method: str, path: str, headers: Optional[dict[str, str]] = None) -> Reply:
    connection = HTTPConnection("127.0.0.1", imds.port, timeout=TIMEOUT_S)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return Reply(response.status, response.read(), response)
    finally:
        connection.close()


def get_token(imds: LocalImds, ttl_s: int = 60) -> str:
    reply = ask(imds, "PUT", TOKEN_PATH, {TTL: str(ttl_s)})
    assert reply.status == 200
    return reply.body.decode("ascii")


def exchange(imds: LocalImds, *sends: bytes) -> bytes:
    """Send raw bytes and return all that comes back until the server hangs up."""
    with socket.create_connection(("127.0.0.1", imds.port), timeout=TIMEOUT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for each in sends:
            connection.sendall(each)
        received = b""
        while data := connection.recv(65536):
            received += data
        return received


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def imds(clock: Clock) -> Iterator[LocalImds]:
    with LocalImds(clock=clock) as running:
        yield running


@pytest.fixture
def strict() -> Iterator[LocalImds]:
    with LocalImds(MetadataOptions(require_tokens=True)) as running:
        yield running


# --- tokens ----------------------------------------------------------------------------


def test_a_token_looks_like_one_of_aws(imds: LocalImds) -> None:
    """A token has 56 base64url characters, begins with AQAEA and ends with ==."""
    reply = ask(imds, "PUT", TOKEN_PATH, {TTL: "21600"})
    assert reply.status == 200
    assert re.fullmatch(rb"AQAEA[A-Za-z0-9_-]{49}==", reply.body)
    assert len(base64.urlsafe_b64decode(reply.body)) == 40
    assert reply.response.getheader("X-Aws-Ec2-Metadata-Token-Ttl-Seconds") == "21600"
    assert reply.response.getheader("Server") == "EC2ws"
    assert reply.response.getheader("Content-Type") == "text/plain"


def test_tokens_differ(imds: LocalImds) -> None:
    """Every request for a token gets another one."""
    assert len({get_token(imds) for _ in range(7)}) == 7


@pytest.mark.parametrize("ttl_s", ["1", "60", "21600"])
def test_a_ttl_within_the_limits_is_accepted(imds: LocalImds, ttl_s: str) -> None:
    """A token may live for 1 to 21600 seconds."""
    assert ask(imds, "PUT", TOKEN_PATH, {TTL: ttl_s}).status == 200


@pytest.mark.parametrize("ttl_s", ["0", "21601", "-1", "", "1.5", "sixty", "1e3", "9" * 40])
def test_a_bad_ttl_is_a_bad_request(imds: LocalImds, ttl_s: str) -> None:
    """A TTL that is no number or out of range is answered with 400."""
    assert ask(imds, "PUT", TOKEN_PATH, {TTL: ttl_s}).status == 400


def test_a_missing_ttl_is_a_bad_request(imds: LocalImds) -> None:
    """A PUT without a TTL is answered with 400."""
    assert ask(imds, "PUT", TOKEN_PATH).status == 400


@pytest.mark.parametrize("version", ["2021-03-23", "1.0", "1999-01-01"])
def test_a_dated_token_path_is_forbidden(imds: LocalImds, version: str) -> None:
    """Tokens come from /latest only."""
    assert ask(imds, "PUT", f"/{version}/api/token", {TTL: "60"}).status == 403


def test_a_forwarded_token_request_is_forbidden(imds: LocalImds) -> None:
    """A PUT that came through a proxy is answered with 403."""
    assert ask(imds, "PUT", TOKEN_PATH, {TTL: "60", "x-forwarded-for": "10.0.0.1"}).status == 403


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_the_token_path_takes_put_only(imds: LocalImds, method: str) -> None:
    """Other methods on the token's path are answered with 405 and what is allowed."""
    reply = ask(imds, method, TOKEN_PATH)
    assert reply.status == 405
    assert reply.response.getheader("Allow") == "OPTIONS, PUT"


def test_a_token_is_good_for_several_requests(imds: LocalImds) -> None:
    """GET and HEAD take a token in a header of any case, and tell how long it is still good."""
    token = get_token(imds)
    for name in (TOKEN, TOKEN.lower(), TOKEN.upper()):
        for method in ("GET", "HEAD"):
            reply = ask(imds, method, INSTANCE, {name: token})
            assert reply.status == 200
            assert reply.response.getheader("X-Aws-Ec2-Metadata-Token-Ttl-Seconds") == "60"


def test_a_token_expires(imds: LocalImds, clock: Clock) -> None:
    """A token works up to its last moment and is refused with 401 from then on."""
    token = get_token(imds, ttl_s=60)
    clock.now_s += 59.5
    reply = ask(imds, "GET", INSTANCE, {TOKEN: token})
    assert reply.status == 200
    assert reply.response.getheader("X-Aws-Ec2-Metadata-Token-Ttl-Seconds") == "1"
    clock.now_s += 0.5
    for method in ("GET", "HEAD"):
        assert ask(imds, method, INSTANCE, {TOKEN: token}).status == 401
    assert ask(imds, "GET", INSTANCE, {TOKEN: get_token(imds)}).status == 200


@pytest.mark.parametrize("bad", ["", "x", "AQAEA" + "A" * 49 + "==", "\xff", "é" * 56])
def test_a_bad_token_is_unauthorized(imds: LocalImds, bad: str) -> None:
    """A token that was never issued is refused, though none is required."""
    for method in ("GET", "HEAD"):
        assert ask(imds, method, INSTANCE, {TOKEN: bad}).status == 401


def test_a_changed_token_is_unauthorized(imds: LocalImds) -> None:
    """A token with its expiry moved or with anything added is refused."""
    raw = base64.urlsafe_b64decode(get_token(imds))
    moved = raw[:4] + (2**60).to_bytes(8, "big") + raw[12:]
    for changed in (moved, raw + b"\0", raw[:-1], raw[::-1]):
        token = base64.urlsafe_b64encode(changed).decode("ascii")
        assert ask(imds, "GET", INSTANCE, {TOKEN: token}).status == 401


def test_a_token_of_another_instance_is_unauthorized(imds: LocalImds, strict: LocalImds) -> None:
    """A token is good only where it was issued."""
    assert ask(imds, "GET", INSTANCE, {TOKEN: get_token(strict)}).status == 401


# --- options ---------------------------------------------------------------------------


def test_imdsv1_works_unless_tokens_are_required(imds: LocalImds, strict: LocalImds) -> None:
    """A request without a token is answered, or refused with 401 where tokens are required."""
    assert ask(imds, "GET", INSTANCE).body == INSTANCE_ID.encode()
    for method in ("GET", "HEAD"):
        assert ask(strict, method, INSTANCE).status == 401
    assert ask(strict, "GET", "/no/such/path").status == 401
    assert ask(strict, "GET", INSTANCE, {TOKEN: get_token(strict)}).status == 200


def test_everything_is_forbidden_when_the_metadata_is_off() -> None:
    """With the endpoint disabled every request is answered with 403, the token's too."""
    with LocalImds(MetadataOptions(metadata_enabled=False)) as off:
        assert ask(off, "GET", INSTANCE).status == 403
        assert ask(off, "GET", "/no/such/path").status == 403
        assert ask(off, "PUT", TOKEN_PATH, {TTL: "60"}).status == 403


def test_a_dropped_token_request_gets_no_answer() -> None:
    """With drop_tokens a PUT waits in vain, while other connections are served."""
    with LocalImds(MetadataOptions(drop_tokens=True)) as imds:
        with socket.create_connection(("127.0.0.1", imds.port), timeout=TIMEOUT_S) as waiting:
            put = b"PUT /latest/api/token HTTP/1.1\r\n\r\n"
            waiting.sendall(put + b"GET / HTTP/1.1\r\n\r\n")
            assert ask(imds, "GET", INSTANCE).status == 200
            # The answer above shows that the server has read on since the PUT was counted.
            while Answered("PUT", TOKEN_PATH, NO_ANSWER, token=False) not in imds.tally():
                assert ask(imds, "GET", INSTANCE).status == 200
            waiting.setblocking(False)
            with pytest.raises(BlockingIOError):
                waiting.recv(1)
        assert Answered("GET", "/", 200, token=False) not in imds.tally()


# --- the tree --------------------------------------------------------------------------


def test_directories_are_listed(imds: LocalImds) -> None:
    """The root lists versions, a version its trees, and a directory marks its directories."""
    assert b"2021-03-23" in ask(imds, "GET", "/").body.split(b"\n")
    trees = ask(imds, "GET", "/latest").body
    assert trees == b"dynamic\nmeta-data\nuser-data"
    assert ask(imds, "GET", "/latest/").body == trees
    names = ask(imds, "GET", "/latest/meta-data/").body.split(b"\n")
    assert {b"iam/", b"instance-id", b"network/", b"placement/"} <= set(names)


@pytest.mark.parametrize("version", ["latest", "1.0", "2021-03-23"])
def test_every_version_has_the_same_facts(imds: LocalImds, version: str) -> None:
    """Dated paths answer as the latest does."""
    assert ask(imds, "GET", f"/{version}/meta-data/placement/region").body == REGION.encode()


def test_a_slash_behind_a_fact_makes_no_difference(imds: LocalImds) -> None:
    """The AWS CLI asks for the availability zone that way."""
    path = "/latest/meta-data/placement/availability-zone"
    assert ask(imds, "GET", path + "/").body == ask(imds, "GET", path).body == ZONE.encode()


def test_the_role_has_credentials_that_cannot_be_taken_for_real(imds: LocalImds) -> None:
    """The credentials' directory names the role, whose document is JSON of the usual shape."""
    directory = "/latest/meta-data/iam/security-credentials"
    assert ask(imds, "GET", directory).body == ROLE.encode()
    assert ask(imds, "GET", directory + "/").body == ROLE.encode()
    document = json.loads(ask(imds, "GET", f"{directory}/{ROLE}").body)
    assert document["Code"] == "Success"
    assert "NOT-A-REAL" in document["AccessKeyId"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["Expiration"])
    assert document["Expiration"] > document["LastUpdated"]


def test_the_identity_document_is_json(imds: LocalImds) -> None:
    """The dynamic tree holds the instance's identity document."""
    document = json.loads(ask(imds, "GET", "/latest/dynamic/instance-identity/document").body)
    assert document["instanceId"] == INSTANCE_ID


def test_user_data_is_there(imds: LocalImds) -> None:
    """User data is bytes, not text."""
    reply = ask(imds, "GET", "/latest/user-data")
    assert reply.body.startswith(b"#!")
    assert reply.response.getheader("Content-Type") == "application/octet-stream"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/latest/meta-data/nothing",
        INSTANCE + "//",
        INSTANCE + "/x",
        "/2000-01-01/",
        "//",
    ],
)
def test_an_unknown_path_is_not_found(imds: LocalImds, path: str) -> None:
    """What is not in the tree is answered with 404."""
    assert ask(imds, "GET", path).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_metadata_can_only_be_read(imds: LocalImds, method: str) -> None:
    """Methods that write are answered with 405."""
    assert ask(imds, method, INSTANCE).status == 405


@pytest.mark.parametrize(
    "target",
    [
        INSTANCE + "?a=b",
        "http://169.254.169.254" + INSTANCE,
        INSTANCE.replace("instance", "%69nstance"),
    ],
)
def test_a_target_may_be_written_in_several_ways(imds: LocalImds, target: str) -> None:
    """The query is ignored, the absolute form and percent-encoding are understood."""
    assert ask(imds, "GET", target).body == INSTANCE_ID.encode()


# --- HTTP/1.x --------------------------------------------------------------------------


def test_a_connection_is_kept_alive(imds: LocalImds) -> None:
    """Several requests go over one connection."""
    connection = HTTPConnection("127.0.0.1", imds.port, timeout=TIMEOUT_S)
    connection.connect()
    port = connection.sock.getsockname()[1]
    for _ in range(3):
        connection.request("GET", INSTANCE)
        assert connection.getresponse().read() == INSTANCE_ID.encode()
        assert connection.sock.getsockname()[1] == port
    connection.close()


def test_pipelined_requests_are_answered_in_order(imds: LocalImds) -> None:
    """Requests that come in one piece get their answers in the same order, then the hang-up."""
    paths = [INSTANCE, "/latest", "/nothing", "/latest/meta-data/placement/region"] * 25
    requests = [f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in paths]
    last = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"
    received = exchange(imds, b"".join(requests) + last)
    statuses = re.findall(rb"HTTP/1\.1 (\d+) ", received)
    assert statuses == [b"200", b"200", b"404", b"200"] * 25 + [b"200"]
    assert received.index(INSTANCE_ID.encode()) < received.index(REGION.encode())


def test_a_client_that_reads_late_gets_everything(imds: LocalImds) -> None:
    """Thousands of pipelined requests are answered though nothing is read at first."""
    request = b"GET /latest/user-data HTTP/1.1\r\n\r\n"
    last = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"
    received = exchange(imds, request * 3000 + last)
    assert received.count(b"HTTP/1.1 200 OK") == 3001


def test_a_request_may_come_byte_by_byte(imds: LocalImds) -> None:
    """However the bytes are split, the request is the same one."""
    request = f"\r\nGET {INSTANCE} HTTP/1.1\r\nConnection: close\r\n\r\n".encode()
    received = exchange(imds, *(request[i : i + 1] for i in range(len(request))))
    assert received.endswith(INSTANCE_ID.encode())
    assert received.count(b"HTTP/1.1 ") == 1


def test_bodies_are_read_over(imds: LocalImds) -> None:
    """A body, with a length or in chunks, is not taken for the next request."""
    body = b"GET /body HTTP/1.1\r\n\r\n"
    chunks = (
        b"5;x=y\r\n" + body[:5] + b"\r\n" + b"%x\r\n" % len(body) + body + b"\r\n0\r\nA: b\r\n\r\n"
    )
    received = exchange(
        imds,
        b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:7],
        body[7:] + b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks[:9],
        chunks[9:] + b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
    )
    assert re.findall(rb"HTTP/1\.1 (\d+) ", received) == [b"405", b"405", b"200"]


def test_head_has_no_body(imds: LocalImds) -> None:
    """HEAD is answered with the length that GET would have, and nothing after the headers."""
    received = exchange(imds, f"HEAD {INSTANCE} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
    assert received.endswith(b"\r\n\r\n")
    assert b"Content-Length: %d\r\n" % len(INSTANCE_ID) in received


def test_http_1_0_hangs_up_unless_told_otherwise(imds: LocalImds) -> None:
    """HTTP/1.0 gets one answer per connection, or several with keep-alive."""
    get = f"GET {INSTANCE} HTTP/1.0\r\n".encode()
    assert exchange(imds, get + b"\r\n").endswith(INSTANCE_ID.encode())
    received = exchange(imds, get + b"Connection: keep-alive\r\n\r\n" + get + b"\r\n")
    assert received.count(b"HTTP/1.1 200") == 2


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"\x16\x03\x01 hello\r\n\r\n", b"400"),
        (b"GET /\r\n\r\n", b"400"),
        (b"GET / HTTP/2.0\r\n\r\n", b"400"),
        (b"GET / x HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nName : x\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", b"501"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 17000, b"400"),
    ],
)
def test_what_is_not_http_is_refused(imds: LocalImds, raw: bytes, status: bytes) -> None:
    """Malformed input gets its status and a hang-up, and is counted as unreadable."""
    assert re.findall(rb"HTTP/1\.1 (\d+) ", exchange(imds, raw)) == [status]
    assert imds.tally() == {Answered(UNREADABLE, UNREADABLE, int(status), token=False): 1}


# --- accounts and addresses ------------------------------------------------------------


def test_answers_are_counted(imds: LocalImds) -> None:
    """Requests are counted by method, path without query, status and presence of a token."""
    token = get_token(imds)
    for _ in range(3):
        ask(imds, "GET", INSTANCE + "?x", {TOKEN: token})
    ask(imds, "GET", INSTANCE)
    ask(imds, "HEAD", "/nothing")
    assert imds.tally() == {
        Answered("PUT", TOKEN_PATH, 200, token=False): 1,
        Answered("GET", INSTANCE, 200, token=True): 3,
        Answered("GET", INSTANCE, 200, token=False): 1,
        Answered("HEAD", "/nothing", 404, token=False): 1,
    }


def test_it_listens_on_several_addresses() -> None:
    """One emulator serves IPv4 and, where the host has it, IPv6."""
    with socket.socket(socket.AF_INET6) as trial:
        try:
            trial.bind(("::1", 0))
        except OSError:
            pytest.skip("this host has no IPv6 loopback")
    with LocalImds(addresses=[("127.0.0.1", 0), ("::1", 0)]) as imds:
        for each in imds.listening:
            connection = HTTPConnection(each.address, each.port, timeout=TIMEOUT_S)
            connection.request("GET", INSTANCE)
            assert connection.getresponse().read() == INSTANCE_ID.encode()
            connection.close()
        assert imds.tally() == {Answered("GET", INSTANCE, 200, token=False): 2}


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "0.0.0.0", "::"])  # noqa: S104 - what must be refused
def test_it_refuses_other_addresses_at_home(address: str) -> None:
    """In the machine's own network namespace only loopback addresses are taken."""
    with pytest.raises(LabError, match="own network namespace"):
        open_listener(address, 0)
    with (
        pytest.raises(LabError, match="own network namespace"),
        LocalImds(addresses=[(address, 0)]),
    ):
        pass


def test_in_doubt_it_is_at_home() -> None:
    """A namespace that cannot be told counts as the machine's own, and so does a known one."""
    assert is_home()
    assert is_home(HOME)
    assert is_home(None)
    with pytest.raises(LabError):
        open_listener("169.254.169.254", 0, home=None)


def test_the_namespace_of_pid_1_is_home_too() -> None:
    """A wrong word about where home is does not help where pid 1 can be looked at."""
    machine = maybe_network_namespace("/proc/1/ns/net")
    assert is_home(NamespaceId(device=0, inode=0)) is (machine == HOME)


def test_a_taken_port_is_explained() -> None:
    """A port that is in use gives an error that says so."""
    with LocalImds() as imds, pytest.raises(LabError, match="something listens there already"):
        open_listener("127.0.0.1", imds.port)
