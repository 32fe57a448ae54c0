"""Finds a log's place among its rotated files, and the lines that two of them have in common."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Optional

from analyzer.tail.reading.openfile import OpenFile
from analyzer.tail.reading.rotated import UNREADABLE, Rotated

# The analyzer writes once more what it wrote to a deleted file in its last second; it holds no
# more than 4 MiB.
_AGAIN_BYTES = 8 << 20


def position_of(head: bytes, identity: tuple[int, int], aside: Sequence[Rotated]) -> Optional[int]:
    """Return which of the rotated files is this one, or a copy of what it was."""
    for at in range(len(aside) - 1, -1, -1):
        if aside[at].identity == identity:
            return at
        if head:
            with contextlib.suppress(*UNREADABLE):
                if aside[at].head().startswith(head):
                    return at
    return None


def earlier_than(head: bytes, identity: tuple[int, int], aside: list[Rotated]) -> list[Rotated]:
    """Return those rotated before this one, which may have been rotated itself meanwhile."""
    return aside[: position_of(head, identity, aside)]


def bytes_written_again(former: OpenFile, new: OpenFile) -> Optional[int]:
    """Return how many bytes of a new file are lines of the deleted one, written once more.

    None where that cannot be told yet, because there may come more of them.
    """
    start = max(0, former.offset - _AGAIN_BYTES)
    tail = os.pread(former.fd, former.offset - start, start)
    written = os.pread(new.fd, _AGAIN_BYTES, 0)
    first = written[: written.find(b"\n") + 1]
    at = tail.find(first) if first else -1
    while at >= 0:
        is_line = at == 0 or tail[at - 1 : at] == b"\n"
        same = tail[at:]
        if is_line and written.startswith(same):
            return len(same)
        if is_line and same.startswith(written):
            return None
        at = tail.find(first, at + 1)
    return 0 if first else None
