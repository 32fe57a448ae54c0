"""Whose a socket is: by the kernel's table and /proc, of sockets and processes that are there."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import pytest

from analyzer.recorder.attribute import Attributor
from analyzer.recorder.attribute.processes import Processes
from analyzer.recorder.source_events import Attribution, Snapshot
from analyzer.recorder.sources.packets.socket_owners import DESCRIBED_S, SAVED_S, SHARE, Owners
from analyzer.recorder.sources.packets.socket_table import SocketTable
from tests.sends import kernel_of, pid_of

LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
# Holds the socket it was given until its input ends.
HOLDER = "import sys; print('ready', flush=True); sys.stdin.read()"


class Clock:
    """Tells the time it was set to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def table() -> Iterator[SocketTable]:
    table = SocketTable()
    yield table
    table.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return a listener on loopback, and a client that is connected to it."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        yield server, client


def _inode(held: socket.socket) -> int:
    return os.fstat(held.fileno()).st_ino


@pytest.mark.parametrize("family", LOOPBACK)
def test_a_connection_is_found_by_its_addresses(family: socket.AddressFamily) -> None:
    """And nothing by others: not the listener, not a neighbouring port."""
    address = LOOPBACK[family]
    packed = socket.inet_pton(family, address)
    try:
        server = socket.create_server((address, 0), family=family)
    except OSError as error:
        pytest.skip(f"no {family.name} here: {error}")
    with server, socket.create_connection(server.getsockname()[:2]) as client:
        table = SocketTable()
        port, server_port = client.getsockname()[1], server.getsockname()[1]
        owner = table.maybe_owner(packed, port, packed, server_port)
        assert owner is not None
        assert (owner.uid, owner.inode) == (os.geteuid(), _inode(client))
        assert table.maybe_owner(packed, port, packed, port) is None
        # The kernel shows the listener of a port where there is no such connection.
        assert table.maybe_owner(packed, server_port, packed, port + 1) is None
        client.close()
        assert table.maybe_owner(packed, port, packed, server_port) is None
        table.close()


def test_a_table_that_is_closed_knows_nobody(table: SocketTable) -> None:
    """Instead of failing in the middle of a packet."""
    table.close()
    assert table.maybe_owner(bytes(4), 1, bytes(4), 80) is None


def test_the_holder_is_described_as_the_kernel_would(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """So that the next stage finds the same process in /proc."""
    snapshot = Owners().maybe_snapshot(_inode(pair[1]))
    assert snapshot is not None
    assert snapshot.attribution is Attribution.SOCKET
    assert pid_of(snapshot) == os.getpid()
    assert kernel_of(snapshot).uid == os.geteuid()
    assert snapshot.args.startswith(Path("/proc/self/cmdline").read_bytes()[:1024])
    assert snapshot.ancestors[0].pid == os.getppid()
    assert snapshot.ancestors[-1].pid == 1 or snapshot.ancestors_truncated
    assert Processes().look_up(kernel_of(snapshot), args=False, cgroup=False).is_there
    caller = Attributor().attribute(snapshot)
    assert caller.process is not None
    assert caller.process.executable == str(Path(sys.executable).resolve())
    assert caller.attribution is Attribution.SOCKET


def test_a_thread_that_connects_is_its_process() -> None:
    """Also while it is the newest number there is."""
    found: list[Optional[Snapshot]] = []

    def connect() -> None:
        with socket.create_connection(server.getsockname()) as client:
            found.append(Owners().maybe_snapshot(_inode(client)))

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=connect)
        thread.start()
        thread.join()
    assert found[0] is not None
    assert pid_of(found[0]) == os.getpid()


def test_a_socket_that_was_handed_on_is_nobodys(pair: tuple[socket.socket, socket.socket]) -> None:
    """While a child holds it, too; once it alone does, it is the child's."""
    _, client = pair
    owners = Owners()
    with _holding(client) as child:
        inode = _inode(client)
        assert owners.maybe_snapshot(inode) is None
        client.close()
        snapshot = owners.maybe_snapshot(inode)
        assert snapshot is not None
        assert pid_of(snapshot) == child.pid
        child.communicate()


def test_a_socket_of_two_siblings_is_nobodys(pair: tuple[socket.socket, socket.socket]) -> None:
    """Also when the parent that had it before has drop it."""
    _, client = pair
    inode = _inode(client)
    with _holding(client) as one, _holding(client) as other:
        client.close()
        assert Owners().maybe_snapshot(inode) is None
        one.communicate()
        snapshot = Owners().maybe_snapshot(inode)
        assert snapshot is not None
        assert pid_of(snapshot) == other.pid
        other.communicate()


def _holding(client: socket.socket) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[client.fileno()],
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    return child


def test_who_is_gone_is_nobody(pair: tuple[socket.socket, socket.socket]) -> None:
    """The inode of a closed socket leads nowhere."""
    inode = _inode(pair[1])
    pair[1].close()
    assert Owners().maybe_snapshot(inode) is None


def test_a_description_is_kept_for_a_moment(pair: tuple[socket.socket, socket.socket]) -> None:
    """The same object, which later stages know again."""
    clock = Clock()
    owners = Owners(clock)
    first = owners.maybe_snapshot(_inode(pair[1]))
    clock.now_s += DESCRIBED_S / 2
    assert owners.maybe_snapshot(_inode(pair[1])) is first
    clock.now_s += DESCRIBED_S
    assert owners.maybe_snapshot(_inode(pair[1])) is not first


def test_looking_takes_a_share_of_the_time_and_no_more() -> None:
    """What is used up comes back with the time that passes."""
    clock = Clock()

    class Slow(Owners):
        def _candidates(self) -> Iterator[int]:
            clock.now_s += SAVED_S * 2
            return iter(())

    owners = Slow(clock)
    assert owners.has_time
    assert owners.maybe_snapshot(1) is None
    before_s = clock.now_s
    while not owners.has_time:
        clock.now_s += 0.1
    # It had spent twice what was saved up.
    assert clock.now_s - before_s == pytest.approx(SAVED_S / SHARE - SAVED_S * 2, abs=0.2)
