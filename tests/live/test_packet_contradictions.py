"""What is shown on the wire and not read by the server, or read otherwise; and the hop limit."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from analyzer.imds import IMDS_IPV4
from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from tests.live.watch import Watch, eventually, new_marker

NAME = "X-aws-ec2-metadata-token"
TOKEN_REQUEST = f"PUT /latest/api/token HTTP/1.1\r\n{NAME}-ttl-seconds: 60\r\n\r\n".encode()
# Shows a request with a token in a segment whose checksum is wrong, which Linux drops, and then
# sends one without through the socket itself. It prints the path that it asked for.
FORGER = """
import socket, struct, sys
address, marker = sys.argv[1:]
sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
client = socket.create_connection((address, 80))
port = client.getsockname()[1]
numbers = None
while numbers is None:
    packet = sniffer.recv(65536)
    ports, flags = struct.unpack_from("!HH", packet, 20), packet[33]
    if ports == (80, port) and flags & 18 == 18:
        numbers = struct.unpack_from("!II", packet, 24)
theirs, ours = numbers
head = f"GET /latest/{marker} HTTP/1.1\\r\\n%s: x\\r\\n\\r\\n"
shown = (head % "X-aws-ec2-metadata-token").encode()
sent = (head % "X-sws-ec2-metadata-token").encode()
ends = socket.inet_aton(client.getsockname()[0]) + socket.inet_aton(address)
tcp = struct.pack("!HHIIBBHHH", port, 80, ours, theirs + 1 & 0xFFFFFFFF, 80, 24, 512, 0xBAD, 0)
ip = struct.pack("!BBHHHBBH", 0x45, 0, 40 + len(shown), 0, 0x4000, 64, 6, 0) + ends
raw.sendto(ip + tcp + shown, (address, 0))
client.sendall(sent)
print(client.recv(65536).split(b"\\r\\n")[0].decode(), flush=True)
"""


@pytest.fixture(scope="module")
def watch(
    namespace: LabNamespace, imds: ImdsProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watch]:
    """Return an analyzer that reads packets inside the namespace."""
    assert imds.listening
    watch = Watch("packet/af_packet", namespace, tmp_path_factory.mktemp("packet"))
    watch.prefix = namespace.command([])
    with watch.running(required=True):
        yield watch


def _of_port(watch: Watch, port: int) -> list[dict[str, Any]]:
    """Return the lines of one connection, once there are any."""

    def found() -> list[dict[str, Any]]:
        return [each for each in watch.lines("imds_request") if each["source"]["port"] == port]

    lines: list[dict[str, Any]] = eventually("the request is logged", found)
    return lines


@pytest.mark.parametrize("is_last", [True, False])
def test_urgent_data_is_unknown(watch: Watch, is_last: bool) -> None:
    """Linux leaves the byte out: with it there is a token, without it none."""
    marker = new_marker()
    head = f"GET /latest/{marker} HTTP/1.1\r\nX-aws-ec2-metadata-tok"
    with watch.connect() as client:
        port = client.getsockname()[1]
        client.sendall(head.encode())
        client.send(b"e", socket.MSG_OOB)
        client.sendall(b"n: x\r\n\r\n")
        # The emulated IMDS refuses a token that it has not issued: it has read none.
        assert client.recv(65536).split(b" ")[1] == b"404"
        if not is_last:
            client.sendall(f"GET /latest/{marker} HTTP/1.1\r\n{NAME}: x\r\n\r\n".encode())
            assert client.recv(65536).split(b" ")[1] == b"401"
        lines = _of_port(watch, port) if is_last else watch.settled(marker)
    assert [each["imds"]["reason"] for each in lines] == ["urgent_data"] * (2 - is_last)
    assert {each["imds"]["version"] for each in lines} == {"unknown"}
    assert lines[0]["url"]["path"] == f"/latest/{marker}"


def test_a_segment_that_never_arrived_is_not_believed(watch: Watch) -> None:
    """Its checksum is wrong; the server reads, and answers, the other."""
    marker = new_marker()
    done = watch.namespace.run([sys.executable, "-c", FORGER, IMDS_IPV4, marker])
    assert done.stdout.split()[1] == "404"

    def found() -> list[dict[str, Any]]:
        return [
            each
            for each in watch.lines("imds_request")
            if each["imds"]["reason"] == "conflicting_bytes"
        ]

    (line,) = eventually("the request is logged", found)
    assert line["imds"]["version"] == "unknown"
    assert line["http"]["response"]["status_code"] == 404
    assert watch.settled(marker) == []


@pytest.mark.parametrize("limit", [1, 2, 64])
def test_a_tokens_hop_limit_is_measured(watch: Watch, limit: int) -> None:
    """As the answer's packet has it, whatever those of the handshake had."""
    set_ttl = "echo {} > /proc/sys/net/ipv4/ip_default_ttl"
    try:
        with watch.connect() as client:
            port = client.getsockname()[1]
            watch.namespace.run(["sh", "-c", set_ttl.format(limit)])
            client.sendall(TOKEN_REQUEST)
            assert client.recv(65536).split(b" ")[1] == b"200"
            (line,) = _of_port(watch, port)
    finally:
        watch.namespace.run(["sh", "-c", set_ttl.format(64)])
    assert line["imds"]["hop_limit"] == limit
