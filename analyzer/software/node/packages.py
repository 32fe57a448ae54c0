"""Reads what a package of npm says of itself in its ``package.json``."""

from __future__ import annotations

import json
from typing import NamedTuple, Optional

from analyzer.software.folder import Folder
from analyzer.software.wanted import NPM

# A published package's is 1 to 5 KB; one of 128 KiB needs 1 ms and 1 MB.
JSON_MAX = 131072
_DEPENDENCIES = ("dependencies", "optionalDependencies", "peerDependencies")
CLIENTS = "@aws-sdk/client-"


class Described(NamedTuple):
    """A package.json: ``required`` are the names of the wanted packages that it asks for."""

    name: str
    version: str
    required: tuple[str, ...] = ()
    main: str = ""

    @property
    def text(self) -> str:
        """Its name and version."""
        return f"{self.name} {self.version}".strip()


def is_wanted_name(name: str) -> bool:
    """Tell whether a package calls IMDS or decides how that is called."""
    return name in NPM or name.startswith(CLIENTS)


def maybe_described(folder: Folder, path: str) -> Optional[Described]:
    """Read a package.json below a folder; None if there is none that can be read."""
    try:
        raw = folder.read(path, JSON_MAX)
    except OSError:
        return None
    said = parsed(raw)
    if not isinstance(said, dict):
        return None
    required: dict[str, None] = {}
    for key in _DEPENDENCIES:
        names = said.get(key)
        if isinstance(names, dict):
            required.update(dict.fromkeys(filter(is_wanted_name, names)))
    name, version, main = (said.get(key) for key in ("name", "version", "main"))
    return Described(_text(name), _text(version), tuple(required), _text(main))


def parsed(raw: bytes) -> object:
    """Return what JSON says, None for text that is damaged, too long or too deep."""
    if len(raw) >= JSON_MAX:
        return None
    try:
        # Numbers stay text: to make one of a million digits takes seconds.
        return json.loads(raw, parse_int=str)
    except (ValueError, RecursionError):
        return None


def _text(value: object) -> str:
    return value[:256] if isinstance(value, str) else ""
