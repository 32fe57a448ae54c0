"""Repairs a log whose last line was cut off by a crash."""

from __future__ import annotations

import json
import os
from typing import Optional

from analyzer.errors import SinkError
from analyzer.logline.events import LOG_REPAIRED
from analyzer.recorder.sinks.writer import Notice
from analyzer.text import decode_text

_BLOCK = 65536
# The longest line a caller can bring about has 70 KB, with sixteen ancestors' arguments. What has
# no end for longer than this was not written by this program, and is not for it to cut.
LINE_MAX = 1 << 20
# A power failure leaves the zero bytes of what was not yet on the disk: some seconds' lines. More
# are something else, such as the image of a disk.
ZEROS_MAX = 64 << 20
# Of what was cut off, this much is kept in the event that says so.
TORN_TEXT_MAX = 4096
# How a line of this program begins, each 0 for any digit; the second is CloudWatch's metrics.
_HEADS = (
    b'{"timestamp":"0000-00-00T00:00:00.000000Z","level":"',
    b'{"_aws":{"Timestamp":0',
)
_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)


def mend(fd: int, path: str) -> Optional[Notice]:
    """Make the file end with a whole line, and return what there is to say about it.

    A last line that lacks only its end gets it. Part of a line is cut off, and so are the zero
    bytes that a power failure can leave. Nothing is cut off unless it begins as this program's
    lines do. If too little of it is there to tell, the line before it must begin so.
    Raises SinkError where it does not, OSError where the file cannot be read or written.
    """
    size = os.fstat(fd).st_size
    try:
        reader = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:  # a file that its writers may not read
        return None
    try:
        start = _start_of_rest(reader, size, path)
        if start == size:
            return None
        # Zero bytes may be many, and none of them is text.
        rest = os.pread(reader, 2 * LINE_MAX, start)
        torn = rest.rstrip(b"\0")
        if not torn and start == 0:
            return _passed_over(fd, size, path)
        if not _is_ours(torn) and not _is_begun(reader, torn, start):
            raise _foreign(path)
    finally:
        os.close(reader)
    if _is_whole(torn):
        os.ftruncate(fd, start + len(torn))
        os.write(fd, b"\n")
        return None
    os.ftruncate(fd, start)
    return _repaired(path, size - start, torn.strip(b"\0")[:TORN_TEXT_MAX])


def _repaired(path: str, torn_bytes: int, text: bytes) -> Notice:
    fields = {"log": {"file": {"path": path}}, "torn_bytes": torn_bytes}
    return Notice(LOG_REPAIRED, "warning", {**fields, "torn_text": decode_text(text)})


def _passed_over(fd: int, size: int, path: str) -> Notice:
    """Go on behind a file of zero bytes, which nothing tells whose it is."""
    os.write(fd, b"\n")
    fields = {"log": {"file": {"path": path}}, "zero_bytes": size}
    return Notice(LOG_REPAIRED, "warning", fields)


def _is_ours(text: bytes) -> bool:
    """Tell whether this is the start of a line of this program, long enough to be no other's."""
    return any(text[: len(head)].translate(_DIGITS) == head for head in _HEADS)


def _is_begun(reader: int, torn: bytes, start: int) -> bool:
    """Tell whether a line may have been begun by this program, which wrote the one before it."""
    short = torn.strip(b"\0").translate(_DIGITS)
    if not any(head.startswith(short) for head in _HEADS):
        # Zero bytes before a text are of one that another block of the disk would have held.
        return torn[:1] == b"\0" and _is_behind_ours(reader, start)
    return start == 0 or _is_behind_ours(reader, start)


def _is_behind_ours(reader: int, start: int) -> bool:
    """Tell whether the line that ends before ``start`` is this program's."""
    from_here = max(0, start - LINE_MAX)
    before = os.pread(reader, start - from_here, from_here)
    at = before.rfind(b"\n", 0, -1) + 1
    return (at > 0 or from_here == 0) and _is_ours(before[at:])


def _start_of_rest(reader: int, size: int, path: str) -> int:
    """Return the offset behind the last end of a line."""
    position, text_bytes, zero_bytes = size, 0, 0
    while position > 0:
        block_start = max(0, position - _BLOCK)
        block = os.pread(reader, position - block_start, block_start)
        at = block.rfind(b"\n")
        if at >= 0:
            return block_start + at + 1
        text = len(block.strip(b"\0"))
        text_bytes += text
        zero_bytes += len(block) - text
        if text_bytes > LINE_MAX or zero_bytes > ZEROS_MAX:
            raise _foreign(path)
        position = block_start
    return 0


def _is_whole(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _foreign(path: str) -> SinkError:
    return SinkError(
        f"cannot open the log {path!r}: it ends within a line that is not this program's."
        " Choose another path."
    )
