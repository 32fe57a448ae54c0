"""The documents agree with the tree: links, named tests, settings, versions, lengths."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from analyzer import __version__
from analyzer.cli import COMMANDS

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
# What a newcomer reads in one go; everything else is in docs/.
README_LINES_MAX = 150
DOCUMENTS = sorted(
    [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
)
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]


def _anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).strip().replace(" ", "-") for each in headings}


def _links(path: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8"))


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= README_LINES_MAX


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_links_lead_somewhere(document: Path) -> None:
    for link in _links(document):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


def test_every_document_is_linked() -> None:
    linked = {
        (document.parent / link.partition("#")[0]).resolve()
        for document in DOCUMENTS
        for link in _links(document)
    }
    assert set(DOCUMENTS) - linked <= {README}


def test_tests_that_documents_name_exist() -> None:
    known = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    for document in DOCUMENTS:
        for name in re.findall(r"`([\w/-]*test_\w+\.py)`", document.read_text(encoding="utf-8")):
            assert (ROOT / name).exists() if "/" in name else name in known, name


def test_documents_name_the_present_version() -> None:
    places = ("README.md", "docs/install.md", "docs/kubernetes.md", "docs/develop/release.md")
    for document in (ROOT / place for place in places):
        named = re.findall(
            r"imds-analyzer[-:](\d[\d.]*\d)(?:\.tar\.gz|\.tgz|-[\w-]+\.yaml|\b)",
            document.read_text(encoding="utf-8"),
        )
        assert set(named) == {__version__}, document
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[([^]]+)\]", changes, re.MULTILINE)[:2] == ["Unreleased", __version__]


def test_commands_that_documents_name_exist() -> None:
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for name in re.findall(r"(?:^|[`/ ])imds-analyzer ([a-z][a-z-]+)(?=[ `\n])", text):
            if name in COMMANDS:
                continue
            # Prose about the program, and the names of its user, unit and group.
            assert not re.search(rf"`[^`\n]*imds-analyzer {name}", text), f"{document}: {name}"


def test_targets_that_documents_name_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    rules = re.findall(r"^([a-z][a-z -]*):", makefile, re.MULTILINE)
    targets = {name for rule in rules for name in rule.split()}
    for document in DOCUMENTS:
        if document.name == "CHANGELOG.md":  # history
            continue
        text = document.read_text(encoding="utf-8")
        for name in re.findall(r"(?:`|^ {4,}|sudo )make ([a-z][a-z-]*)", text, re.MULTILINE):
            assert name in targets, f"{document}: make {name}"
