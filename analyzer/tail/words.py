"""What the analyzer says of itself, in words: started, stopped, lost, rotated, and so on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

from analyzer.logline.events import HEARTBEAT, LOST, STARTED, STOPPED
from analyzer.logline.line import Line, text_at, value_at

_VERSIONS = ("v1", "v2", "unknown")


def words(line: Line) -> str:
    """Return what one of the analyzer's own lines says."""
    say = _EVENTS.get(line.event)
    if say is not None:
        return say(line)
    said = [line.event.replace("_", " ")]
    said += filter(None, [line.text("log", "file", "path"), line.text("reason")])
    return ": ".join(said)


def _started(line: Line) -> str:
    return f"analyzer started, {line.text('observer', 'probe') or 'probe unknown'}"


def _stopped(line: Line) -> str:
    return f"analyzer stopped; it saw {_counts(line.fields.get('requests'))}"


def _heartbeat(line: Line) -> str:
    return f"heartbeat: {_counts(line.fields.get('requests'))}, {line.number('lost') or 0} lost"


def _lost(line: Line) -> str:
    count = line.number("count")
    since = text_at(line.fields, "since")
    said = f"{'some' if count is None else count} events lost"
    return f"{said} since {since}: {line.text('reason') or 'no reason given'}"


def _counts(requests: object) -> str:
    counts = [(each, value_at(requests, each)) for each in _VERSIONS]
    return ", ".join(f"{count} {each}" for each, count in counts if isinstance(count, int))


_EVENTS: Mapping[str, Callable[[Line], str]] = {
    STARTED: _started,
    STOPPED: _stopped,
    HEARTBEAT: _heartbeat,
    LOST: _lost,
}
