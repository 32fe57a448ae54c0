"""Rotates the log: names files by their time, compresses them, and deletes the oldest.

What counts is their compressed size, and only what is compressed is deleted: long lines that are
alike, which anybody can bring about, take little room then and push out nothing.

Of a log ``imds.jsonl`` they are ``imds.jsonl-20261121T233146Z``, soon ``….gz``. In the order of
their names, and then ``imds.jsonl`` itself, they are what was logged: a name is later than all
before it, whatever the clock did. Where one is there both with and without ``.gz``, the two hold
the same lines.
"""

from __future__ import annotations

import calendar
import contextlib
import errno
import os
import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional

from analyzer.logline.events import (
    LOG_COMPRESSION_FAILED,
    LOG_DELETED,
    LOG_NOT_DELETED,
    LOG_NOT_ROTATED,
)
from analyzer.recorder.sinks.compress import (
    PART,
    SUFFIX,
    CompressionStopped,
    part_of,
    span_of,
    sync_directory,
    target_of,
    write_part,
)
from analyzer.recorder.sinks.writer import Notice, reason_of

_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z")
# How long the thread may take to notice that it shall end; it looks for every piece it reads.
_STOP_S = 5.0
# After a failure, such as a full disk, putting aside and compressing are tried again as often.
_RETRY_S = 60.0
_COMPRESSOR_NICE = 10
# What is not compressed is not deleted, unless all together have as many times what they may: a
# full disk would end the log.
UNCOMPRESSED_TOTAL = 2


class Kept(NamedTuple):
    """A file that was rotated; sorts by age."""

    stamp: str
    name: str
    size: int
    is_compressed: bool


