"""Reads a send that is one whole request, as most are, without a parser of its own."""

from __future__ import annotations

from typing import Optional

from analyzer.recorder.decode.head import USUAL_LINE, read_head
from analyzer.recorder.decode.http import MAX_HEAD_BYTES
from analyzer.recorder.records import Request

# Programs repeat their requests byte for byte. Of one the keyed 64-bit hash is kept, and what was
# made of it, which holds no secret: some 2 MiB. Longer ones than any client's are read each time.
REPEATED_MAX = 1024
REPEATED_BYTES_MAX = 1024
_repeated: dict[tuple[int, int], Request] = {}


def maybe_whole_request(data: bytes) -> Optional[Request]:
    """Return the request that the data is, where a new parser would make that of it and be as new.

    That is: one head, begun and ended in the usual way, without a body. So most are sent. None
    says nothing but that the data is to be fed to a parser.
    """
    if len(data) > REPEATED_BYTES_MAX:
        return _maybe_read_whole(data)
    key = (hash(data), len(data))
    request = _repeated.get(key)
    if request is None:
        request = _maybe_read_whole(data)
        if request is not None:
            if len(_repeated) >= REPEATED_MAX:
                _repeated.clear()
            _repeated[key] = request
    return request


def _maybe_read_whole(data: bytes) -> Optional[Request]:
    line = USUAL_LINE.match(data)
    if line is None or len(data) > MAX_HEAD_BYTES:
        return None
    # The first end of a head must be the last.
    if data.find(b"\n\r\n") != len(data) - 3 or b"\n\n" in data:
        return None
    request, body = read_head(line[1], line[2], data[line.end() - 1 : -2])
    return None if body else request
