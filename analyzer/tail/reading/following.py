"""Follows a log by its name: yields each line once and in order, whatever is done to the file.

A rotated file is read to its end through the open descriptor. Files that were rotated between two
looks come next, from the archive. The file that has the name now comes last, once it has content:
until then its writer may still use the former. A line is yielded only when its end is there.
"""

from __future__ import annotations

import itertools
import math
import os
import stat
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Optional

from analyzer.errors import AnalyzerError
from analyzer.tail.reading.openfile import OpenFile, backwards
from analyzer.tail.reading.rotated import UNREADABLE, Rotated, put_aside
from analyzer.tail.reading.source import PassedOver, Say, Start, Wanted, passed_over
from analyzer.tail.reading.succession import bytes_written_again, earlier_than, position_of

# How far back is looked for the last wanted lines: some 30,000 lines, about a second.
LOOK_BACK_BYTES = 64 << 20
# For as many looks the analyzer may be at writing its last lines once more.
_AGAIN_LOOKS = 8
# Between putting a file aside and making a new one it is not there for a moment.
_MISSING_S = 3.0


class FileSource:
    """Gives the lines of a log file; made by :func:`open_log_file`."""

    def __init__(self, path: Path, start: Start, wanted: Wanted, say: Say, *, follow: bool) -> None:
        self.is_over = False
        self._path = path
        self._say = say
        self._passed_over = passed_over(str(path), say)
        self._follow = follow
        self._file: Optional[OpenFile] = None
        # Since when it is not there; from the beginning is said at once.
        self._missing_s: Optional[float] = -math.inf
        self._looks_again = 0
        self._first = self._begin(start, wanted)

    def read(self, wait_s: float) -> Iterator[bytes]:
        """Yield the lines that are new; sleeps ``wait_s`` where there are none."""
        yield from self._first
        if not self._follow:
            self.is_over = True
            return
        line = None
        for line in self._look():
            yield line
        if line is None:
            time.sleep(wait_s)

    def close(self) -> None:
        """Close the file."""
        self.is_over = True
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self, start: Start, wanted: Wanted) -> Iterator[bytes]:
        """Open what there is, and yield what of it is to be shown."""
        self._file = self._open()
        earlier = put_aside(self._path) if start.is_deep or self._file is None else []
        if self._file is None and earlier and (plain := earlier[-1].plain()):
            # Moved a moment ago: the writer may still be at it.
            self._file = OpenFile(plain, self._passed_over)
        if self._file is not None:
            earlier = earlier_than(self._file.head, self._file.identity, earlier)
        elif not self._follow and not earlier:
            raise AnalyzerError(
                f"there is no log {str(self._path)!r}. Name the file that the analyzer writes"
                " (imds-analyzer run --log-file), or --journal."
            )
        self._known = {each.name for each in earlier}
        if start.lines is None:
            return itertools.chain(self._all(earlier), self._lines())
        last: list[bytes] = []
        budget = LOOK_BACK_BYTES
        if self._file is not None:
            self._file.skip_to_end()
            last, budget = _last(self._file, start.lines, budget, wanted, self._passed_over)
        while earlier and budget > 0 and len(last) < start.lines:
            last, budget = self._last_of(earlier.pop(), last, start.lines, budget, wanted)
        return iter(last)

    def _last_of(
        self, rotated: Rotated, later: list[bytes], count: int, budget: int, wanted: Wanted
    ) -> tuple[list[bytes], int]:
        found: deque[bytes] = deque(maxlen=count - len(later))
        for line in self._reading(rotated):
            budget -= len(line)
            if wanted(line):
                found.append(line)
        return [*found, *later], budget

    def _all(self, earlier: Sequence[Rotated]) -> Iterator[bytes]:
        for rotated in earlier:
            yield from self._reading(rotated)

    def _lines(self) -> Iterator[bytes]:
        if self._file is not None:
            yield from self._file.lines()

    def _reading(self, rotated: Rotated, offset: int = 0) -> Iterator[bytes]:
        try:
            yield from rotated.lines(passed_over(str(rotated.paths[-1]), self._say), offset)
        except UNREADABLE as error:
            self._say(f"{rotated.paths[-1]} cannot be read on: {error}. Lines are missing here")

    def _look(self) -> Iterator[bytes]:
        """Yield what is new since the last look."""
        found = self._found()  # before reading: what has a successor is complete
        if self._file is None:
            yield from self._after_waiting()
            return
        if self._file.is_emptied():
            yield from self._after_emptying(self._file)
        yield from self._file.lines()
        if found is not None and found.st_size > 0 and _identity(found) != self._file.identity:
            yield from self._after_another(self._file)

    def _after_waiting(self) -> Iterator[bytes]:
        """Begin with a file that is there at last, and with what was rotated before it was seen."""
        self._file = self._open()
        if self._file is not None:
            aside = earlier_than(self._file.head, self._file.identity, put_aside(self._path))
            yield from self._all([each for each in aside if each.name not in self._known])
            yield from self._file.lines()

    def _after_emptying(self, file: OpenFile) -> Iterator[bytes]:
        """Go over to what was written since; first to the copies of what was there before.

        logrotate's copytruncate makes them. An empty file has nothing by which to recognise a
        later copy.
        """
        head = file.present_head()
        if not head:
            return
        aside = put_aside(self._path)
        at = position_of(file.head, file.identity, aside)
        if at is None:
            self._say(f"{self._path} was emptied; going on at its start")
        else:
            yield from self._reading(aside[at], file.offset)
            yield from self._all(earlier_than(head, file.identity, aside[at + 1 :]))
        file.rewind(head)

    def _after_another(self, former: OpenFile) -> Iterator[bytes]:
        """Go over to the file that has the name now; first to those that had it meanwhile."""
        new = self._open()
        if new is None:
            return
        aside = put_aside(self._path)
        at = position_of(former.head, former.identity, aside)
        if at is not None:
            between = aside[at + 1 :]
        else:
            written_ns = os.fstat(former.fd).st_mtime_ns
            between = [each for each in aside if each.written_ns > written_ns]
        between = earlier_than(new.head, new.identity, between)
        if at is None and between:
            self._say(f"files of {self._path} were deleted before they were read: lines may miss")
        if at is None and not between and former.is_deleted():
            again = bytes_written_again(former, new)
            if again is None and self._looks_again < _AGAIN_LOOKS:
                self._looks_again += 1
                new.close()
                return
            new.offset = again or 0
        self._looks_again = 0
        if rest := former.rest():  # of a crash: nothing will be added to it
            yield rest
        yield from self._all(between)
        former.close()
        self._file = new
        yield from new.lines()

    def _found(self) -> Optional[os.stat_result]:
        try:
            found = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            self._note_missing()
            return None
        except OSError as error:
            raise _unreadable(self._path, error) from None
        self._missing_s = None
        return found

    def _note_missing(self) -> None:
        now_s = time.monotonic()
        if self._missing_s is None:
            self._missing_s = now_s
        elif self._follow and self._missing_s + _MISSING_S < now_s:
            self._say(f"{self._path} is not there; waiting for it")
            self._missing_s = math.inf

    def _open(self) -> Optional[OpenFile]:
        if self._found() is None:
            return None
        try:
            return OpenFile(self._path, self._passed_over)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(self._path, error) from None


