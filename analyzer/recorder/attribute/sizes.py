"""Counts the memory that a caller's text takes, so that caches can be bounded.

Whoever calls chooses its arguments: a character takes up to four bytes, and 16 ancestors may have
4096 each.
"""

from __future__ import annotations

from sys import getsizeof

from analyzer.recorder.callers import NamedProcess

# A process, its user, and what a cache needs for it, without the text.
PROCESS_BYTES = 400


def process_bytes(process: NamedProcess) -> int:
    """Return about what a process takes in memory."""
    size = PROCESS_BYTES + getsizeof(process.name)
    if process.executable is not None:
        size += getsizeof(process.executable)
    if process.args is not None:
        size += getsizeof(process.args) + sum(map(getsizeof, process.args))
    return size
