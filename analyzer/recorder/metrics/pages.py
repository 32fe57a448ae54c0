"""Keeps the page of metrics for a second, so that a flood of scrapes makes it once."""

from __future__ import annotations

import collections
import threading
import time
from typing import Callable, NamedTuple, Optional

# How old a page may be: however often it is asked for, it is made once in this time.
PAGE_S = 1.0
# Results are taken once a second. A page that fails is made anew for each of the 50 connections
# that are accepted within that; twice as many allows for a second that is late.
RESULTS_MAX = 100


class Page(NamedTuple):
    """A page to serve."""

    content_type: str
    body: bytes


# Makes the page; the flag asks for OpenMetrics' format.
Render = Callable[[bool], Page]


class Pages:
    """The pages in both formats, for all threads of the server."""

    def __init__(self, render: Render) -> None:
        self._render = render
        self._lock = threading.Lock()  # one thread makes the page, the others wait for it
        self._made: dict[bool, tuple[float, Page]] = {}
        self._results: collections.deque[Optional[str]] = collections.deque(maxlen=RESULTS_MAX)

    def get(self, is_openmetrics: bool) -> Page:
        """Return the page, made within the last second. Raises what rendering raises."""
        with self._lock:
            now = time.monotonic()
            known = self._made.get(is_openmetrics)
            if known is None or now - known[0] >= PAGE_S:
                known = self._made[is_openmetrics] = (now, self._rendered(is_openmetrics))
            return known[1]

    def take_results(self) -> list[Optional[str]]:
        """Return the results of making pages since the last call: None, or the error."""
        return [self._results.popleft() for _ in range(len(self._results))]

    def note(self, failure: str) -> None:
        """Add the result of a request that could not be answered."""
        self._results.append(failure)

    def _rendered(self, is_openmetrics: bool) -> Page:
        try:
            page = self._render(is_openmetrics)
        except Exception as error:
            self.note(repr(error))
            raise
        self._results.append(None)
        return page