def check(path: Path) -> None:
    """Raise AnalyzerError where there is something that no lines can be followed in."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise _unreadable(path, error) from None
    except ValueError:  # a NUL byte
        raise AnalyzerError(
            f"cannot read the log {str(path)!r}: this is not a valid path."
        ) from None
    if stat.S_ISDIR(mode):
        raise AnalyzerError(f"{str(path)!r} is a directory: name a file in it, such as imds.jsonl.")
    if not stat.S_ISREG(mode):
        raise AnalyzerError(f"{str(path)!r} is not a file: to read a pipe, name - and use <.")


def _unreadable(path: Path, error: OSError) -> AnalyzerError:
    remedy = "Name another file."
    if isinstance(error, PermissionError):
        remedy = "Run as root, or as a member of the group that the file belongs to."
    return AnalyzerError(f"cannot read the log {str(path)!r}: {error.strerror}. {remedy}")


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _last(
    file: OpenFile, count: int, budget: int, wanted: Wanted, passed_over: PassedOver
) -> tuple[list[bytes], int]:
    """Return the last wanted lines before where the file stands, and what is left to look at.

    What is passed over of long lines costs little, and does not count.
    """
    found: list[bytes] = []
    lines = backwards(file.fd, file.offset)
    while len(found) < count and budget > 0:
        each = next(lines, None)
        if each is None:
            break
        budget -= len(each.line) + 1
        if each.passed_over:
            passed_over(each.passed_over)
        if wanted(each.line):
            found.append(each.line)
    return found[::-1], budget
