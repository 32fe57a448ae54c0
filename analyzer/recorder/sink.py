"""Defines the interface of a sink: what the pipeline needs of a destination for lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from analyzer.recorder.records import Record


class Sink(Protocol):
    """The interface of a destination for records."""

    def write(self, record: Record) -> None:
        """Take one record."""
        ...

    def event(self, name: str, level: str, /, **fields: object) -> None:
        """Take one line about the analyzer itself."""
        ...

    def flush(self) -> None:
        """Pass on what is buffered."""
        ...

    def tick(self) -> None:
        """Look after itself, about once a second."""
        ...

    @property
    def counters(self) -> SinkCounters:
        """Counts of lines that were not written since the start."""
        ...


class SinkCounters(Protocol):
    """The counts of a sink."""

    @property
    def not_written(self) -> Mapping[str, int]:
        """Lines that were dropped, by version; ``event`` for those of no request."""
        ...
