"""Lays the corpus out below a directory, as the root of a host."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.corpus.entries import Entry, written
from tests.corpus.installed import CALLS, MENTIONS
from tests.unit.software.trees import tree

# The sets after the first, in the order of their writing: each is measured before it corrects.
FURTHER = ("later", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


def further_entries(name: str) -> tuple[Entry, ...]:
    """Return a further set: files that call IMDSv1, then files that call no IMDSv1."""
    return (
        *written(f"calls_{name}.txt", is_v1=True),
        *written(f"mentions_{name}.txt", is_v1=False),
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
