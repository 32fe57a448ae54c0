"""Reads the log in the journal through journalctl, a child that ends with us.

Any user may write to the journal under any name. Taken are the lines of the service and of root,
who may run the analyzer by hand: these fields are journald's own words.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
from collections.abc import Iterator
from typing import Optional

from analyzer.errors import AnalyzerError
from analyzer.tail.reading.source import Say, Splitter, Start, Wanted, passed_over

UNIT = "imds-analyzer.service"
_MATCHES = (
    "SYSLOG_IDENTIFIER=imds-analyzer", f"_SYSTEMD_UNIT={UNIT}", "+",
    "SYSLOG_IDENTIFIER=imds-analyzer", "_UID=0",
)  # fmt: skip
# Without --all journalctl leaves out values of more than 4 KiB.
_COMMAND = ("journalctl", "--quiet", "--no-pager", "--all", "--output=json")
_PIECE = 1 << 16
_END_S = 5.0
# How far back is looked for the last wanted lines, as in a file.
LOOK_BACK_BYTES = 64 << 20


class JournalSource:
    """Gives the analyzer's lines in the journal."""

    def __init__(self, start: Start, wanted: Wanted, say: Say, *, follow: bool) -> None:
        """Start journalctl. Raises AnalyzerError where there is none."""
        self._say = say
        self.is_over = False
        self._child: Optional[_Child] = None
        self._last: list[bytes] = []
        options = ["--no-tail", "--follow"] if follow else []
        if start.lines is None and not start.is_deep:
            options.append("--boot")
        elif start.lines is not None:
            cursor = self._look_back(start.lines, wanted)
            if cursor:
                options.append(f"--after-cursor={cursor}")
            if not follow:
                return
        self._child = _Child(options, say)

    def read(self, wait_s: float) -> Iterator[bytes]:
        """Yield the lines that are new; waits for journalctl up to ``wait_s``."""
        last, self._last = self._last, []
        yield from last
        if self._child is None:
            self.is_over = True
            return
        for entry in self._child.read(wait_s):
            yield _message(entry)
        self.is_over = self._child.is_over

    def close(self) -> None:
        """End journalctl; may be called twice."""
        self.is_over = True
        if self._child is not None:
            self._child.close()
            self._child = None

    def _look_back(self, count: int, wanted: Wanted) -> str:
        """Find the last wanted lines; return the last entry's cursor, "" where there is none."""
        cursor = ""
        budget = LOOK_BACK_BYTES
        child = _Child(["--reverse"], self._say)
        try:
            while not child.is_over and budget > 0 and (len(self._last) < count or not cursor):
                for entry in child.read(1.0):
                    cursor = cursor or _cursor(entry)
                    message = _message(entry)
                    budget -= len(message)
                    if len(self._last) < count and wanted(message):
                        self._last.append(message)
        finally:
            child.close()
        self._last.reverse()
        return cursor


class _Child:
    """One journalctl, outside of the terminal's process group: Ctrl-C is for us alone."""

    def __init__(self, options: list[str], say: Say) -> None:
        self.is_over = False
        self._splitter = Splitter(passed_over("the journal", say))
        try:
            self._process = subprocess.Popen(
                [*_COMMAND, *options, *_MATCHES],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise AnalyzerError(
                "journalctl is not there, so the journal cannot be read. Name a file instead."
            ) from None
        assert self._process.stdout is not None  # noqa: S101 (as PIPE says)
        self._fd = self._process.stdout.fileno()
        self._poller = select.poll()
        self._poller.register(self._fd, select.POLLIN)

    def read(self, wait_s: float) -> Iterator[bytes]:
        """Yield the entries that are new. Raises AnalyzerError where journalctl failed."""
        if not self._poller.poll(wait_s * 1000):
            return
        data = os.read(self._fd, _PIECE)
        if data:
            yield from self._splitter.feed(data)
            return
        self.is_over = True
        code = self._process.wait()
        if code:
            raise AnalyzerError(f"journalctl ended with {code}: see what it says above.")

    def close(self) -> None:
        """End it, and wait for its end."""
        self._process.terminate()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _message(entry: bytes) -> bytes:
    """Return the line that an entry holds; an entry that cannot be taken apart, as it is."""
    try:
        message = json.loads(entry)["MESSAGE"]
        if isinstance(message, str):
            return message.encode("utf-8", "surrogatepass")
        return bytes(message)  # as numbers, where it is not text to journalctl
    except (ValueError, KeyError, TypeError, RecursionError):
        return entry


def _cursor(entry: bytes) -> str:
    try:
        return str(json.loads(entry)["__CURSOR"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