class Archive:
    """The rotated files of one log. Safe to use while its own thread compresses."""

    def __init__(
        self, path: str, rotate_bytes: int, total_bytes: int, *, retry_s: float = _RETRY_S
    ) -> None:
        """Take the log's path, its largest size, and that of it and all compressed files together.

        Files that still have to be compressed come on top, one or two as a rule. Where they cannot
        be, all together have at most UNCOMPRESSED_TOTAL times as much.
        """
        self.rotate_bytes = rotate_bytes
        self.total_bytes = total_bytes
        self._path = Path(path)
        self._prefix = f"{self._path.name}-"
        self._lock = threading.Lock()
        self._told: deque[Notice] = deque()
        self._thread: Optional[threading.Thread] = None
        self._stop = threading.Event()
        self._is_due = True  # what an earlier run has left
        self._retry_s = retry_s
        self._has_failed = False
        self._not_before_s = 0.0  # when compressing may be tried again
        self._is_stuck = False  # whether it was told that the log cannot be rotated
        self._stuck_until_s = 0.0

    def warn_if_stuck(self) -> None:
        """Tell at once where this user may not rename the log, not only when it is large."""
        if not os.access(self._path.parent, os.W_OK | os.X_OK, effective_ids=True):
            self._note_stuck(os.strerror(errno.EACCES))

    def maybe_put_aside(self) -> Optional[str]:
        """Rename the log, and return its new name; None where that cannot be done now.

        It is told once why, and tried again only after a while: the log goes on as it is.
        """
        if time.monotonic() < self._stuck_until_s:
            return None
        with self._lock:
            try:
                kept = self.kept()
                stamp = _next_stamp(kept[-1].stamp if kept else "")
                put_aside = self._path.rename(self._path.with_name(self._prefix + stamp))
            except FileNotFoundError:  # moved by others: the next tick of the log finds that
                return None
            except OSError as error:
                self._stuck_until_s = time.monotonic() + self._retry_s
                self._note_stuck(reason_of(error))
                return None
            self._is_stuck = False
            self._is_due = True
        return str(put_aside)

    def kept(self) -> list[Kept]:
        """Return the files that were rotated, oldest first."""
        return sorted(self._scan())

    def tick(self) -> None:
        """Start to compress what is there, where that is not going on already."""
        is_running = self._thread is not None and self._thread.is_alive()
        if self._is_due and not is_running and time.monotonic() >= self._not_before_s:
            self._is_due = False
            thread = threading.Thread(target=self._work, name="compress", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # the service may have no more tasks
                self._note_failure(str(error))
            else:
                self._thread = thread

    def notices(self) -> list[Notice]:
        """Return what there is to say since the last call."""
        return [self._told.popleft() for _ in range(len(self._told))]

    def set_limits(self, rotate_bytes: int, total_bytes: int) -> None:
        """Apply other limits, and see soon whether that leaves too much."""
        self.rotate_bytes = rotate_bytes
        self.total_bytes = total_bytes
        self._is_due = True

    def stop(self) -> None:
        """Have the thread end soon."""
        self._stop.set()

    def close(self) -> None:
        """End the thread; what it was at is done anew after the next start."""
        self.stop()
        if self._thread is not None:
            self._thread.join(_STOP_S)

    def _work(self) -> None:
        # The pipeline goes first where there is little time for both.
        with contextlib.suppress(OSError):  # a sandbox may forbid even that
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _COMPRESSOR_NICE)
        try:
            self._make_room()
            self._forget_parts()
            while True:
                plain = [each for each in self.kept() if not each.is_compressed]
                if not plain:
                    return
                # Deleted meanwhile by others: then there is nothing to do.
                with contextlib.suppress(FileNotFoundError):
                    self._compress(self._path.with_name(plain[0].name))
                    self._has_failed = False
                self._make_room()
        except (CompressionStopped, FileNotFoundError):
            return  # without the directory there is nothing to do
        except OSError as error:
            self._note_failure(reason_of(error))

    def _compress(self, path: Path) -> None:
        """Replace a file by its compressed form. Raises CompressionStopped, and OSError.

        The compressed file gets its name only when all of it is on the disk. The other file is
        removed after that, so one of them is whole at any time.
        """
        target = target_of(path)
        if not target.exists():  # else a crash came between the last two steps
            write_part(path, self._stop)
            self._make_room(part_of(path).stat().st_size)
            with self._lock:
                if not path.exists():
                    part_of(path).unlink()
                    return
                part_of(path).rename(target)
            sync_directory(path.parent)
        path.unlink()

    def _forget_parts(self) -> None:
        """Delete what a run that was killed had not finished. Raises OSError."""
        for each in list(self._path.parent.iterdir()):
            if not each.name.startswith(self._prefix) or not each.name.endswith(PART):
                continue
            if _STAMP.fullmatch(each.name[len(self._prefix) : -len(PART)]):
                each.unlink()

    def _make_room(self, more: int = 0) -> None:
        """Delete the oldest until there is room for the file itself and ``more`` bytes.

        Only the thread does that: it tells what time is gone, and reads a file for it. What cannot
        be deleted is told. Raises OSError for the directory.
        """
        kept = self.kept()
        whole = {each.stamp for each in kept if each.is_compressed}
        packed = [each for each in kept if each.is_compressed]
        plain = [each for each in kept if not each.is_compressed and each.stamp not in whole]
        size = self.rotate_bytes + more + sum(each.size for each in packed)
        excess = size - self.total_bytes
        # One that only waits for the compressor stays, however many there are.
        most = UNCOMPRESSED_TOTAL * self.total_bytes
        excess_plain = size + sum(each.size for each in plain) - most if self._has_failed else 0
        for each in packed:
            if excess <= 0 and excess_plain <= 0:
                return
            self._delete(each, "total_mib")
            excess -= each.size
            excess_plain -= each.size
        for each in plain:
            if excess_plain <= 0:
                return
            self._delete(each, "not_compressed")
            excess_plain -= each.size

    def _delete(self, kept: Kept, reason: str) -> None:
        path = self._path.with_name(kept.name)
        since, until = span_of(path) or (None, None)
        try:
            path.unlink()
        except FileNotFoundError:
            pass
        except OSError as error:
            self._tell(LOG_NOT_DELETED, "warning", path, reason=reason_of(error))
        else:
            fields = {"size_bytes": kept.size, "reason": reason, "since": since, "until": until}
            self._tell(LOG_DELETED, "info", path, **fields)

    def _note_stuck(self, reason: str) -> None:
        if not self._is_stuck:
            self._is_stuck = True
            self._tell(LOG_NOT_ROTATED, "warning", self._path, reason=reason)

    def _note_failure(self, reason: str) -> None:
        self._not_before_s = time.monotonic() + self._retry_s
        self._is_due = self._has_failed = True
        self._tell(LOG_COMPRESSION_FAILED, "warning", self._path, reason=reason)

    def _tell(self, event: str, level: str, path: Path, **fields: object) -> None:
        self._told.append(Notice(event, level, {"log": {"file": {"path": str(path)}}, **fields}))

    def _scan(self) -> Iterator[Kept]:
        with os.scandir(self._path.parent) as entries:
            for entry in entries:
                if not entry.name.startswith(self._prefix):
                    continue
                stamp, _, suffix = entry.name[len(self._prefix) :].partition(".")
                if not _STAMP.fullmatch(stamp) or suffix not in ("", SUFFIX[1:]):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    size = entry.stat(follow_symlinks=False).st_size
                    yield Kept(stamp, entry.name, size, bool(suffix))


def _next_stamp(newest: str) -> str:
    """Return the name for this second, or for the first one after the newest there is."""
    at_s = int(time.time())
    match = _STAMP.fullmatch(newest)
    if match is not None:
        with contextlib.suppress(ValueError):  # no such month
            at_s = max(at_s, calendar.timegm(tuple(map(int, match.groups()))) + 1)
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at_s))
