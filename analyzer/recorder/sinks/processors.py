"""Holds the structlog processors that prepare an event about the analyzer for its log line.

Requests do not pass through them: structlog would cost a tenth of the time that one may take.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from structlog.processors import add_log_level
from structlog.typing import EventDict, Processor

from analyzer.masking import mask_text
from analyzer.recorder.sinks.encoding import present
from analyzer.text import timestamp


def event_processors(now_ns: Callable[[], int], render: Processor) -> list[Processor]:
    """Return the chain, in order. ``render`` is the last: it makes the line."""
    return [drop_absent, mask_secrets, add_timestamp(now_ns), add_log_level, render]


def add_timestamp(now_ns: Callable[[], int]) -> Processor:
    """Return a processor that adds the time in the log's own format.

    structlog's TimeStamper has no clock that a test or a replay can set.
    """

    def add(_logger: object, _method: str, event: EventDict) -> EventDict:
        event["timestamp"] = timestamp(now_ns())
        return event

    return add


def drop_absent(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Drop the fields that are None or empty, at any depth."""
    return present(event)


def mask_secrets(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Mask the secrets in all texts: error texts quote settings, file names and answers."""
    return {key: _masked(value) for key, value in event.items()}


def _masked(value: Any) -> Any:  # noqa: ANN401 (what JSON holds)
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, Mapping):
        return {key: _masked(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(item) for item in value]
    return value
