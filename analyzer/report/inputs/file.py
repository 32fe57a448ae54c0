"""Defines a file of the input, and the input as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from analyzer.errors import AnalyzerError
from analyzer.report.findings import Damage


class InputError(AnalyzerError):
    """No named file can be read."""


class File(NamedTuple):
    """One file. ``name`` is what to call it, ``path`` where its bytes are."""

    name: str
    path: str
    size: int
    is_gzip: bool = False
    is_parquet: bool = False


@dataclass(frozen=True)
class Inputs:
    """The files to read, and those that are not read, each with its reason."""

    files: tuple[File, ...]
    unread: tuple[Damage, ...] = ()

    def __iter__(self) -> Iterator[File]:
        """Yield the files to read."""
        return iter(self.files)


def nothing_left(unread: tuple[Damage, ...]) -> InputError:
    """Return the error for an input of which no file can be read."""
    named = "; ".join(f"{damage.file!r} {damage.problem}" for damage in unread[:_NAMED_MAX])
    more = len(unread) - _NAMED_MAX
    return InputError(f"no file can be read: {named}" + (f"; and {more} more" if more > 0 else ""))


# An error names as many files.
_NAMED_MAX = 3
