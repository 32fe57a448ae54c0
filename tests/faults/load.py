"""Numbered requests, one after the other, so that each that is missing can be explained."""

from __future__ import annotations

import bisect
import socket
import threading
import time
from types import TracebackType
from typing import NamedTuple, Optional

from analyzer.imds import IMDS_IPV4
from analyzer.lab.namespace import LabNamespace
from tests.live.watch import DEADLINE_S, eventually, new_marker

# A client keeps its connection for so many requests.
PER_CONNECTION = 50
# Between two requests; the answer's time comes on top: some 200 a second.
PAUSE_S = 0.003


class Load(threading.Thread):
    """Sends from entering its context until it is left; an answer is awaited to each."""

    def __init__(self, namespace: LabNamespace, *, filler: str = "") -> None:
        """Take an open namespace with an IMDS; a filler makes longer lines."""
        super().__init__(daemon=True)
        self.marker = new_marker()
        # Of each number, when it was sent; s, monotonic and of the wall clock.
        self.sent_s: list[float] = []
        self.wall_s: list[float] = []
        self._namespace = namespace
        self._filler = filler
        self._over = threading.Event()
        self._error: Optional[Exception] = None

    def __enter__(self) -> Load:
        """Begin to send."""
        self.start()
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """Stop, if that has not happened yet."""
        self._over.set()
        self.join()

    def run(self) -> None:
        """Send until it is over."""
        try:
            while not self._over.is_set():
                with self._namespace.socket() as client:
                    client.settimeout(DEADLINE_S)
                    client.connect((IMDS_IPV4, 80))
                    self._talk(client)
        except Exception as error:  # noqa: BLE001 (said by stop())
            self._error = error

    def _talk(self, client: socket.socket) -> None:
        for _ in range(PER_CONNECTION):
            path = f"/latest/{self.marker}/{len(self.sent_s)}{self._filler}"
            self.sent_s.append(time.monotonic())
            self.wall_s.append(time.time())
            client.sendall(f"GET {path} HTTP/1.1\r\n\r\n".encode())
            assert client.recv(4096)
            if self._over.wait(PAUSE_S):
                return

    def more(self, number: int) -> None:
        """Return once so many more have been sent."""
        target = len(self.sent_s) + number
        eventually(
            f"{number} more are sent",
            lambda: len(self.sent_s) >= target or self._error,
            6 * DEADLINE_S,
        )
        assert self._error is None, self._error

    def stop(self) -> int:
        """Stop; returns how many were sent, each answered. Raises what went wrong."""
        self._over.set()
        self.join()
        if self._error is not None:
            raise self._error
        return len(self.sent_s)


class Outage(NamedTuple):
    """A time without an analyzer: from its end to the next one's readiness; s, monotonic."""

    ended_s: float
    ready_s: float


class Gap(NamedTuple):
    """What is missing on account of one outage."""

    in_hand: int  # sent before it: taken from the kernel or not, but not yet written
    unseen: int  # sent while no probe was attached


def explain(load: Load, recorded: list[int], outages: list[Outage]) -> list[Gap]:
    """Explain what is missing by the outages; fails for what cannot be.

    Nothing is there twice or out of order, each outage costs one run of numbers, and that
    ends with the outage.
    """
    assert recorded == sorted(set(recorded))
    missing = set(range(len(load.sent_s))) - set(recorded)
    gaps = []
    for outage in outages:
        # The first one sent without an analyzer, and all that are missing beside it.
        first = end = bisect.bisect_left(load.sent_s, outage.ended_s)
        assert first in missing, f"nothing is missing for {outage}"
        while end in missing:
            end += 1
        unseen = end - first
        while first - 1 in missing:
            first -= 1
        assert load.sent_s[end - 1] < outage.ready_s, (first, end, outage)
        missing -= set(range(first, end))
        gaps.append(Gap(end - first - unseen, unseen))
    assert not missing, f"missing without a reason: {sorted(missing)}"
    return gaps
