"""Measures `scan` on labelled files: half call IMDSv1, half only mention IMDS.

The first set has 200 files. Each further one was written after the one before had shown what to
correct. docs/scan.md has the figures from before each correction.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from analyzer.cli import cli
from tests.corpus.entries import Entry
from tests.corpus.layout import FURTHER, entries, further_entries, laid_out

RECALL_MIN = 0.95
FALSE_RATE_MAX = 0.05
HALVES = {
    "later": 25,
    "third": 20,
    "fourth": 30,
    "fifth": 20,
    "sixth": 60,
    "seventh": 51,
    "eighth": 51,
}
SETS = {
    "the corpus": (entries(), 100),
    **{f"the {name} set": (further_entries(name), HALVES[name]) for name in FURTHER},
}


class Measured(NamedTuple):
    """What a scan got wrong; ``half`` is the number of calls, and of mentions."""

    half: int
    missed: tuple[Entry, ...]
    false: tuple[Entry, ...]

    @property
    def recall(self) -> float:
        """The share of calls that were found."""
        return 1 - len(self.missed) / self.half

    @property
    def false_rate(self) -> float:
        """The share of mentions that were called a finding."""
        return len(self.false) / self.half

    def __str__(self) -> str:
        """Return both figures, and a line per error."""
        return "\n".join(
            (
                f"recall {self.recall:.0%}, false rate {self.false_rate:.0%}",
                *(f"  missed: {entry.path}: {entry.why}" for entry in self.missed),
                *(f"  false:  {entry.path}: {entry.why}" for entry in self.false),
            )
        )


def _is_of(entry: Entry, found: str) -> bool:
    """Tell whether a finding's path names an entry: the file, its folder, or a jar in it."""
    return entry.path == found.partition("!/")[0] or entry.path.startswith(found + "/")


def _measured(root: Path, corpus: tuple[Entry, ...], half: int) -> Measured:
    """Return the result of the command."""
    laid_out(root, corpus)
    result = CliRunner().invoke(cli, ["scan", "--json", str(root)], catch_exceptions=False)
    document = json.loads(result.stdout)
    assert document["complete"], document["unread"]
    paths = [finding["path"][len(str(root)) :] for finding in document["findings"]]
    unclear = [path for path in paths if sum(_is_of(entry, path) for entry in corpus) != 1]
    assert not unclear, "findings that are of no single entry"
    found = {entry.path for entry in corpus if any(_is_of(entry, path) for path in paths)}
    return Measured(
        half,
        tuple(entry for entry in corpus if entry.is_v1 and entry.path not in found),
        tuple(entry for entry in corpus if not entry.is_v1 and entry.path in found),
    )


@pytest.mark.parametrize("name", SETS)
def test_the_sets_are_balanced(name: str) -> None:
    """Different files, half of them calls, and a reason for each label."""
    corpus, half = SETS[name]
    assert len({entry.path for entry in corpus}) == len(corpus) == 2 * half
    assert sum(entry.is_v1 for entry in corpus) == half
    assert all(entry.why and entry.content.strip() for entry in corpus)


@pytest.mark.parametrize("name", SETS)
def test_scan_finds_calls_and_no_mentions(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Recall and false rate are printed, and stay within their limits."""
    corpus, half = SETS[name]
    measured = _measured(tmp_path / "host", corpus, half)
    with capsys.disabled():
        print(f"\nscan of {name}: {measured}")
    assert measured.recall >= RECALL_MIN, str(measured)
    assert measured.false_rate <= FALSE_RATE_MAX, str(measured)
