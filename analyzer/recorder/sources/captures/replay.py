"""Reads captures that others made: files, or what tcpdump writes into a pipe."""

from __future__ import annotations

import collections
import contextlib
import os
import select
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Callable, Optional

from analyzer.errors import CaptureError, SourceUnavailable
from analyzer.recorder.clock import CaptureClock, Clock
from analyzer.recorder.source_events import Connection, Event, Lost, Passed
from analyzer.recorder.sources.captures.capture_file import DamagedError
from analyzer.recorder.sources.captures.one_file import END, STANDARD_INPUT, CaptureFile
from analyzer.recorder.sources.losses import LossMeter
from analyzer.recorder.sources.tcp.conversation import FORWARDED, NOBODY, Sender
from analyzer.recorder.sources.tcp.reassembly import TO_US, Reassembler

# Read in one go. Files are read faster than judged: more would only wait in memory.
READ_BYTES = 128 * 1024
_TICK_NS = 1_000_000_000
# A named pipe is opened at once, also where nobody writes into it yet, so that a signal can end
# the wait for it: poll(2) does not take it for ended before somebody has.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
# A signal that ends the reader of a pipe mostly ends its writer, too, which first writes what it
# still has.
LAST_WORDS_S = 1.0
_AT_ONCE_S = 0.0  # a time long ago


