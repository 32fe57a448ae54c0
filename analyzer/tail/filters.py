"""Filters lines: all kinds of filter must match, of each kind one."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from analyzer.errors import ConfigError
from analyzer.logline.events import EVIDENCE, HEARTBEAT, LOST, METRICS, REQUEST
from analyzer.logline.line import Line, text_at, value_at
from analyzer.logline.named_caller import caller_of, short

VERSIONS = ("v1", "v2", "unknown")
_WILD = frozenset("*?[")
_CONTAINER_FIELDS = (
    ("container", "id"),
    ("container", "name"),
    ("container", "image", "name"),
    ("orchestrator", "resource", "id"),
    ("orchestrator", "resource", "name"),
)
_RUNTIME_FIELDS = (("container", "runtime"), ("orchestrator", "type"))


class Filters(NamedTuple):
    """The filters that were given; an empty kind filters nothing. Made by :func:`filters`."""

    versions: Sequence[str] = ()
    processes: Sequence[str] = ()
    containers: Sequence[str] = ()
    paths: Sequence[str] = ()
    units: Sequence[str] = ()

    def takes(self, line: Line) -> bool:
        """Tell whether a line is asked for.

        Of the analyzer's own, lost events always are: without them nobody knows what is not
        there. The others are where nothing in particular is.
        """
        if line.event == EVIDENCE:
            return self._takes_evidence(line)
        if line.event != REQUEST:
            return line.event == LOST or not any(self)
        return (
            (not self.versions or line.text("imds", "version") in self.versions)
            and (not self.processes or self._is_process(line))
            and (not self.containers or self._is_container(line))
            and (not self.paths or self._is_path(line))
            and (not self.units or self._is_unit(line))
        )

    def _takes_evidence(self, line: Line) -> bool:
        """Tell whether a caller's code is asked for: it is that of calls without a token."""
        return (
            (not self.versions or "v1" in self.versions)
            and not self.paths
            and (not self.processes or self._is_process(line))
            and (not self.containers or self._is_container(line))
            and (not self.units or self._is_unit(line))
        )

    def _is_process(self, line: Line) -> bool:
        known = _names(line)
        return any(fnmatchcase(name, each) for each in self.processes for name in known)

    def _is_container(self, line: Line) -> bool:
        identities = [line.text(*path) for path in _CONTAINER_FIELDS]
        runtimes = [line.text(*path) for path in _RUNTIME_FIELDS]
        return any(
            each in runtimes or any(identity.startswith(each) for identity in identities)
            for each in self.containers
        )

    def _is_path(self, line: Line) -> bool:
        path = line.text("url", "path")
        return any(
            fnmatchcase(path, each) if _WILD & set(each) else path.startswith(each)
            for each in self.paths
        )

    def _is_unit(self, line: Line) -> bool:
        unit = line.text("service", "name")
        return any(fnmatchcase(unit, each) for each in self.units)


def _names(line: Line) -> frozenset[str]:
    """Return what the caller, who started it, and its ancestors are called, with and without path.

    Process 1 is left out, as it starts everything.
    """
    caller = caller_of(line.fields)
    process = value_at(line.fields, "process")
    found = value_at(process, "ancestors")
    ancestors = found if isinstance(found, list) else []
    names = {caller.program, caller.launcher}
    for each in (process, *(one for one in ancestors if value_at(one, "pid") != 1)):
        names |= {text_at(each, "name"), text_at(each, "executable")}
    return frozenset((names | {short(name) for name in names}) - {""})


def is_routine(line: Line) -> bool:
    """Tell whether a line only says that the analyzer is alive, and how it fares."""
    return line.event in (HEARTBEAT, METRICS)


def filters(
    versions: Sequence[str],
    processes: Sequence[str],
    containers: Sequence[str],
    paths: Sequence[str],
    units: Sequence[str],
) -> Filters:
    """Return the filters. Raises ConfigError for what can match nothing, or everything."""
    given = {
        "--process": (processes, 'a name such as curl, a path, or a pattern such as "python*"'),
        "--container": (containers, "the start of an id or a name, or a runtime such as docker"),
        "--path": (paths, "the start of a path, such as /latest/meta-data/, or a pattern"),
        "--unit": (units, 'a unit such as cron.service, or a pattern such as "session-*"'),
    }
    for option, (values, allowed) in given.items():
        if "" in values:
            raise ConfigError(f"{option} is empty: give {allowed}")
    for path in paths:
        if path[0] not in "/*?[":
            raise ConfigError(
                f'--path {path} matches nothing: begin with "/", as in /latest/, or with "*"'
            )
    units = [each if _WILD & set(each) or "." in each else f"{each}.service" for each in units]
    return Filters(versions, processes, containers, paths, units)
