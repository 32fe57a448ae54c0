"""Reads documents that ``imds-analyzer scan --json`` printed: files, or directories of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from analyzer.errors import AnalyzerError
from analyzer.report.dormant.scanned import Place, Scanned
from analyzer.report.period import read_iso
from analyzer.report.whole_file import read_whole
from analyzer.text import visible

# The document's version. ``analyzer.scan.findings`` has the same; a test holds them together.
FORMAT = 1
# A document has 10,000 findings at the most.
SIZE_MAX = 64 << 20
_AGAIN = "Make it with `imds-analyzer scan --json --output FILE` on the host."


def files(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return the files: of a directory, each ``*.json`` in it. Raises AnalyzerError."""
    return tuple(file for path in paths for file in _files(path))


def read(documents: Sequence[Path]) -> tuple[Scanned, ...]:
    """Read every document. Raises AnalyzerError, which says what a file is instead."""
    return tuple(map(_document, documents))


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    found = sorted(path.glob("*.json"))
    if not found:
        raise AnalyzerError(f"{visible(str(path))}: has no file *.json. {_AGAIN}")
    yield from found


def _document(path: Path) -> Scanned:
    name = visible(str(path))
    try:
        document = json.loads(read_whole(path, SIZE_MAX, "the scan", _AGAIN))
    except (ValueError, RecursionError):
        raise AnalyzerError(f"{name}: is not one whole JSON document. {_AGAIN}") from None
    if not isinstance(document, Mapping) or "findings" not in document:
        raise AnalyzerError(f"{name}: is not a scan. {_AGAIN}")
    if document.get("format") != FORMAT:
        raise AnalyzerError(
            f"{name}: has format {visible(str(document.get('format')))}, and this version reads"
            f" {FORMAT}. Use the same version of imds-analyzer to scan and to report."
        )
    try:
        return _scanned(document, name)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        raise AnalyzerError(f"{name}: is damaged. {_AGAIN}") from None


def _scanned(document: Mapping[str, Any], name: str) -> Scanned:
    host, counts = document["host"], document["counts"]
    identity = host.get("id")
    return Scanned(
        source=name,
        host=visible(_text(host["name"])),
        instance_id=None if identity is None else _text(identity),
        at=read_iso(_text(document["timestamp"])),
        is_complete=document["complete"] is True,
        places=tuple(map(_place, document["findings"])),
        left_out=int(counts["findings_left_out"]),
    )


def _place(finding: Mapping[str, Any]) -> Place:
    return Place(
        name=visible(_text(finding.get("name", ""))),
        version=visible(_text(finding.get("version", ""))),
        path=visible(_text(finding["path"])),
        line=int(finding.get("line", 0)),
        is_unknown=finding["state"] == "unknown",
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
