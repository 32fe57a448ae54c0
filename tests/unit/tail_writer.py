"""A program that writes numbered lines through the analyzer's own sinks, until it is ended.

Arguments: the log, the size at which it is rotated (0: by others), the first number, and the
number before which it ends (0: never). SIGUSR1 opens the log again.
"""

from __future__ import annotations

import json
import random
import signal
import sys
import time

from analyzer.recorder.sinks.file import open_file
from analyzer.recorder.sinks.log import LineLog
from analyzer.recorder.sinks.rotation import Archive

_BATCH = 20
_PAUSE_S = 0.002
_TICK_S = 0.05


def main(path: str, rotate_bytes: int, first: int, end: int) -> None:
    archive = Archive(path, rotate_bytes, 1 << 30) if rotate_bytes else None
    log = LineLog(open_file(path, archive))
    orders: list[int] = []
    signal.signal(signal.SIGUSR1, lambda number, _frame: orders.append(number))
    chance = random.Random(first)  # noqa: S311 (no secret)
    number, ticked_s = first, 0.0
    while number < end or not end:
        for _ in range(chance.randint(1, _BATCH)):
            size = chance.choice((0, 10, 200, 900, 9000))
            log.append(line(number, size))
            number += 1
        log.flush()
        while orders:
            orders.pop()
            log.reopen()
        if time.monotonic() - ticked_s > _TICK_S:
            ticked_s = time.monotonic()
            log.tick()
        time.sleep(_PAUSE_S)
    log.close()


def line(number: int, size: int) -> bytes:
    at = f"2026-11-21T{number // 3_600_000:02d}:00:00.{number % 1_000_000:06d}Z"
    fields = {"timestamp": at, "level": "info", "event": "imds_request", "n": number}
    return json.dumps({**fields, "x": "y" * size}, separators=(",", ":")).encode()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
