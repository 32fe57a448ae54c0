"""Serves the emulated IMDS on sockets and counts what it answered."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections import Counter
from collections.abc import Sequence
from email.utils import formatdate
from http import HTTPStatus
from typing import Callable, NamedTuple, Optional

from analyzer.errors import LabError
from analyzer.lab.network_namespace import HOME, NamespaceId, is_home
from analyzer.lab.service import TOKEN_HEADER, EmulatedService, ServiceAnswer, path_of, refusal
from analyzer.lab.wire import Ask, Wire, WireError

NO_ANSWER = 0  # stands for the status of a request that was left without an answer
MAX_TALLY_KEYS = 10_000  # paths come from outside; what is beyond is counted under one path
OTHER_PATHS = "(other paths)"
UNREADABLE = "(unreadable)"

_BIND_PROBLEMS = {
    errno.EADDRINUSE: "something listens there already. End it, or use another port",
    errno.EACCES: "ports below 1024 need root",
    errno.EADDRNOTAVAIL: "the address is not one of this namespace's own",
}


class Answered(NamedTuple):
    """One kind of request that was answered. ``token``: it carried a token header."""

    method: str
    path: str
    status: int
    token: bool


Tally = dict[Answered, int]


class BoundAddress(NamedTuple):
    """An address with a port that requests can be sent to."""

    address: str
    port: int


class Ledger:
    """Count what was answered, within bounds."""

    def __init__(self) -> None:
        """Start at nothing."""
        self._counts: Counter[Answered] = Counter()

    def note(self, ask: Optional[Ask], status: int) -> None:
        """Count one request; None for one that could not be read."""
        if ask is None:
            key = Answered(UNREADABLE, UNREADABLE, status, token=False)
        else:
            key = Answered(ask.method, path_of(ask.target), status, TOKEN_HEADER in ask.headers)
        if key not in self._counts and len(self._counts) >= MAX_TALLY_KEYS:
            key = Answered("*", OTHER_PATHS, status, token=key.token)
        self._counts[key] += 1

    def tally(self) -> Tally:
        """Return a copy of the counts so far."""
        return dict(self._counts)


def open_listener(address: str, port: int, *, home: Optional[NamespaceId] = HOME) -> socket.socket:
    """Listen on one address; port 0 takes a free one. Raises LabError.

    In the machine's own network namespace (``home``) only loopback addresses are taken:
    an emulated IMDS there, on its real address or on the network, could be believed.
    """
    host = ipaddress.ip_address(address)
    if not host.is_loopback and is_home(home):
        raise LabError(
            f"the emulated IMDS does not listen on {address} in the machine's own network "
            "namespace. Use `imds-analyzer lab`, which makes one for it, or a loopback address"
        )
    family = socket.AF_INET if host.version == 4 else socket.AF_INET6  # noqa: PLR2004 - IPv4
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(socket.SOMAXCONN)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        problem = _BIND_PROBLEMS.get(error.errno or 0, str(error))
        raise LabError(
            f"the emulated IMDS cannot listen on {address} port {port}: {problem}"
        ) from error
    return listener


def open_listeners(
    addresses: Sequence[tuple[str, int]], home: Optional[NamespaceId]
) -> list[socket.socket]:
    """Listen on several addresses, or on none of them. Raises LabError."""
    listeners: list[socket.socket] = []
    try:
        for address, port in addresses:
            listeners.append(open_listener(address, port, home=home))
    except LabError:
        for each in listeners:
            each.close()
        raise
    return listeners


async def serve(
    listeners: Sequence[socket.socket],
    service: EmulatedService,
    ledger: Ledger,
    ready: Callable[[asyncio.Event], None],
) -> None:
    """Answer on all listeners until the event that ``ready`` is given gets set."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    open_connections: set[_ServedConnection] = set()
    servers = [
        await loop.create_server(
            lambda: _ServedConnection(service, ledger, open_connections), sock=each
        )
        for each in listeners
    ]
    ready(stop)
    await stop.wait()
    for server in servers:
        server.close()
    for connection in list(open_connections):
        connection.abort()
    while open_connections:  # each leaves in its connection_lost, at the loop's next turn
        await asyncio.sleep(0)


class _ServedConnection(asyncio.Protocol):
    """One client: requests in, answers out in the same order."""

    def __init__(
        self, service: EmulatedService, ledger: Ledger, open_connections: set[_ServedConnection]
    ) -> None:
        self._service = service
        self._ledger = ledger
        self._open_connections = open_connections
        self._wire = Wire()
        self._transport: Optional[asyncio.Transport] = None
        self._is_mute = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP always gives one; for mypy
        self._transport = transport
        self._open_connections.add(self)

    def connection_lost(self, exc: Optional[Exception]) -> None:  # noqa: ARG002 - asyncio's signature
        self._open_connections.discard(self)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # A client that sends requests and does not read is held up, not buffered for.
    def pause_writing(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self._is_mute or self._transport is None or self._transport.is_closing():
            return
        out: list[bytes] = []
        keep_alive = True
        try:
            for ask in self._wire.feed(data):
                answer = self._service.maybe_answer(ask)
                if answer is None:
                    # What would follow on this connection could not overtake the lost answer.
                    self._ledger.note(ask, NO_ANSWER)
                    self._is_mute = True
                    break
                self._ledger.note(ask, answer.status)
                out.append(_encode(answer, keep_alive=ask.keep_alive, head=ask.method == "HEAD"))
                keep_alive = ask.keep_alive
                if not keep_alive:
                    break
        except WireError as malformed:
            self._ledger.note(None, malformed.status)
            out.append(_encode(refusal(malformed.status), keep_alive=False, head=False))
            keep_alive = False
        self._transport.write(b"".join(out))
        if not keep_alive:
            self._transport.close()


def _encode(answer: ServiceAnswer, *, keep_alive: bool, head: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        f"Content-Type: {answer.media_type}",
        "Accept-Ranges: none",
        f"Content-Length: {len(answer.body)}",
        f"Date: {formatdate(usegmt=True)}",
        "Server: EC2ws",
        f"Connection: {'keep-alive' if keep_alive else 'close'}",
        *(f"{name}: {value}" for name, value in answer.headers),
        "\r\n",
    ]
    return "\r\n".join(lines).encode("ascii") + (b"" if head else answer.body)
