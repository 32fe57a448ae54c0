"""Measures `scan` on labelled files: 100 that call IMDSv1, and 100 that only mention IMDS."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from analyzer.cli import cli
from tests.corpus.entries import Entry
from tests.corpus.layout import entries, laid_out

RECALL_MIN = 0.95
FALSE_RATE_MAX = 0.05
HALF = 100


class Measured(NamedTuple):
    """What a scan got wrong."""

    missed: tuple[Entry, ...]
    false: tuple[Entry, ...]

    @property
    def recall(self) -> float:
        """The share of calls that were found."""
        return 1 - len(self.missed) / HALF

    @property
    def false_rate(self) -> float:
        """The share of mentions that were called a finding."""
        return len(self.false) / HALF

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


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """Return the result of the command on the whole corpus."""
    root = laid_out(tmp_path_factory.mktemp("corpus") / "host")
    result = CliRunner().invoke(cli, ["scan", "--json", str(root)], catch_exceptions=False)
    document = json.loads(result.stdout)
    assert document["complete"], document["unread"]
    paths = [finding["path"][len(str(root)) :] for finding in document["findings"]]
    unclear = [path for path in paths if sum(_is_of(entry, path) for entry in entries()) != 1]
    assert not unclear, "findings that are of no single entry"
    found = {entry.path for entry in entries() if any(_is_of(entry, path) for path in paths)}
    return Measured(
        tuple(entry for entry in entries() if entry.is_v1 and entry.path not in found),
        tuple(entry for entry in entries() if not entry.is_v1 and entry.path in found),
    )


def test_the_corpus_is_balanced() -> None:
    """Two hundred different files, half of them calls, and a reason for each label."""
    corpus = entries()
    assert len({entry.path for entry in corpus}) == len(corpus) == 2 * HALF
    assert sum(entry.is_v1 for entry in corpus) == HALF
    assert all(entry.why and entry.content.strip() for entry in corpus)


def test_scan_finds_calls_and_no_mentions(
    measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    """Recall and false rate are printed, and stay within their limits."""
    with capsys.disabled():
        print(f"\nscan: {measured}")
    assert measured.recall >= RECALL_MIN, str(measured)
    assert measured.false_rate <= FALSE_RATE_MAX, str(measured)
