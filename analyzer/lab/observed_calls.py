"""Reads the log as it grows: one observed call per IMDS request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from analyzer.errors import LabError
from analyzer.lab.programs import Call
from analyzer.logline.events import REQUEST
from analyzer.logline.named_caller import caller_of


class ObservedProcess(NamedTuple):
    """One process of a caller's tree."""

    pid: int
    name: str


class ObservedCall(NamedTuple):
    """One request. ``actors``: who sent it, then its ancestors, nearest first; () is not known.

    ``who`` is the program as the recorder named it, then its launcher if there is one.
    """

    timestamp: str
    call: Call
    who: tuple[str, ...]
    actors: tuple[ObservedProcess, ...]
    probe: str

    @property
    def pids(self) -> frozenset[int]:
        """The process ids of the caller and all its known ancestors."""
        return frozenset(actor.pid for actor in self.actors)


class LogTail:
    """Read what is added to a log file after now. The file need not exist yet."""

    def __init__(self, path: Path) -> None:
        """Take the log's path; what stands in it already is passed over."""
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0
        self._partial = b""

    def read(self) -> list[ObservedCall]:
        """Return the requests that were added since the last call. Raises LabError."""
        try:
            with self._path.open("rb") as log:
                log.seek(self._offset)
                data = log.read()
        except FileNotFoundError:
            return []
        self._offset += len(data)
        *lines, self._partial = (self._partial + data).split(b"\n")
        try:
            events = [json.loads(line) for line in lines if line.strip()]
            return [_observed(event) for event in events if event.get("event") == REQUEST]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LabError(
                f"{self._path} has a line that is not one of the analyzer's ({error!r}). "
                "Give the lab a log file of its own"
            ) from error


def _observed(event: Mapping[str, Any]) -> ObservedCall:
    # What could not be learned is left out of the log, never empty (see the log's contract).
    call = Call(
        event["imds"]["version"],
        event.get("http", {}).get("request", {}).get("method", "?"),
        event.get("url", {}).get("path", "?"),
    )
    process = event.get("process")  # packets do not always tell
    seen = [] if process is None else [process, *process.get("ancestors", ())]
    actors = tuple(_actor(each) for each in seen)
    caller = caller_of(event)
    who = tuple(filter(None, (caller.program, caller.launcher))) if actors else ()
    return ObservedCall(
        event["timestamp"], call, who, actors, event.get("observer", {}).get("probe", "?")
    )


def _actor(process: Mapping[str, Any]) -> ObservedProcess:
    return ObservedProcess(int(process["pid"]), process["name"])
