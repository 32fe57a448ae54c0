"""What the log says of connections, also where it has no path to find them by."""

from __future__ import annotations

import socket
from typing import NamedTuple, Optional

from analyzer.logline.events import REQUEST
from tests.live.watch import Line, Watch, new_marker

TOKEN = "AQAEANxVDmHAxbXMGsSdu0pvtFbWNpTXRpWM8wcyJ7yRUc3zQeJ8aQ=="
TOKEN_FIELD = f"X-aws-ec2-metadata-token: {TOKEN}"
# As many bytes as make a head of more one-byte segments than the probe follows.
FILLER_FIELD = f"X-Filler: {'x' * 300}"


class Judged(NamedTuple):
    """A record's version, with the reason where it is not simply the one of the version."""

    version: str
    reason: Optional[str] = None


V1, V2 = Judged("v1"), Judged("v2")


def unknown(reason: str) -> Judged:
    """Return the record of a request that could not be read."""
    return Judged("unknown", reason)


def judged(line: Line) -> Judged:
    """Return what a record says."""
    version, reason = line["imds"]["version"], line["imds"]["reason"]
    return Judged(version, reason if version == "unknown" else None)


def request(marker: str, *fields: str) -> bytes:
    """Return a request; the token, if there is one, stands behind everything else."""
    head = [f"GET /latest/meta-data/{marker} HTTP/1.1", "Host: 169.254.169.254", FILLER_FIELD]
    return "\r\n".join([*head, *fields, "", ""]).encode()


class Log:
    """The part of a log that is written from now on."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._start = len(watch.lines(REQUEST))

    def _lines(self) -> list[Line]:
        return self._watch.lines(REQUEST)[self._start :]

    def settled(self) -> list[Line]:
        """Return the requests so far, once all that was sent before is written."""
        marker = new_marker()
        with self._watch.connect() as client:
            client.sendall(f"GET /latest/meta-data/{marker} HTTP/1.1\r\n\r\n".encode())

        def so_far() -> Optional[list[Line]]:
            lines = self._lines()
            for number, line in enumerate(lines):
                if marker in line.get("url", {}).get("path", ""):
                    return lines[: number + 1]
            return None

        lines: list[Line] = self._watch.hurried("the last request is written", so_far)
        return lines[:-1]


def of(lines: list[Line], port: int) -> list[Line]:
    """Return those of the requests that came from one source port."""
    return [line for line in lines if line["source"].get("port") == port]


def port_of(sock: socket.socket) -> int:
    """Return a socket's own port."""
    return int(sock.getsockname()[1])
