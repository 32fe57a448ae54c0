"""Buffers lines until they are written, and reports what could not be."""

from __future__ import annotations

import contextlib
import select
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Optional, TextIO

from analyzer.errors import SinkError
from analyzer.logline.events import LOG_RESUMED, LOST
from analyzer.recorder.sinks.writer import (
    NO_REQUEST,
    Busy,
    Notice,
    Writer,
    count_lines,
    reason_of,
    sink_error,
)
from analyzer.text import timestamp

# Lines are held until flush(), so that a batch costs one write; this bounds the batch.
BUFFER_MAX = 65536
# What is held while nothing can be written: some 3,000 requests, a tenth of the memory that the
# service may have. Lines about the analyzer itself, a heartbeat a minute, get a little more.
HELD_MAX = 4 << 20
EVENTS_HELD_MAX = HELD_MAX + 65536
# For as long lines are written in one go, so that what takes each of them slowly does not hold up
# all else; and at the end, of what the service manager gives us.
WRITE_S = 0.5
CLOSE_S = 5.0


class Counters(NamedTuple):
    """Counts of lines that were not written since the start."""

    errors: int  # how often writing failed
    not_written: Mapping[str, int]  # lines dropped, by version; "event" for those of no request
    is_paused: bool


class _Pause:
    """A time in which nothing can be written."""

    def __init__(self, error: OSError) -> None:
        self.since_ns = time.time_ns()
        self.began_ns = time.monotonic_ns()
        self.reason = reason_of(error)
        self.is_busy = isinstance(error, Busy)
        self.dropped_since_ns = 0
        self.dropped: Counter[str] = Counter()


