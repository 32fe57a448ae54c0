"""The other end of NOTIFY_SOCKET: a service manager as the analyzer sees it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

_DATAGRAM_BYTES = 4096


class Manager:
    """Keeps what it was told, in order; reads it when it is asked."""

    def __init__(self, path: Path) -> None:
        self.address = str(path)
        self._told: list[dict[str, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._socket.setblocking(False)
        path.chmod(0o777)

    @property
    def told(self) -> list[dict[str, str]]:
        """What it was told so far: the states of each datagram."""
        with contextlib.suppress(BlockingIOError):
            while True:
                lines = self._socket.recv(_DATAGRAM_BYTES).decode().split("\n")
                self._told.append(dict(line.split("=", 1) for line in lines))
        return list(self._told)

    def count(self, state: str) -> int:
        return sum(state in each for each in self.told)

    def statuses(self) -> list[str]:
        return [each["STATUS"] for each in self.told if "STATUS" in each]

    def close(self) -> None:
        self._socket.close()


@contextlib.contextmanager
def listening(path: Path) -> Iterator[Manager]:
    """Listen at a path that is not there yet."""
    manager = Manager(path)
    try:
        yield manager
    finally:
        manager.close()
