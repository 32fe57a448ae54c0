"""Runs jobs on a few threads, which do not keep the process alive after an interruption.

``concurrent.futures`` waits for its threads at the end of the process, and one that waits for an
answer would keep a terminal for a minute.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Callable, Generic, NamedTuple, Optional, TypeVar

_T = TypeVar("_T")
# A wait without an end cannot be interrupted everywhere.
_POLL_S = 0.5


class _Done(NamedTuple):
    """Outcome of a job: its result, or its error."""

    result: object
    error: Optional[BaseException]


class Workers(Generic[_T]):
    """A bounded number of threads. Jobs may be added while results are taken."""

    def __init__(self, count: int) -> None:
        self._jobs: queue.SimpleQueue[Optional[Callable[[], _T]]] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[_Done] = queue.SimpleQueue()
        self._pending = 0
        self._threads = [
            threading.Thread(target=self._work, name=f"audit-{number}", daemon=True)
            for number in range(count)
        ]

    def __enter__(self) -> Workers[_T]:
        """Start the threads."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        _kind: Optional[type[BaseException]],
        _error: Optional[BaseException],
        _trace: Optional[TracebackType],
    ) -> None:
        """Let the threads end after what they do now."""
        for _ in self._threads:
            self._jobs.put(None)

    def add(self, job: Callable[[], _T]) -> None:
        """Have a job run; to be called from the thread that takes the results."""
        self._pending += 1
        self._jobs.put(job)

    def results(self) -> Iterator[_T]:
        """Yield results as they come, until no job is left; raises a job's error."""
        while self._pending:
            try:
                done = self._done.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            self._pending -= 1
            if done.error is not None:
                raise done.error
            yield done.result  # type: ignore[misc] # what the job returned

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            try:
                done = _Done(job(), None)
            except BaseException as error:  # noqa: BLE001 (raised where results are taken)
                done = _Done(None, error)
            self._done.put(done)
