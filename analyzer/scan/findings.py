"""Defines what a scan returns: findings, and what it could not read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

LIBRARY, PACKAGE, SCRIPT = KINDS = ("library", "package", "script")

# The document's version; a reader refuses one that it does not know.
FORMAT = 1
# Findings that are kept; a disk with more is one finding many times. The others are counted.
FINDINGS_MAX = 10_000
# Paths that could not be read, by name; the others are counted.
UNREAD_MAX = 100


@dataclass(frozen=True)
class Finding:
    """A place that would call IMDSv1, and its fix.

    ``kind`` is one of KINDS, ``state`` ``old`` or ``unknown`` (a version that is not known).
    ``line`` and ``text`` are of a script's first such line, ``lines`` of all of them.
    """

    kind: str
    state: str
    name: str
    path: str
    fix: str
    version: str = ""
    client: str = ""
    needs: str = ""
    line: int = 0
    text: str = ""
    lines: tuple[int, ...] = ()
    required_by: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass
class Outcome:
    """The result of a scan. ``is_complete`` is false after an interrupt, or with unread paths."""

    paths: tuple[str, ...]
    findings: list[Finding] = field(default_factory=list)
    findings_left_out: int = 0
    files: int = 0
    folders: int = 0
    unread: dict[str, str] = field(default_factory=dict)
    unread_count: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    is_interrupted: bool = False

    @property
    def is_complete(self) -> bool:
        """True if everything was looked at."""
        return not (self.is_interrupted or self.unread_count or self.findings_left_out)

    def add(self, finding: Finding) -> None:
        """Keep a finding, or count it."""
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(finding)
        else:
            self.findings_left_out += 1

    def add_unread(self, path: str, why: Optional[str]) -> None:
        """Note a path that could not be read, and why."""
        self.unread_count += 1
        if len(self.unread) < UNREAD_MAX:
            self.unread.setdefault(path, why or "cannot be read")
