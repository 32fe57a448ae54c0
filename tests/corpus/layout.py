"""Lays the corpus out below a directory, as the root of a host."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.corpus.entries import Entry, written
from tests.corpus.installed import CALLS, MENTIONS
from tests.unit.software.trees import tree


def later_entries() -> tuple[Entry, ...]:
    """Return 25 and 25 more, which were written after the recogniser was corrected."""
    return (
        *written("calls_later.txt", is_v1=True),
        *written("mentions_later.txt", is_v1=False),
    )


def third_entries() -> tuple[Entry, ...]:
    """Return 20 and 20 more, which were written after the second corrections."""
    return (
        *written("calls_third.txt", is_v1=True),
        *written("mentions_third.txt", is_v1=False),
    )


def fourth_entries() -> tuple[Entry, ...]:
    """Return 30 and 30 more, after what files of public repositories do."""
    return (
        *written("calls_fourth.txt", is_v1=True),
        *written("mentions_fourth.txt", is_v1=False),
    )


def fifth_entries() -> tuple[Entry, ...]:
    """Return 20 and 20 more, which were written after the fourth set's corrections."""
    return (
        *written("calls_fifth.txt", is_v1=True),
        *written("mentions_fifth.txt", is_v1=False),
    )


def entries() -> tuple[Entry, ...]:
    """Return the corpus: 100 files that call IMDSv1, and 100 that only mention IMDS."""
    return (
        *written("calls.txt", is_v1=True),
        *CALLS,
        *written("mentions.txt", is_v1=False),
        *MENTIONS,
    )


def laid_out(root: Path, corpus: Iterable[Entry]) -> Path:
    """Write the files below ``root``, and return it."""
    for entry in corpus:
        tree(root, {entry.path: entry.content})
    # Both folders tell a host's root from any other folder.
    for name in ("etc", "usr"):
        root.joinpath(name).mkdir(exist_ok=True)
    return root
