"""Writes a report for each owner into a directory, and says what is in which file."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analyzer.errors import AnalyzerError
from analyzer.text import visible

if TYPE_CHECKING:
    from analyzer.report.result import Report

SUFFIXES = {"table": "txt", "markdown": "md"}


@contextlib.contextmanager
def new_directory(output: str) -> Iterator[Path]:
    """Give a directory that becomes ``output`` when all is in it; raises AnalyzerError."""
    path = Path(os.path.realpath(output))
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise AnalyzerError(
            f"{output!r} is not an empty directory: older reports would stay"
            " beside the new ones. Choose another with --output."
        )
    try:
        made = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    except OSError as error:
        raise AnalyzerError(
            f"cannot write {output!r}: {error.strerror}. Choose another directory with --output."
        ) from None
    try:
        yield made
        mask = os.umask(0o077)
        os.umask(mask)
        made.chmod(0o777 & ~mask)
        made.replace(path)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def summary(parts: Sequence[Report], files: Sequence[str]) -> str:
    """Return a line for each part, and the sums of all."""
    rows: list[tuple[str, ...]] = [("owner", "verdict", "instances", "hosts", "callers", "file")]
    rows += [
        (
            visible(part.owner or "(unowned)"),
            part.verdict.judgement.value,
            str(_instances(part)),
            str(len(part.findings.hosts)),
            str(len(part.entries)),
            file,
        )
        for part, file in zip(parts, files)
    ]
    sums = (_instances, lambda part: len(part.findings.hosts), lambda part: len(part.entries))
    rows.append(("all", "", *(str(sum(map(of, parts))) for of in sums), ""))
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if 2 <= place <= 4 else cell.ljust(width)  # noqa: PLR2004 (numbers)
            for place, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    )


def _instances(part: Report) -> int:
    return len(part.roster.instances) if part.roster is not None else 0
