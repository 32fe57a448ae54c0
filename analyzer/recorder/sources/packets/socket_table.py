"""Looks up sockets by address and port in the kernel's table (sock_diag(7))."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple, Optional

# linux/sock_diag.h, linux/inet_diag.h, linux/netlink.h
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_IPPROTO_TCP = 6
_ALL_STATES = 0xFFFFFFFF
_NO_COOKIE = 0xFFFFFFFF

_MESSAGE = struct.Struct("=IHHII")  # struct nlmsghdr
# struct inet_diag_req_v2: family, protocol, extensions, padding, states; then of struct
# inet_diag_sockid the ports, addresses, interface and cookie.
_QUESTION = struct.Struct("=BBBBI")
_SOCKET = struct.Struct("!HH16s16s")
_ANY_SOCKET = struct.pack("=III", 0, _NO_COOKIE, _NO_COOKIE)
# struct inet_diag_msg: behind four bytes the ports of the socket; at its end uid and inode.
_ANSWER = struct.Struct("!4xHH")
_OWNER = struct.Struct("=II")
_OWNER_AT = 64
_ANSWER_MAX = 8192
# The kernel answers within the call; only a kernel without the table would not.
_WAIT_S = 1.0


class Owner(NamedTuple):
    """Owner of a socket. ``inode`` is the number that /proc/PID/fd shows for it."""

    uid: int
    inode: int


class SocketTable:
    """Asks for single sockets of the network namespace in which it was opened."""

    def __init__(self) -> None:
        """Open it; raises OSError where the kernel has none."""
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG
        )
        self._socket.settimeout(_WAIT_S)
        self._number = 0

    def maybe_owner(
        self, source: bytes, source_port: int, destination: bytes, destination_port: int
    ) -> Optional[Owner]:
        """Return whose the socket with these packed addresses is.

        None where there is none, or none that a process still holds.
        """
        family = socket.AF_INET if len(source) == len(destination) == 4 else socket.AF_INET6  # noqa: PLR2004 (bytes of IPv4)
        question = (
            _QUESTION.pack(family, _IPPROTO_TCP, 0, 0, _ALL_STATES)
            + _SOCKET.pack(source_port, destination_port, source, destination)
            + _ANY_SOCKET
        )
        self._number += 1
        head = _MESSAGE.pack(
            _MESSAGE.size + len(question), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, self._number, 0
        )
        try:
            self._socket.send(head + question)
            answer = self._receive()
        except OSError:
            return None
        if len(answer) < _MESSAGE.size + _OWNER_AT + _OWNER.size:
            return None  # an error: there is no such socket
        # A listener on the same port is told where there is no connection.
        if _ANSWER.unpack_from(answer, _MESSAGE.size) != (source_port, destination_port):
            return None
        uid, inode = _OWNER.unpack_from(answer, _MESSAGE.size + _OWNER_AT)
        return Owner(uid, inode) if inode else None

    def _receive(self) -> bytes:
        """Return the answer to the last question; one that came too late is passed over."""
        while True:
            answer = self._socket.recv(_ANSWER_MAX)
            if len(answer) < _MESSAGE.size:
                return b""
            _, kind, _, number, _ = _MESSAGE.unpack_from(answer)
            if number == self._number:
                return answer if kind == _SOCK_DIAG_BY_FAMILY else b""

    def close(self) -> None:
        """Close it. May be called twice."""
        self._socket.close()
