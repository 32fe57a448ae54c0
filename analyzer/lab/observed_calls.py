"""Reads the log as it grows: one observed call per IMDS request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from analyzer.errors import LabError
from analyzer.lab.programs import Call
from analyzer.logline.events import REQUEST

_INTERPRETERS = ("sh", "bash", "dash", "ash", "zsh", "python", "perl", "ruby", "node")


class Actor(NamedTuple):
    """One process of a caller's tree."""

    pid: int
    name: str
    args: tuple[str, ...]

    @property
    def title(self) -> str:
        """The name, and for an interpreter the script it runs."""
        script = self.args[1] if len(self.args) > 1 else ""
        if not self.name.startswith(_INTERPRETERS) or script.startswith("-") or not script:
            return self.name
        return f"{self.name} {PurePosixPath(script).name}"


class ObservedCall(NamedTuple):
    """One request. ``actors``: who sent it, then its ancestors, nearest first; () is not known."""

    timestamp: str
    call: Call
    actors: tuple[Actor, ...]
    probe: str

    @property
    def pids(self) -> frozenset[int]:
        """Of the caller and all its known ancestors."""
        return frozenset(actor.pid for actor in self.actors)

    def actors_below(self, pid: int) -> tuple[Actor, ...]:
        """Return the caller and its ancestors up to, and without, one of them."""
        pids = [actor.pid for actor in self.actors]
        return self.actors[: pids.index(pid)] if pid in pids else self.actors


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
    return ObservedCall(
        event["timestamp"], call, actors, event.get("observer", {}).get("probe", "?")
    )


def _actor(process: Mapping[str, Any]) -> Actor:
    return Actor(int(process["pid"]), process["name"], tuple(process.get("args", ())))
