"""Defines listeners: parts that hear what passes the pipeline, and change nothing of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from analyzer.recorder.callers import Caller
    from analyzer.recorder.records import Record
    from analyzer.recorder.source_events import Answer, Chunk, Closed, Lost

# Writes a line about the analyzer itself: the event's name, its level, its fields.
Say = Callable[..., None]


class Listener:
    """Ignores everything; a listener overrides what it needs. All calls come from one thread."""

    def request(self, record: Record) -> None:
        """Hear one record, before it is written."""

    def lost(self, lost: Lost) -> None:
        """Hear a loss."""

    def evidence(self, written: int, skipped: int) -> None:
        """Hear how many callers' code was looked at, and for how many there was no room."""

    def clock_set(self, epoch_offset_ns: int) -> None:
        """Hear how many nanoseconds to add to an event's time; called about once a second."""

    def tick(self, queued: int, queue_high_water: int) -> None:
        """Hear of the queue about once a second: events in it, and the most since the last tick."""

    def expire(self, now_boottime_ns: int, say: Say) -> None:
        """Hear the time about once a second."""

    def flush(self, say: Say) -> None:
        """Pass on what waits: the source has ended."""

    def finish(self) -> None:
        """Write what is left, before the log's last line."""


class PacketListener(Listener):
    """A listener that also hears sends and answers. Attributing each send takes time."""

    def sent(self, chunk: Chunk, caller: Caller, records: Sequence[Record]) -> None:
        """Hear a send, who made it, and the requests that are whole with it."""

    def answered(self, answer: Answer) -> None:
        """Hear a status line."""

    def closed(self, closed: Closed) -> None:
        """Hear the end of a connection."""
