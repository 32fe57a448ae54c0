"""Defines the writer interface: delivers lines to a destination and reports its problems."""

from __future__ import annotations

import errno
import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from analyzer.errors import SinkError
from analyzer.recorder.sinks.trusted import Planted


class Notice(NamedTuple):
    """An event about the log itself, to be written into it."""

    event: str
    level: str
    fields: dict[str, object]


class Busy(OSError):
    """The place takes no lines now, and will when its reader goes on."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.EAGAIN, reason)


class InUse(OSError):
    """Another process writes to the same file."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(errno.EWOULDBLOCK, reason)
        self.remedy = remedy


# A reader that takes nothing for as long is not waited for: lines are held until it does.
SEND_S = 0.2


class Writer(Protocol):
    """Takes whole lines to one place. Made with what it needs already open."""

    name: str
    # Whether lines are held while it takes none; else its errors are the end, but for Busy.
    may_pause: bool

    def write(self, lines: bytearray) -> int:
        """Take lines, each with its end; returns how many bytes, at least one.

        Raises OSError where it takes none now, and Busy after SEND_S without a reader.
        """
        ...

    def tick(self) -> Iterable[bytes]:
        """Look after things, about once a second; yields lines that have to be written again."""
        ...

    def reopen(self) -> Iterable[bytes]:
        """Open the place anew because others have moved it; yields as :meth:`tick` does."""
        ...

    def notices(self) -> list[Notice]:
        """Return what there is to say since the last call."""
        ...

    def close(self) -> None:
        """Release everything; may be called twice."""
        ...


class LineHead(NamedTuple):
    """The first fields of a line, in the order of the log's format."""

    level: str
    event: str
    version: str
    operation: str
    provider: str
    outcome: str


# Values of these fields come from fixed lists, so that none can hold a quote.
_HEAD = re.compile(
    rb'\{"timestamp":"[^"]*","level":"(\w+)","event":"(\w+)"'
    rb'(?:,"imds":\{"version":"(\w+)","operation":"([\w-]+)","reason":"\w+"'
    rb',"provider":"(\w+)"(?:,"outcome":"(\w+)")?)?'
)


def head_of(line: bytes) -> LineHead:
    """Return what a line of this program starts with; "" for what is not there."""
    match = _HEAD.match(line)
    return (
        LineHead(*(each.decode() for each in match.groups(b""))) if match else LineHead(*("",) * 6)
    )


# In counts by version, the lines that are no requests.
NO_REQUEST = "event"


# On a folded line, behind its head: how many calls of its version it stands for.
_REPEATED = re.compile(rb',"repeated":\[([^\]]*)\]')
_COUNT = re.compile(rb'"count":([0-9]{1,9})')


def count_lines(lines: bytes) -> Counter[str]:
    """Return how many requests of each version these lines stand for, and how many are none."""
    counts: Counter[str] = Counter()
    for line in lines.splitlines():
        match = _HEAD.match(line)
        version = (match[3] or b"").decode() if match else ""
        repeated = _REPEATED.match(line, match.end()) if match and version else None
        calls = sum(map(int, _COUNT.findall(repeated[1]))) if repeated else 1
        counts[version or NO_REQUEST] += calls
    return counts


_DEFAULT_REMEDY = "Choose another path, or - for standard output."
_REMEDIES = {
    errno.EACCES: "Run as root, or choose a path that this user may write.",
    errno.EPERM: "Choose another path: this one is protected even from its owner.",
    errno.EROFS: "Choose a path on a file system that is mounted writable; under systemd, name its"
    " directory in ReadWritePaths= (systemctl edit imds-analyzer).",
    errno.EISDIR: "It is a directory: name a file in it, such as imds.jsonl.",
    errno.ENOTDIR: "A part of the path is a file: choose a path through directories only.",
    errno.ENXIO: "Nobody reads from it: start the reader of the pipe first.",
    errno.ENOSPC: "Free space there, or choose a path on another file system.",
    errno.EDQUOT: "Raise the quota, or choose a path on another file system.",
    errno.EPIPE: "Its reader has ended: start the analyzer together with a reader that stays.",
    errno.EBADF: "It is closed: start the analyzer with standard output open, or name a file.",
    errno.EAGAIN: "Find out why its reader takes so long.",
}


def reason_of(error: OSError) -> str:
    """Return an error's reason in words."""
    return error.strerror or str(error)


def sink_error(action: str, name: str, error: OSError) -> SinkError:
    """Return the error that says what cannot be done with a log, and what to do."""
    remedy = _REMEDIES.get(error.errno or 0, _DEFAULT_REMEDY)
    if isinstance(error, (InUse, Planted)):
        remedy = error.remedy
    return SinkError(f"cannot {action} the log {name!r}: {reason_of(error)}. {remedy}")
