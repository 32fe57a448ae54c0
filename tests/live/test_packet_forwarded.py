"""What passes through a host: guests behind a bridge, address translation."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.errors import LabError
from analyzer.imds import IMDS_IPV4
from analyzer.lab.namespace import LabNamespace
from tests.live.bridged import GUEST_IPV4, HOST_IPV4, Network, masquerade, network
from tests.live.watch import DEADLINE_S, Line, Watch, new_marker

ASKED = 5


@pytest.fixture(params=["routed", "masqueraded"])
def passage(request: pytest.FixtureRequest) -> Iterator[Network]:
    """Return a network of each kind."""
    with network() as made:
        if request.param == "masqueraded":
            if shutil.which("nft", path=f"{os.environ['PATH']}:/usr/sbin") is None:
                pytest.skip("nft is not installed: apt install nftables")
            try:
                masquerade(made.host)
            except LabError as error:
                pytest.skip(f"the kernel does not translate addresses: {error}")
        yield made


def _ask(namespace: LabNamespace, marker: str) -> socket.socket:
    client = namespace.socket(socket.AF_INET)
    client.settimeout(DEADLINE_S)
    client.connect((IMDS_IPV4, 80))
    for _ in range(ASKED):
        client.sendall(f"GET /latest/{marker} HTTP/1.1\r\n\r\n".encode())
        assert client.recv(65536)
    return client


def _facts(line: Line) -> tuple[object, ...]:
    return (
        line["source"]["ip"],
        line.get("network", {}).get("forwarded", False),
        line.get("process", {}).get("pid"),
        line["imds"]["outcome"],
    )


def test_each_request_is_one_however_many_interfaces_show_it(
    passage: Network, tmp_path: Path
) -> None:
    """The guest's with its own address and marked, the host's own with its process."""
    watch = Watch("packet/af_packet", passage.host, tmp_path)
    watch.prefix = passage.host.command([])
    with watch.running(required=True), contextlib.ExitStack() as connections:
        expected = {
            new_marker(): (passage.guest, (GUEST_IPV4, True, None, "not_found")),
            new_marker(): (passage.host, (HOST_IPV4, False, os.getpid(), "not_found")),
        }
        for marker, (namespace, _) in expected.items():
            connections.enter_context(_ask(namespace, marker))
        for marker, (_, facts) in expected.items():
            found = watch.settled(marker)
            assert [_facts(line) for line in found] == [facts] * ASKED
    (stopped,) = watch.lines("analyzer_stopped")
    # And those that settled() sent.
    assert sum(stopped["requests"].values()) == 2 * ASKED + 2
