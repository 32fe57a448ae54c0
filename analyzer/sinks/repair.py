"""Mend a log whose last line was cut off by a crash."""

from __future__ import annotations

import json
import os
from typing import Optional

from analyzer.errors import SinkError
from analyzer.sinks.writer import Notice
from analyzer.text import decode_text

_BLOCK = 65536
# The longest line a caller can bring about has 70 KB, with sixteen ancestors' arguments. What has
# no end for longer than this was not written by this program, and is not for it to cut.
LINE_MAX = 1 << 20
# Of what was cut off, this much is kept in the event that says so.
TORN_TEXT_MAX = 4096


def mend(fd: int, path: str) -> Optional[Notice]:
    """Make the file end with a whole line, and return what there is to say about it.

    A last line that lacks only its end gets it; part of a line is cut off. So are the zero bytes
    that a power failure can leave. Raises SinkError where the file is no log of this program,
    OSError where it cannot be read or written.
    """
    size = os.fstat(fd).st_size
    try:
        reader = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:  # a file that its writers may not read
        return None
    try:
        start = _start_of_rest(reader, size, path)
        # Zero bytes may be many, and none of them is text.
        rest = os.pread(reader, 2 * LINE_MAX, start)
    finally:
        os.close(reader)
    if start == size:
        return None
    torn = rest.rstrip(b"\0")
    if _is_whole(torn):
        os.ftruncate(fd, start + len(torn))
        os.write(fd, b"\n")
        return None
    if torn[:1] not in (b"{", b"\0", b""):
        raise _foreign(path)
    os.ftruncate(fd, start)
    return Notice(
        "log_repaired",
        "warning",
        {
            "log": {"file": {"path": path}},
            "torn_bytes": size - start,
            "torn_text": decode_text(torn.strip(b"\0")[:TORN_TEXT_MAX]),
        },
    )


def _start_of_rest(reader: int, size: int, path: str) -> int:
    """Return the offset behind the last end of a line."""
    position, text_bytes = size, 0
    while position > 0:
        block_start = max(0, position - _BLOCK)
        block = os.pread(reader, position - block_start, block_start)
        at = block.rfind(b"\n")
        if at >= 0:
            return block_start + at + 1
        text_bytes += len(block.strip(b"\0"))
        if text_bytes > LINE_MAX:
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
