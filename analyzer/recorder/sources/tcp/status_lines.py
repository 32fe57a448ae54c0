"""Finds the status line of each answer in the server's bytes, and keeps nothing else of them."""

from __future__ import annotations

import re
from typing import Optional

# "HTTP/1.1 200" and what ends the number.
STATUS_BYTES = 13

_STATUS = re.compile(rb"HTTP/\d\.\d (\d{3})(?!\d)")
_BEGINNING = b"HTTP/"
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,10})[ \t]*\r\n", re.IGNORECASE)
_SEQUENCES = 1 << 32
_BEHIND = 1 << 31
_ALL = (1 << STATUS_BYTES) - 1
_FINAL = 200  # lower ones are interim: the answer follows

# What is told of an answer: its status (0: not HTTP), None for one that was not seen; or that
# there is nothing to tell yet.
Told = Optional[int]
UNDECIDED = -1


class AnswerWatch:
    """Watches one connection for the beginning of the next answer.

    ``hop_limit`` is that of the segment that brought the latest answer's first byte first. It is 0
    if the segment has none.

    An answer begins at the byte that the client had acknowledged when it asked. If that is within
    an answer, that answer's length tells it: a body may have what looks like a status line.
    Segments may come in any order and cut anywhere. Each of the first STATUS_BYTES is kept as it
    came first.
    """

    __slots__ = (
        "_at", "_body", "_has_answered", "_is_unsure", "_known", "_window", "hop_limit"
    )  # fmt: skip

    def __init__(self) -> None:
        self._at: Optional[int] = None  # sequence number of the answer's first byte
        self._window: Optional[bytearray] = None  # made where a status line comes in pieces
        self._known = 0  # a bit for each byte of the window
        self._has_answered = False
        # Of the latest answer, where its body begins and how long it is, where that is known.
        self._body: Optional[tuple[int, int]] = None
        self._is_unsure = False  # whether a status may be out of a body, so that none is told
        self.hop_limit = 0

    @property
    def is_waiting(self) -> bool:
        """True if a request was sent and not answered."""
        return self._at is not None

    @property
    def awaited(self) -> Optional[int]:
        """The sequence number at which the next answer begins; None where nothing was asked."""
        return self._at

    def expect(self, at: int) -> bool:
        """Take note that something was asked with all before ``at`` received.

        Returns whether an answer was missed: the client has received more than was seen.
        """
        if self._at is None:
            self._at, self._known, self.hop_limit = self._place(at), 0, 0
            return False
        return self.is_beyond(at)

    def _place(self, at: int) -> int:
        """Return where the next answer begins, as far as that is known."""
        if self._body is None:
            return at
        begin, size = self._body
        self._body = None
        received = (at - begin) % _SEQUENCES
        if 0 < received < size:
            return (begin + size) % _SEQUENCES
        # An answer to HEAD names a length, too, and has no body.
        if size and not size <= received < _BEHIND:
            self._is_unsure = True
        return at

    def is_beyond(self, at: int) -> bool:
        """Tell whether the answer that is waited for lies, at least in part, before ``at``."""
        return self._at is not None and 0 < (at - self._at) % _SEQUENCES < _BEHIND

    def give_up(self) -> None:
        """Wait no longer for the present answer."""
        self._at = None
        self._has_answered = True

    def take(self, sequence: int, size: int, data: bytes, hop_limit: int) -> Told:
        """Take a segment of the server's; return the status once it is known."""
        if self._at is None:
            return UNDECIDED
        ahead = (sequence - self._at) % _SEQUENCES
        if ahead == 0 and len(data) >= STATUS_BYTES and not self._known:
            self.hop_limit = hop_limit
            return self._decide(data, sequence, size, hop_limit)
        if ahead >= _BEHIND:
            skipped = _SEQUENCES - ahead
            data, size, ahead = data[skipped:], size - skipped, 0
        if size <= 0 or ahead >= STATUS_BYTES:
            return UNDECIDED
        if ahead == 0 and not self._known & 1:
            self.hop_limit = hop_limit
        return self._gather(ahead, size, data)

    def _gather(self, ahead: int, size: int, data: bytes) -> Told:
        """Put together a status line that does not come in one piece."""
        if self._window is None:
            self._window = bytearray(STATUS_BYTES)
        for at, byte in enumerate(data[: STATUS_BYTES - ahead], ahead):
            if not self._known >> at & 1:
                self._window[at] = byte
                self._known |= 1 << at
        begun = bytes(self._window[: _leading(self._known)])
        if self._known == _ALL or not _BEGINNING.startswith(begun[: len(_BEGINNING)]):
            return self._decide(bytes(self._window), self._at or 0, STATUS_BYTES, self.hop_limit)
        if size > len(data) and ahead + len(data) < STATUS_BYTES:
            # Cut off by the capture in the middle of the status line: it will not come.
            self.give_up()
            return None
        return UNDECIDED

    def _decide(self, data: bytes, sequence: int, size: int, hop_limit: int) -> Told:
        match = _STATUS.match(data)
        if match is None:
            if self._has_answered:
                # Asked before the answer before had ended: this is more of its body. The next
                # one begins with a segment of its own.
                self._at, self._known = (sequence + size) % _SEQUENCES, 0
                self.hop_limit = 0
                return UNDECIDED
            self.give_up()
            return 0
        status = int(match[1])
        if status < _FINAL:
            end = data.find(_END_OF_HEAD)
            taken = end + len(_END_OF_HEAD) if end >= 0 else size
            self._at, self._known = (sequence + taken) % _SEQUENCES, 0
            self.hop_limit = 0
            self._has_answered = True
            return self.take(sequence, size, data, hop_limit) if taken < len(data) else UNDECIDED
        self.give_up()
        self._body = _maybe_body(data, sequence)
        return None if self._is_unsure else status


def _maybe_body(data: bytes, sequence: int) -> Optional[tuple[int, int]]:
    """Return where an answer's body begins and its length, where all of the head is there."""
    end = data.find(_END_OF_HEAD)
    length = _LENGTH.search(data, 0, end + 2) if end >= 0 else None
    if length is None:
        return None
    return (sequence + end + len(_END_OF_HEAD)) % _SEQUENCES, int(length[1])


def _leading(known: int) -> int:
    """Return how many bytes are known from the first on."""
    return (~known & (known + 1)).bit_length() - 1