class LineLog:
    """Takes lines and passes them on whole.

    Where its writer can recover, or is only slow, an error is a pause: lines are held, and
    counted when there are too many to hold. :meth:`tick` tries again. Otherwise an error is the
    end: SinkError.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._held = bytearray()
        self._is_within_line = False  # whether the first held is the rest of one
        self._pause: Optional[_Pause] = None
        self._errors = 0
        self._not_written: Counter[str] = Counter()
        self._notices: list[Notice] = []
        self._is_closed = False

    @property
    def writer(self) -> Writer:
        """The destination of the lines."""
        return self._writer

    @property
    def counters(self) -> Counters:
        """Counts of lines that were not written since the start."""
        return Counters(self._errors, self._not_written, self._pause is not None)

    def append(self, line: bytes) -> None:
        """Take one line, without its end. Raises SinkError as :meth:`flush` does."""
        if self._pause is not None and not self._may_hold(line):
            self._drop(self._pause, line)
            return
        self._held += line
        self._held += b"\n"
        if len(self._held) >= BUFFER_MAX:
            self.flush()

    # What structlog calls: a method for each level.
    debug = info = warning = error = append

    def flush(self) -> None:
        """Write what is held. Raises SinkError where that is the end."""
        if self._pause is None:
            self._write()

    def tick(self) -> None:
        """Look after the log, about once a second; try again to write where that failed."""
        self._write_again(self._writer.tick())
        if self._pause is not None:
            self._write()

    def reopen(self) -> None:
        """Write what is held, and open the log anew because it was moved."""
        self.flush()
        self._write_again(self._writer.reopen())

    def replace(self, writer: Writer) -> None:
        """Write to another place from now on; what is held goes there if it has to."""
        self.flush()
        if self._is_within_line and self._pause is not None:  # its beginning stays behind
            end = self._held.index(b"\n") + 1
            self._drop(self._pause, bytes(self._held[:end]))
            del self._held[:end]
            self._is_within_line = False
        former, self._writer = self._writer, writer
        self._notices += former.notices()
        former.close()
        if self._pause is not None:
            self._write()

    def notices(self) -> list[Notice]:
        """Return what there is to say about the log since the last call."""
        told, self._notices = self._notices + self._writer.notices(), []
        return told

    def close(self) -> None:
        """Write what is held, and close. Raises SinkError for what could not be written."""
        if self._is_closed:
            return
        self._is_closed = True
        deadline = time.monotonic() + CLOSE_S
        try:
            self._write(CLOSE_S)
            while self._pause is not None and self._pause.is_busy:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    break
                self._write(left_s)
            if self._pause is not None:
                lines = self._held.count(b"\n") + sum(self._pause.dropped.values())
                raise SinkError(
                    f"the log {self._writer.name!r} could not be written since"
                    f" {timestamp(self._pause.since_ns)} ({self._pause.reason}):"
                    f" {lines} lines are lost"
                )
        finally:
            self._writer.close()

    def _write(self, limit_s: float = WRITE_S) -> None:
        deadline = time.monotonic() + limit_s
        while self._held:
            try:
                written = self._writer.write(self._held)
            except Busy as error:
                self._pause_for(error)
                return
            except OSError as error:
                self._errors += 1
                if not self._writer.may_pause:
                    raise sink_error("write", self._writer.name, error) from None
                self._pause_for(error)
                return
            self._is_within_line = self._held[written - 1 : written] != b"\n"
            del self._held[:written]
            if self._held and time.monotonic() >= deadline:
                self._pause_for(Busy("it takes lines slowly"))
                return
        if self._pause is not None:
            self._resume(self._pause)

    def _pause_for(self, error: OSError) -> None:
        if self._pause is not None:
            self._pause.reason = reason_of(error)
            self._pause.is_busy = isinstance(error, Busy)
            return
        self._pause = _Pause(error)
        say(
            f"{sink_error('write', self._writer.name, error)} Until then up to"
            f" {HELD_MAX >> 20} MiB of lines are held, and further ones counted."
        )

    def _resume(self, pause: _Pause) -> None:
        self._pause = None
        seconds = (time.monotonic_ns() - pause.began_ns) / 1e9
        say(f"the log {self._writer.name!r} is written again, after {seconds:.0f} s")
        self._notices.append(
            Notice(
                LOG_RESUMED,
                "warning",
                {
                    "log": {"file": {"path": self._writer.name}},
                    "reason": pause.reason,
                    "since": timestamp(pause.since_ns),
                    "paused_s": round(seconds, 3),
                },
            )
        )
        if pause.dropped:
            self._notices.append(
                Notice(
                    LOST,
                    "warning",
                    {
                        "count": sum(pause.dropped.values()),
                        "since": timestamp(pause.dropped_since_ns),
                        "reason": "log_not_written",
                        "not_written": dict(sorted(pause.dropped.items())),
                    },
                )
            )

    def _may_hold(self, line: bytes) -> bool:
        if len(self._held) + len(line) < HELD_MAX:
            return True
        is_event = NO_REQUEST in count_lines(line)
        return is_event and len(self._held) + len(line) < EVENTS_HELD_MAX

    def _drop(self, pause: _Pause, lines: bytes) -> None:
        counts = count_lines(lines)
        pause.dropped_since_ns = pause.dropped_since_ns or time.time_ns()
        pause.dropped.update(counts)
        self._not_written.update(counts)

    def _write_again(self, chunks: Iterable[bytes]) -> None:
        """Put lines that were lost before those that are held, as far as there is room."""
        again = bytearray()
        for chunk in chunks:
            if len(again) + len(self._held) + len(chunk) < HELD_MAX:
                again += chunk
                continue
            if self._pause is None:
                self._pause = _Pause(OSError(0, "more was lost than is held"))
            self._drop(self._pause, chunk)
        self._held[:0] = again
        if again:
            self._write()


def say(message: str) -> None:
    """Say it where the log is not."""
    with contextlib.suppress(OSError, ValueError):  # nobody may listen
        if sys.stderr is not None and _has_room(sys.stderr):
            print(f"imds-analyzer: {message}", file=sys.stderr, flush=True)


def _has_room(stream: TextIO) -> bool:
    """Tell whether one may write without waiting: it may be the same pipe as the log."""
    try:
        fd = stream.fileno()
    except (OSError, ValueError):  # it is no file
        return True
    room = select.poll()
    room.register(fd, select.POLLOUT)
    return bool(room.poll(0))
