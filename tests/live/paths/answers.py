"""A server of the tests' own, for what the emulated IMDS's listening sockets do not speak."""

from __future__ import annotations

import concurrent.futures
import os
import selectors
import socket
import struct
import threading
from types import TracebackType
from typing import Optional

from analyzer.lab.child_setup import join_network
from analyzer.lab.namespace import LabNamespace
from tests.live.watch import DEADLINE_S

NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def open_socket(namespace: LabNamespace, family: int, protocol: int) -> socket.socket:
    """Return a socket of any protocol that belongs to the namespace. Raises OSError."""

    def inside() -> socket.socket:
        fd = os.open(namespace.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            join_network(fd)
        finally:
            os.close(fd)
        opened = socket.socket(family, socket.SOCK_STREAM, protocol)
        # An answer that never comes fails the test that waits, and blocks no other. Python's own
        # timeouts would make the socket a non-blocking one, which opens differently.
        limit = struct.pack("ll", int(DEADLINE_S), 0)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            opened.setsockopt(socket.SOL_SOCKET, option, limit)
        return opened

    # Only the thread moves, and it ends with the call.
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(inside).result()


def read_answer(client: socket.socket) -> bytes:
    """Receive one whole answer; returns its first line."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = client.recv(4096)
        assert more, received
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    (length,) = [
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    ]
    while len(body) < length:
        body += client.recv(4096)
    return head.partition(b"\r\n")[0]


class Answers:
    """Answer every head that comes to a listening socket with 404, as a context manager."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Answers:
        """Begin to listen."""
        self._listener.listen()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """End, with all connections."""
        self._stop.close()
        self._thread.join()
        self._stopped.close()
        self._listener.close()

    def _serve(self) -> None:
        taken: dict[socket.socket, bytes] = {}
        with selectors.DefaultSelector() as selector:
            for each in (self._stopped, self._listener):
                selector.register(each, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    sock = key.fileobj
                    assert isinstance(sock, socket.socket)
                    if sock is self._stopped:
                        for each in taken:
                            each.close()
                        return
                    if sock is self._listener:
                        new, _ = sock.accept()
                        taken[new] = b""
                        selector.register(new, selectors.EVENT_READ)
                        continue
                    more = _receive(sock)
                    *heads, taken[sock] = (taken[sock] + more).split(b"\r\n\r\n")
                    sock.sendall(NOT_FOUND * len(heads))
                    if not more:
                        selector.unregister(sock)
                        del taken[sock]
                        sock.close()


def _receive(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65536)
    except ConnectionResetError:
        return b""