class PcapSource:
    """Reads captures one after the other.

    ``begun`` is called once the time of the first packet is known, or at the end where there is
    none; ``file_read`` at the end of each file. A connection goes on from one file into the next,
    if the next one's time does.
    """

    probe = "packet/pcap"
    wire_lacks: Optional[SourceUnavailable] = None  # the wire is all there is
    library = ""

    def __init__(
        self,
        names: Sequence[str],
        clock: CaptureClock,
        *,
        begun: Callable[[], None],
        file_read: Callable[[CaptureFile], None],
    ) -> None:
        """Open the first of the files. Raises CaptureError where that cannot be done."""
        self.clock: Clock = clock
        self.is_ended = False
        self._clock = clock
        self._begun: Optional[Callable[[], None]] = begun
        self._file_read = file_read
        self._reassembler = Reassembler(_identify)
        self._losses: Optional[LossMeter] = None  # until there is a time to begin with
        self._tick_ns: Optional[int] = None  # the same
        self._is_pipe = False
        self._stop_by_s: Optional[float] = None  # monotonic; None: nobody has told it to stop
        self._unopened = collections.deque(names)
        # The last is being read; the first is being decoded, and may be one before it.
        self._files: collections.deque[CaptureFile] = collections.deque()
        # One number for all files: whoever waits for it need not know that they change.
        self._fd: Optional[int] = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        with contextlib.ExitStack() as on_error:
            on_error.callback(self.close)
            self._open()
            self._readable = select.poll()
            self._readable.register(self._fd, select.POLLIN)
            on_error.pop_all()

    @property
    def counters(self) -> Mapping[str, int]:
        """Frames, by what became of them; 0 for what did not occur."""
        return self._reassembler.counters

    def fileno(self) -> int:
        """Return the descriptor of the file that is being read."""
        return -1 if self._fd is None else self._fd

    def read(self, limit_bytes: int) -> list[bytes]:
        """Return the file's next bytes, as far as there are any; b"" for its end."""
        if self.is_ended or self._fd is None:
            return []
        wait_s = 0.0 if self._stop_by_s is None else self._stop_by_s - time.monotonic()
        if wait_s < 0 or not self._readable.poll(wait_s * 1000):
            return [] if self._stop_by_s is None else self._stop()
        data, file = END, self._files[-1]
        if file.error is None:
            try:
                data = os.read(self._fd, min(READ_BYTES, limit_bytes))
            except BlockingIOError:  # another reader of the same pipe was quicker
                return [] if self._stop_by_s is None else self._stop()
            except OSError as error:
                what = f"it cannot be read ({error.strerror})"
                file.fail(DamagedError(file.recording.offset, what))
        if data == END:
            self._end_file()
        return [data]

    def _end_file(self) -> None:
        """Go on with the next file, if that is still wanted."""
        if self._stop_by_s is None:
            self._open()
        else:
            self._files[-1].is_stopping = True
            self.is_ended = True

    def _stop(self) -> list[bytes]:
        """Make this the end of the file."""
        self._files[-1].is_stopped = True
        self._end_file()
        return [END]

    def decode(self, raw: bytes) -> Iterable[Event]:
        """Return the events in the file's next bytes."""
        file = self._files[0]
        try:
            for data in file.unpack(raw):
                yield from self._follow(file, data)
        except DamagedError as damage:
            file.fail(damage)
        if raw == END:
            file.finish()
            self._tell_begun()
            self._file_read(file)
            self._files.popleft()

    def cgroup_of(self, _raw: bytes) -> int:
        """Return nothing: packets do not tell."""
        return 0

    def expire(self, _now_boottime_ns: int) -> Iterable[Event]:
        """Return nothing: time passes with the packets."""
        return ()

    def flush(self) -> Iterable[Event]:
        """Return what is held back when all is read."""
        self._tell_begun()
        return self._reassembler.flush()

    def lost(self) -> list[Lost]:
        """Return how many packets could not be read, by why."""
        return [] if self._losses is None else self._losses.take()

    def detach(self) -> None:
        """Read no further than what a pipe's writer ends with."""
        if not self.is_ended:
            self._stop_by_s = time.monotonic() + LAST_WORDS_S if self._is_pipe else _AT_ONCE_S

    def close(self) -> None:
        """Close the file."""
        self.is_ended = True
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _open(self) -> None:
        """Put the next file in the place of the last."""
        if not self._unopened:
            self.is_ended = True
            return
        name = self._unopened.popleft()
        try:
            fd = os.dup(0) if name == STANDARD_INPUT else os.open(name, _FLAGS)
        except OSError as error:
            raise CaptureError(f"{name}: {error.strerror}") from error
        if name == STANDARD_INPUT and os.isatty(fd):
            os.close(fd)
            raise CaptureError(
                "standard input is a terminal. Pipe a capture in: tcpdump -U -w - port 80 |"
                " imds-analyzer replay -"
            )
        self._is_pipe = not stat.S_ISREG(os.fstat(fd).st_mode)
        os.dup2(fd, self.fileno(), inheritable=False)
        os.close(fd)
        self._files.append(CaptureFile(name))

    def _follow(self, file: CaptureFile, data: bytes) -> Iterator[Event]:
        packets = file.recording.feed(data)
        file.count(packet[0] for packet in packets)
        unfed = iter(packets)
        while True:
            # Events go on before time does.
            events: list[Event] = []
            if self._tick_ns is None:
                beyond = next(unfed, None)
            else:
                until_ns = self._tick_ns + _TICK_NS
                beyond = self._reassembler.feed_until(unfed, self._tick_ns, until_ns, events)
                yield from events
            if beyond is None:
                break
            yield from self._pass(beyond[0])
            yield from self._reassembler.feed(*beyond)
        if packets:
            self._clock.advance(packets[-1][0])
        if file.recording.damage is not None:
            raise file.recording.damage

    def _pass(self, at_ns: int) -> Iterator[Event]:
        """Let time come as far as a packet, if that is not one a little out of order."""
        if self._clock.advance(at_ns or 1):  # at 0 it has not begun
            # Another capture, of other connections.
            yield from self._reassembler.flush()
        now_ns = self._clock.now_ns()
        if self._tick_ns is None or not 0 <= now_ns - self._tick_ns < _TICK_NS:
            self._tick_ns = now_ns
            if self._losses is None:
                self._losses = LossMeter(self._reassembler.loss_readers(), self._clock)
            self._tell_begun()
            yield from self._reassembler.expire(now_ns)
            yield Passed(now_ns)

    def _tell_begun(self) -> None:
        begun, self._begun = self._begun, None
        if begun is not None:
            begun()


def _identify(_connection: Connection, _start: Optional[int], packet_type: int) -> Sender:
    """Tell what a capture does of who sends: that it is nobody on the host, if it came in there."""
    return FORWARDED if packet_type == TO_US else NOBODY
