"""Who is at the end of a connection: by real sockets, and what was noted when they opened."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Optional

import pytest

from analyzer.recorder.source_events import Connection, Snapshot
from analyzer.recorder.sources.packets import callers
from analyzer.recorder.sources.packets.callers import Identity
from analyzer.recorder.sources.tcp.conversation import FORWARDED, NOBODY, Sender
from analyzer.recorder.sources.tcp.dissect import Key
from analyzer.recorder.sources.tcp.reassembly import OUTGOING
from tests.sends import pid_of

LOOPBACK = socket.inet_aton("127.0.0.1")
SERVER = socket.inet_aton("169.254.169.254")
PORT = 40000


@pytest.fixture
def known() -> Iterator[Identity]:
    known = Identity()
    yield known
    known.close()


def _connection(source: str = "127.0.0.1") -> Connection:
    return Connection(1, 0, source, PORT, "169.254.169.254", 80)


def test_who_has_another_address_is_behind_this_host(known: Identity) -> None:
    """And nobody here."""
    assert known.identify(_connection("10.8.0.7"), 1, OUTGOING) == FORWARDED
    assert known.identify(_connection(), 1, OUTGOING) == NOBODY


def test_a_real_socket_is_found(known: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process is the sender, and its number that of the thread."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        monkeypatch.setattr(callers, "IMDS_PORT", server.getsockname()[1])
        port = client.getsockname()[1]
        sender = known.identify(
            _connection()._replace(source_port=port, destination_ip="127.0.0.1"), 1, OUTGOING
        )
    assert sender is not None
    assert sender.tid == pid_of(sender.snapshot) == os.getpid()


class Scripted(Identity):
    """Finds what it is told, and counts how often it looks."""

    def __init__(self, *found: Optional[Snapshot]) -> None:
        super().__init__()
        self.left = list(found)

    def _maybe_snapshot(self, _key: Key) -> Optional[Snapshot]:
        return self.left.pop(0)


def test_what_was_noted_holds_for_one_connection(known: Identity) -> None:
    """Another that has the same ports later is looked up by itself, and may be nobody's."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        snapshot = known._owners.maybe_snapshot(os.fstat(client.fileno()).st_ino)
    assert snapshot is not None
    key = LOOPBACK + SERVER + PORT.to_bytes(2, "big")
    sender = Sender(os.getpid(), snapshot, False)
    scripted = Scripted(snapshot, None, snapshot, snapshot)
    scripted.note_openings([(key, 5), (key, 5)])  # on another interface, too
    assert scripted.identify(_connection(), 5, OUTGOING) == sender
    scripted.note_openings([(key, 5)])  # sent again
    assert scripted.identify(_connection(), 5, OUTGOING) == NOBODY
    # The ports are used again before the first one's packets are read: of both the latest alone
    # has a socket, and before that is known each has what was found for itself.
    scripted.note_openings([(key, 6), (key, 7)])
    scripted.note_openings([(key, 8)])
    assert scripted.identify(_connection(), 6, OUTGOING) == NOBODY
    assert scripted.identify(_connection(), None, OUTGOING) == NOBODY
    assert scripted.identify(_connection(), 7, OUTGOING) == sender
    assert scripted.identify(_connection(), 8, OUTGOING) == sender
    assert scripted.left == []
    scripted.close()
