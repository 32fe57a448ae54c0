"""Recognises a client among all entries: by its user agent, its program, or a library's name."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from analyzer.clients.entry import Client, library_key
from analyzer.clients.versions import maybe_version


@dataclass(frozen=True)
class Recognition:
    """A caller as recognised. ``host`` is the program that ``client``, an SDK, was found in."""

    client: Client
    version: Optional[str] = None
    host: Optional[Client] = None


@dataclass(frozen=True)
class Clients:
    """The table of clients: all entries, in order of precedence."""

    entries: tuple[Client, ...]

    def maybe_recognise(
        self, names: Sequence[str], args: Sequence[str], user_agent: Optional[str]
    ) -> Optional[Recognition]:
        """Return who a caller is, None where nobody known.

        A proxy is known by its program alone. Else a user agent with a product tells most: it
        has a version. Then the program; and last of all tools and HTTP libraries.
        """
        by_program = [each for each in self.entries if each.is_program(names, args)]
        by_agent = [each for each in self.entries if each.is_user_agent(user_agent)]
        for found in (
            [each for each in (*by_program, *by_agent) if each.kind == "proxy"],
            [each for each in by_agent if each.kind in ("program", "sdk")],
            [each for each in by_program if each.kind in ("program", "sdk")],
            by_agent,
            by_program,
        ):
            if found:
                first = found[0]
                hosts = [each for each in by_program if each.kind == "program"]
                host = hosts[0] if hosts and first.kind == "sdk" else None
                return Recognition(first, first.maybe_version(user_agent), host)
        return None

    def maybe_library(
        self, ecosystem: str, name: str, version: Optional[str] = None
    ) -> Optional[Client]:
        """Return the entry of a library, such as ``maven``, ``com.amazonaws:aws-java-sdk-core``.

        None for a library that no entry names, and for an unknown ecosystem.
        """
        key = library_key(ecosystem, name)
        return None if key is None else _of_line(self._by_library.get(key, ()), version)

    def maybe_package(self, name: str, version: Optional[str] = None) -> Optional[Client]:
        """Return the entry of a package that dpkg or rpm installed; None where none names it."""
        return _of_line(self._by_package.get(name, ()), version)

    @functools.cached_property
    def _by_library(self) -> Mapping[str, Sequence[Client]]:
        return _grouped(
            (library_key(*each.split(":", 1)), entry)
            for entry in self.entries
            for each in entry.library
        )

    @functools.cached_property
    def _by_package(self) -> Mapping[str, Sequence[Client]]:
        return _grouped((each, entry) for entry in self.entries for each in entry.package)


def _grouped(pairs: Iterable[tuple[Optional[str], Client]]) -> Mapping[str, Sequence[Client]]:
    found: dict[str, list[Client]] = {}
    for name, entry in pairs:
        if name is not None:
            found.setdefault(name, []).append(entry)
    return found


def _of_line(entries: Sequence[Client], version: Optional[str]) -> Optional[Client]:
    """Return the entry for a version's line, such as 2.x, which has a threshold of its own.

    It is the one whose ``needs`` has the same first number; else the first.
    """
    line = _first_number(version)
    return next(
        (each for each in entries if line is not None and _first_number(each.needs) == line),
        entries[0] if entries else None,
    )


def _first_number(text: Optional[str]) -> Optional[int]:
    found = maybe_version(text)
    return found.numbers[0] if found is not None and found.numbers else None
