"""Defines the scans that a report takes into account."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional


@dataclass(frozen=True)
class Place:
    """A place that would call IMDSv1, as ``scan`` names it.

    ``is_unknown`` says that its version is not known. ``line`` is 0 but for scripts.
    """

    name: str
    version: str
    path: str
    line: int
    is_unknown: bool

    @property
    def text(self) -> str:
        """Its name, version and place, on one line."""
        where = f"{self.path}:{self.line}" if self.line else self.path
        what = " ".join(part for part in (self.name, self.version) if part)
        return where if what in ("", self.path) else f"{what} in {where}"


@dataclass(frozen=True)
class Scanned:
    """One document of ``scan --json``: a host, when it was scanned, and what was found.

    ``left_out`` counts findings that the document has no room for.
    """

    source: str
    host: str
    instance_id: Optional[str]
    at: datetime.datetime
    is_complete: bool
    places: tuple[Place, ...]
    left_out: int = 0


@dataclass(frozen=True)
class Dormant:
    """Findings of a host's last scan whose code has not called IMDSv1 there."""

    at: datetime.datetime
    is_complete: bool
    places: tuple[Place, ...]
    left_out: int = 0


@dataclass(frozen=True)
class Scans:
    """The scans, by the key of the host. With ``is_strict``, dormant code is in the way."""

    by_host: Mapping[str, Dormant] = field(default_factory=dict)
    is_strict: bool = False


NO_SCANS = Scans()
