"""Lists the finders: each knows the software of one kind, for a process and for a file."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from typing import Protocol

from analyzer.software.budget import Spent
from analyzer.software.found import Found
from analyzer.software.root import Root
from analyzer.software.subject import Subject

# Modules of this package, in the order of their use; each is imported when it is first asked.
OF_LIBRARIES = ("jvm", "elf", "dotnet", "python", "node", "ruby", "php", "perl")
NAMES: tuple[str, ...] = (*OF_LIBRARIES, "scripts", "origins", "packages")


class Finder(Protocol):
    """The interface of a finder's module.

    Both generators may raise OSError and Spent between two results; what they yielded stands.
    Damaged input is skipped, never an error of another kind.
    """

    def of_process(self, subject: Subject) -> Iterator[Found]:
        """Yield what one process runs."""
        ...

    def is_wanted(self, path: str) -> bool:
        """Tell by its name alone whether a file can say something; called for each file."""
        ...

    def of_file(self, root: Root, path: str) -> Iterator[Found]:
        """Yield what a file says, for ``scan``."""
        ...


def finders() -> Iterator[tuple[str, Finder]]:
    """Yield each finder with its name."""
    for name in NAMES:
        module: Finder = importlib.import_module(f"analyzer.software.{name}")
        yield name, module


def of_process(subject: Subject, without: Sequence[str] = ()) -> tuple[list[Found], list[str]]:
    """Return what finders find of a process, and why some found less than there may be.

    ``without`` are the names of finders that are not asked.
    """
    found: dict[Found, None] = {}
    lacks: list[str] = []
    for name, finder in finders():
        if name in without:
            continue
        try:
            for each in finder.of_process(subject):
                found.setdefault(each)
        except Spent:
            lacks.append("limit")
            break
        except OSError as error:
            lacks.append(f"{name}: {error.strerror or 'cannot be read'}")
    return list(found), lacks
