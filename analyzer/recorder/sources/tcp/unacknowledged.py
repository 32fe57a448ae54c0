"""Keeps what a client sent and the server may lack, to compare a retransmission with it.

A segment that never arrives (its checksum is wrong, its TTL too low) looks like one that does.
Whoever makes packets by hand may show one such request here, and have the server read another.
"""

from __future__ import annotations

import re

# As many bytes as three usual requests have; 8192 connections take 16 MiB with it.
KEPT_MAX = 2048

# The one byte that some systems' probes for a connection that is kept alive have is NUL, or that
# sent last: the LF behind a head.
PRINTED = re.compile(rb"[!-~]")


class Unacknowledged:
    """The last bytes of a client's stream. Positions count as those of a Conversation."""

    __slots__ = ("_incomparable", "_kept")

    def __init__(self) -> None:
        self._kept = b""  # the last bytes there are
        self._incomparable = 0  # up to where the capture has cut bytes off

    def add(self, end: int, size: int, data: bytes) -> None:
        """Take the next bytes, ``size`` up to a position, of which ``data`` is the beginning."""
        if len(data) == size:
            self._kept = (self._kept + data)[-KEPT_MAX:]
        else:
            self._kept, self._incomparable = b"", end

    def add_missing(self) -> None:
        """Take note that the next bytes were not seen: whatever comes in their place is other."""
        self._kept = b""

    def clear(self) -> None:
        """Forget all: the server has it."""
        self._kept = b""

    def contradicts(
        self, end: int, acknowledged: int, begin: int, data: bytes, *, is_answered: bool
    ) -> bool:
        """Tell whether bytes from ``begin`` on differ from those that were told.

        ``end`` is the end of the told bytes. The server has acknowledged them up to
        ``acknowledged``, and takes no others before it. Of two versions, Linux takes now the
        first, now the last. Bytes that are no longer kept count as different, if the server's
        acknowledgments are seen.
        """
        first = max(begin, acknowledged, self._incomparable)
        last = min(begin + len(data), end)
        kept = end - len(self._kept)
        if first >= last:
            return False
        if not is_answered:
            if len(data) == 1 and not PRINTED.match(data):
                return False  # a keep-alive probe
            first = max(first, kept)
        elif first < kept:
            return True
        return self._kept[first - kept : last - kept] != data[first - begin : last - begin]
