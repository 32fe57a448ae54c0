"""Remembers connections that have ended, and tells their late segments from new connections."""

from __future__ import annotations

from typing import Optional

from analyzer.lru import Lru
from analyzer.recorder.sources.tcp.conversation import FAR_OFF, Conversation
from analyzer.recorder.sources.tcp.dissect import Key, Segment

# Of those that have ended, where they began and how far they had come: segments that are sent
# again, or captured a second time on another interface, must not look like new ones. 300 bytes
# each.
MAX_ENDED = 16384
# Of those that ended without the server's having all of it, also the bytes: what comes with other
# ones may have reached it where the end did not. 4 KiB each.
MAX_UNACKNOWLEDGED = 1024

_SEQUENCES = 1 << 32


class EndedConversations:
    """Keeps of each ended connection where it began and ended; of some, also the bytes."""

    def __init__(self) -> None:
        self._ended: Lru[Key, tuple[int, int]] = Lru(MAX_ENDED)
        self._unacknowledged: Lru[Key, Conversation] = Lru(MAX_UNACKNOWLEDGED)

    def add(self, key: Key, conversation: Conversation) -> None:
        """Take a connection that has ended."""
        self._ended.put(key, (conversation.first, conversation.at % _SEQUENCES))
        if conversation.is_unacknowledged:
            self._unacknowledged.put(key, conversation)

    def forget(self, key: Key) -> None:
        """Forget a connection whose ports are used again."""
        if key in self._ended:
            del self._ended[key]
            self._unacknowledged.pop(key, None)

    def clear(self) -> None:
        """Forget all."""
        self._ended.clear()
        self._unacknowledged.clear()

    def is_new(self, segment: Segment, start: Optional[int]) -> bool:
        """Tell whether a segment without a known connection is of one that we have to follow."""
        is_from_client, key, sequence, acknowledgment, _, size, data, _ = segment
        if start is None and not size:
            return False
        if key not in self._ended:
            return True
        former, ended = self._ended[key]
        if start is not None:
            return start != former
        ended_early = self._unacknowledged.get(key) if is_from_client else None
        if ended_early is not None and ended_early.contradicts(sequence, data):
            return True
        # Up to where it had come it is a repeat, where the end itself counts as one byte. But no
        # segment is on its way for so long that it is far behind.
        end = sequence + size if is_from_client else acknowledgment
        return (end - ended - 1 + FAR_OFF) % _SEQUENCES > FAR_OFF
