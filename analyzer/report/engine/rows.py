"""Turns what an engine answers into Python's values."""

from __future__ import annotations

import datetime
from collections import defaultdict
from typing import Any, Callable, Optional

Rows = list[tuple[Any, ...]]
Ask = Callable[[str], Rows]

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def by_first(rows: Rows) -> dict[Any, Rows]:
    """Return the rest of the rows by what stands first in them, in their order."""
    found: dict[Any, Rows] = defaultdict(list)
    for first, *rest in rows:
        found[first].append(tuple(rest))
    return found


def at(us: int) -> datetime.datetime:
    """Return the time that is as many microseconds after the Unix epoch."""
    return _EPOCH + datetime.timedelta(microseconds=int(us))


def maybe_at(us: Optional[int]) -> Optional[datetime.datetime]:
    """Return a time, None where there is none."""
    return None if us is None else at(us)


def microseconds_of(time: datetime.datetime) -> int:
    """Return the microseconds since the Unix epoch."""
    return (time - _EPOCH) // datetime.timedelta(microseconds=1)
