"""A server that remembers what came: what the log says is measured by it."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Callable, NamedTuple, Optional

from analyzer.imds import IMDS_IPV4
from analyzer.lab.namespace import LabNamespace
from tests.live.paths.answers import open_socket
from tests.live.paths.ways import NOT_THERE, NotThereError

SOURCE = Path(__file__).with_name("evade.c")
IPPROTO_TCP = 6
END = b"\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
TOKEN_NAME = b"\r\nx-aws-ec2-metadata-token:"


class Evade:
    """The compiled client that tries not to be seen."""

    def __init__(self, directory: Path) -> None:
        """Compile it into a directory."""
        self.path = directory / "evade"
        subprocess.run(["cc", "-O1", "-pthread", "-o", self.path, SOURCE], check=True)

    def run(self, *arguments: str, sock: Optional[socket.socket] = None) -> int:
        """Run it on our socket, to its end; returns its pid. Raises NotThereError."""
        child = subprocess.Popen(
            [self.path, *arguments],
            stderr=subprocess.PIPE,
            pass_fds=[] if sock is None else [sock.fileno()],
        )
        _, said = child.communicate()
        if child.returncode == NOT_THERE:
            raise NotThereError(said.decode().strip())
        assert child.returncode == 0, said
        return child.pid


class Ends(NamedTuple):
    """Both ends of a connection to an IMDS that is the test itself."""

    client: socket.socket
    server: socket.socket

    def receive(self, heads: int = 1) -> list[bytes]:
        """Return the next heads that the server sees, once they are there."""
        return _heads(self.server, heads)

    def answer(self, answer: bytes = OK) -> None:
        """Send an answer and have the client read it."""
        self.server.sendall(answer)
        received = b""
        while END not in received:
            more = self.client.recv(4096)
            assert more, received
            received += more


def _heads(server: socket.socket, count: int) -> list[bytes]:
    received = b""
    while received.count(END) < count:
        more = server.recv(1 << 16)
        assert more, received
        received += more
    *heads, rest = received.split(END)
    assert rest == b"", rest
    return heads


def version_of(head: bytes) -> str:
    """Return what a head is, by the header that makes it IMDSv2."""
    return "v2" if TOKEN_NAME in head.lower() else "v1"


@contextlib.contextmanager
def listening(
    namespace: LabNamespace, address: str = IMDS_IPV4, port: int = 80, protocol: int = IPPROTO_TCP
) -> Iterator[socket.socket]:
    """Listen in the namespace."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with open_socket(namespace, family, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen()
        yield listener


@contextlib.contextmanager
def connected(
    namespace: LabNamespace,
    address: str = IMDS_IPV4,
    prepare: Callable[[socket.socket], object] = lambda _listener: None,
) -> Iterator[Ends]:
    """Connect to a server in the namespace; ``prepare`` is given its listening socket."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    server_address = address.replace("::ffff:", "")
    with listening(namespace, server_address) as listener:
        prepare(listener)
        with open_socket(namespace, family, IPPROTO_TCP) as client:
            client.connect((address, 80))
            server, _ = listener.accept()
            with server:
                yield Ends(client, server)


@contextlib.contextmanager
def remembering(server: socket.socket) -> Iterator[list[bytes]]:
    """Answer each head that comes, one after the other; yields the heads so far."""
    heads: list[bytes] = []

    def serve() -> None:
        received = b""
        while more := server.recv(1 << 16):
            *whole, received = (received + more).split(END)
            heads.extend(whole)
            server.sendall(OK * len(whole))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield heads
    finally:
        server.shutdown(socket.SHUT_RD)
        thread.join()
